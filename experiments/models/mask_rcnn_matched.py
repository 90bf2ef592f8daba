# Mask R-CNN, not in the paper: matched to R3-CNN in everything but the loop. R3's backbone, RPN (smooth-L1,
# border 0), 2000 training proposals, class-agnostic boxes with smooth-L1 and test threshold (0.001).
# Its mask head is Mask R-CNN's: R3's is the same but for the residual convolution that serves the loop.
_base_ = "./r3_naive.py"
model = dict(
    roi_head=dict(
        _delete_=True,
        type="StandardRoIHead",
        bbox_roi_extractor=_base_.model.roi_head.bbox_roi_extractor,
        bbox_head=_base_.model.roi_head.bbox_head,
        mask_roi_extractor=_base_.model.roi_head.mask_roi_extractor,
        mask_head=dict(_base_.model.roi_head.mask_head, type="FCNMaskHead"),
    ),
)
