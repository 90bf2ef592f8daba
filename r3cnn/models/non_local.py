"""The Non-Local block of R3-CNN (advanced), and the stack of layers that both its heads share.

Shapes: R RoIs, C channels in, D channels out, k kernel size (7), p pooled size (7).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import NonLocal2d
from torch import Tensor, nn

from .map_conv import MapConv2d, map_convs

CONV = {"type": MapConv2d}
KERNEL = 7
Kernel = int | Sequence[int]


class LargeKernelNonLocal2d(NonLocal2d):
    """Non-Local block whose four projections (g, theta, phi, out) are k x k convolutions.

    Embedded Gaussian, scaled; followed by ReLU as in the authors' code (the text does not say so).
    (R, C, p, p) -> (R, C, p, p). Source: section 3.2; kernel 7, reduction 2.
    """

    def __init__(self, in_channels: int, reduction: int = 2, kernel_size: int = KERNEL) -> None:
        super().__init__(in_channels, reduction=reduction, use_scale=True, mode="embedded_gaussian")
        for name in ("g", "theta", "phi", "conv_out"):
            point_wise = getattr(self, name)
            setattr(
                self,
                name,
                ConvModule(
                    point_wise.in_channels,
                    point_wise.out_channels,
                    kernel_size,
                    padding=kernel_size // 2,
                    conv_cfg=CONV,
                    act_cfg=None,
                ),
            )
        self.init_weights()  # conv_out 0, the others std 0.01

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 0:  # mmcv cannot reshape nothing; all weights keep a gradient, of zero
            return F.relu(x + self.conv_out(self.g(x) + self.theta(x) + self.phi(x)))
        projections = [self.g.conv, self.theta.conv, self.phi.conv]
        g, theta, phi = (found.flatten(2).mT for found in map_convs(projections, x))
        weights = self.embedded_gaussian(theta, phi.mT)  # (R, p p, p p)
        y = (weights @ g).mT.reshape(len(x), self.inter_channels, *x.shape[2:])
        return F.relu(x + self.conv_out(y))


def non_local_stack(
    in_channels: int,
    conv_channels: Sequence[int],
    kernel_sizes: Sequence[Kernel] | None = None,
    non_local: str = "before",
) -> nn.ModuleList:
    """Layers that stand for the two FCs: Non-Local, then one convolution for each of `conv_channels`.

    (R, C, p, p) -> (R, conv_channels[-1], p, p). kernel_sizes: of each convolution, k or (height, width),
    odd; 7 for all unless given. non_local: `before` the convolutions, `after` them or `both`. Source: section
    3.2 and figure 1 of the paper; a ReLU follows each layer (the authors' code). Raises ValueError for
    another place, or another number of sizes.
    """
    kernels = [KERNEL] * len(conv_channels) if kernel_sizes is None else list(kernel_sizes)
    if len(kernels) != len(conv_channels):
        raise ValueError(
            f"kernel_sizes: {len(kernels)} for {len(conv_channels)} convolutions; give one for each"
        )
    if non_local not in ("before", "after", "both"):
        raise ValueError(f"non_local: {non_local!r}; expected before, after or both")
    layers: list[nn.Module] = []
    if non_local != "after":
        layers.append(LargeKernelNonLocal2d(in_channels))
    for out_channels, kernel in zip(conv_channels, kernels, strict=True):
        layers.append(_convolution(in_channels, out_channels, kernel))
        in_channels = out_channels
    if non_local != "before":
        layers.append(LargeKernelNonLocal2d(in_channels))
    return nn.ModuleList(layers)


def _convolution(in_channels: int, out_channels: int, kernel: Kernel) -> ConvModule:
    """A convolution that keeps the map's size, with its ReLU; MapConv2d has square kernels only."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    return ConvModule(
        in_channels,
        out_channels,
        (height, width),
        padding=(height // 2, width // 2),
        conv_cfg=CONV if height == width else None,
    )
