"""The Non-Local block of R3-CNN (advanced), and the stack of layers that both its heads share.

Shapes: R RoIs, C channels in, D channels out, k kernel size (7), p pooled size (7).
"""

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import NonLocal2d
from torch import Tensor, nn

from .map_conv import MapConv2d, map_convs

CONV = {"type": MapConv2d}


class LargeKernelNonLocal2d(NonLocal2d):
    """Non-Local block whose four projections (g, theta, phi, out) are k x k convolutions.

    Embedded Gaussian, scaled; followed by ReLU as in the authors' code (the text does not say so).
    (R, C, p, p) -> (R, C, p, p). Source: section 3.2; kernel 7, reduction 2.
    """

    def __init__(self, in_channels: int, reduction: int = 2, kernel_size: int = 7) -> None:
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
    in_channels: int, conv_channels: tuple[int, ...], kernel_size: int = 7, end: bool = False
) -> nn.ModuleList:
    """Layers that stand for the two FCs: Non-Local, then k x k convolutions, `end` with a Non-Local.

    (R, C, p, p) -> (R, conv_channels[-1], p, p). Source: section 3.2 and figure 1 of the paper; a ReLU
    follows each layer (the authors' code).
    """
    layers: list[nn.Module] = [LargeKernelNonLocal2d(in_channels, kernel_size=kernel_size)]
    for out_channels in conv_channels:
        layers.append(
            ConvModule(
                in_channels, out_channels, kernel_size, padding=kernel_size // 2, conv_cfg=CONV
            )
        )
        in_channels = out_channels
    if end:
        layers.append(LargeKernelNonLocal2d(in_channels, kernel_size=kernel_size))
    return nn.ModuleList(layers)
