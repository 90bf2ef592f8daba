# HTC without the semantic branch. HTCRoIHead averages the masks of the three stages, as mmdet 2.3 did.
_base_ = "mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py"
custom_imports = dict(imports=["r3cnn.models"], allow_failed_imports=False)
model = dict(roi_head=dict(type="HTCRoIHead"))
