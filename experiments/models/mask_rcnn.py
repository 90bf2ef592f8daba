# Mask R-CNN with ResNet-50 and FPN: mmdet's own, which is what the authors ran.
_base_ = "mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
custom_imports = dict(imports=["r3cnn.models"], allow_failed_imports=False)
