# R3-CNN, advanced (R3-CNN-L): Non-Local and 7x7 convolutions instead of FCs, and a Mask-IoU branch.
_base_ = "./r3_naive.py"
model = dict(
    roi_head=dict(
        bbox_head=dict(type="R3AdvancedBBoxHead", stack_channels=(128, 64)),
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
