"""The box head of R3-CNN (advanced). The naive model uses mmdet's Shared2FCBBoxHead as HTC does."""

from collections.abc import Sequence

from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.registry import MODELS
from torch import nn

from .non_local import Kernel, non_local_stack


@MODELS.register_module()
class R3AdvancedBBoxHead(ConvFCBBoxHead):
    """Non-Local block and two 7x7 convolutions (256 -> 128 -> 64) where Shared2FCBBoxHead has two FCs.

    (R, C, 7, 7) RoI features -> class scores (R, classes + 1), box deltas (R, 4).
    kernel_sizes and non_local: other convolutions, and another place of the Non-Local block; see
    non_local_stack. Source: section 3.2 of the paper.
    """

    def __init__(
        self,
        stack_channels: tuple[int, ...] = (128, 64),
        kernel_sizes: Sequence[Kernel] | None = None,
        non_local: str = "before",
        **kwargs,
    ) -> None:
        self.stack_channels = tuple(stack_channels)
        self.kernel_sizes = kernel_sizes
        self.non_local = non_local
        super().__init__(num_shared_convs=1 + len(self.stack_channels), **kwargs)

    def _add_conv_fc_branch(
        self, num_branch_convs: int, num_branch_fcs: int, in_channels: int, is_shared: bool = False
    ) -> tuple[nn.ModuleList, nn.ModuleList, int]:
        if not is_shared:
            return super()._add_conv_fc_branch(num_branch_convs, num_branch_fcs, in_channels)
        return (
            non_local_stack(in_channels, self.stack_channels, self.kernel_sizes, self.non_local),
            nn.ModuleList(),
            self.stack_channels[-1],
        )
