# R3-CNN, advanced (R3-CNN-L): Non-Local and 7x7 convolutions instead of FCs, and a Mask-IoU branch.
_base_ = "./r3_mask_iou.py"
model = dict(
    roi_head=dict(
        bbox_head=dict(type="R3AdvancedBBoxHead", stack_channels=(128, 64)),
    ),
)
