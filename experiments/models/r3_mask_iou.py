# R3-CNN, naive, with the Mask-IoU branch of the advanced model alone.
_base_ = "./r3_naive.py"
model = dict(
    roi_head=dict(
        mask_iou_head=dict(
            type="R3MaskIoUHead",
            in_channels=256,
            conv_out_channels=256,
            stack_channels=(128, 64),
            num_classes=80,
            loss_iou=dict(type="MSELoss", loss_weight=0.5),
        ),
    ),
)
