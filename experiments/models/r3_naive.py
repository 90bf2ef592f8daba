# R3-CNN, naive: HTC's box head and HTC's mask head with its residual convolution, one of each, looped.
# Backbone, RPN, proposals and test settings are HTC's.
_base_ = "mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py"
custom_imports = dict(imports=["r3cnn.models"], allow_failed_imports=False)
model = dict(
    type="MaskRCNN",
    roi_head=dict(
        _delete_=True,
        type="R3RoIHead",
        iou_thresholds=[0.5, 0.6, 0.7],
        loop_weights=[1.0, 0.75, 0.5, 0.3],  # the authors' code; the text does not say
        bbox_roi_extractor=_base_.model.roi_head.bbox_roi_extractor,
        bbox_head=_base_.model.roi_head.bbox_head[0],
        mask_roi_extractor=_base_.model.roi_head.mask_roi_extractor,
        mask_head=dict(_base_.model.roi_head.mask_head[1], type="R3MaskHead"),
    ),
    train_cfg=dict(
        rcnn=dict(_base_.model.train_cfg.rcnn[0], _delete_=True, mask_thr_binary=0.5),
    ),
)
