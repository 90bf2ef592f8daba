"""The models of the paper, registered with mmdet: `custom_imports = ['r3cnn.models']` is all a config needs."""

from ..data import transforms  # what the resolved configs' pipelines name
from .backbone import ResNet14
from .bbox_head import R3AdvancedBBoxHead
from .htc_roi_head import HTCRoIHead
from .mask_head import R3MaskHead
from .mask_iou_head import R3MaskIoUHead
from .non_local import LargeKernelNonLocal2d
from .roi_head import R3RoIHead

__all__ = [
    "HTCRoIHead",
    "LargeKernelNonLocal2d",
    "R3AdvancedBBoxHead",
    "R3MaskHead",
    "R3MaskIoUHead",
    "R3RoIHead",
    "ResNet14",
    "transforms",
]
