"""A small backbone for the small scales."""

from mmdet.models.backbones.resnet import Bottleneck, ResNet
from mmdet.registry import MODELS


@MODELS.register_module()
class ResNet14(ResNet):
    """ResNet with one bottleneck block per stage.

    mmdet's ResNet-18 cannot carry context blocks or deformable convolutions, which only bottleneck
    blocks take; GC-Net and DCN must run at every scale.
    """

    arch_settings = {14: (Bottleneck, (1, 1, 1, 1))}
