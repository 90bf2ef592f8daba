"""The mask head of R3-CNN: HTC's, whose 1x1 residual convolution also runs in the first loop."""

from mmdet.models.roi_heads.mask_heads import HTCMaskHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class R3MaskHead(HTCMaskHead):
    """HTC's mask head that sees zeros where no features of an earlier loop are given.

    So relu(bias) of the residual convolution is added in the first loop, its bias trains, and its weight
    gets a gradient of zero, that is, only decays. Source: the authors' code; the text does not say so.
    """

    def forward(
        self,
        x: Tensor,
        res_feat: Tensor | None = None,
        return_logits: bool = True,
        return_feat: bool = True,
    ) -> Tensor | list[Tensor]:
        """Mask logits (R, classes, 28, 28) and features (R, C, 14, 14) of RoI features (R, C, 14, 14)."""
        if res_feat is None and self.with_conv_res:
            # one pixel of zeros: every pixel of a 1x1 convolution of zeros is the same
            res_feat = x.new_zeros(1, x.shape[1], 1, 1)
        return super().forward(x, res_feat, return_logits, return_feat)
