"""Convolutions with large kernels on small maps, as matrix products over the frequencies of a small ring.

A 7x7 kernel on a 7x7 map with padding 3 spends 43 % of its taps on padding. Wrapped around a ring of 10
places no output meets the wrap, so the discrete Fourier transform of 10x10 places holds the whole
convolution: 4 real and 48 pairs of conjugate frequencies. A complex product takes three real ones (Gauss),
so a channel pair costs 4 + 3 x 48 = 148 products instead of 49 x 49 = 2401; and for each of the 148 they
are one matrix product over all RoIs. The transforms are matrix products too.

Shapes: R RoIs, C channels in, O channels out, H x W places of a map, k kernel size, F products (148).
"""

import functools
import math

import torch
from torch import Tensor, nn

ROIS_AT_ONCE = 128  # larger parts leave the cache of a CPU, smaller ones read the kernels too often


class MapConv2d(nn.Conv2d):
    """A Conv2d with an odd kernel that keeps the map's size, and is quick where the map is small.

    Equal to Conv2d up to the rounding of float32. `direct`: whether to convolve directly. None: everywhere
    but on a CPU, the only place where the products were measured to be quicker. Under autocast the convolution
    is always direct, because the products would be rounded to half precision.
    """

    direct: bool | None = None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        kept = all(k == 2 * p + 1 for k, p in zip(self.kernel_size, self.padding, strict=True))
        if not kept or {*self.stride, *self.dilation, self.groups} != {1}:
            raise ValueError(
                f"MapConv2d keeps the map's size with an odd square kernel; got {self}"
            )

    def forward(self, x: Tensor) -> Tensor:
        if self.as_written(x):
            return super().forward(x)
        return map_conv(x, self.weight, self.bias)

    def as_written(self, x: Tensor) -> bool:
        """Whether to convolve directly: on request, not on a CPU, without RoIs, or under autocast."""
        direct = x.device.type != "cpu" if self.direct is None else self.direct
        return direct or len(x) == 0 or torch.is_autocast_enabled(x.device.type)


def map_convs(convs: list[MapConv2d], x: Tensor) -> list[Tensor]:
    """Several convolutions of the same map: it is transformed once for all of them.

    Each runs on its own where one runs as it is written.
    """
    if any(conv.as_written(x) for conv in convs):
        return [conv(x) for conv in convs]
    weight = torch.cat([conv.weight for conv in convs])
    bias = torch.cat([conv.bias for conv in convs])
    found = map_conv(x, weight, bias)
    return list(found.split([conv.out_channels for conv in convs], 1))


def use_direct(model: nn.Module, direct: bool = True) -> nn.Module:
    """Let all MapConv2d of a model run as they are written, or (False) as matrix products."""
    for module in model.modules():
        if isinstance(module, MapConv2d):
            module.direct = direct
    return model


def map_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The convolution of maps (R, C, H, W) with kernels (O, C, k, k), padding k // 2: (R, O, H, W).

    Of one floating type, float32 or float64. k must be odd.
    """
    found = _MapConv.apply(x, weight)
    return found if bias is None else found.add_(bias[:, None, None])


class _MapConv(torch.autograd.Function):
    """Keeps the map and the kernels only, and transforms them again for the gradients."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        of_map, of_kernel, to_map = transforms(x.shape[-2:], weight.shape[-1], x.dtype, x.device)
        kernels = _spread(of_kernel, weight).mT.contiguous()  # (F, C, O)
        found = x.new_empty(len(x), len(weight), *x.shape[-2:])
        for part, to in zip(x.split(ROIS_AT_ONCE), found.split(ROIS_AT_ONCE), strict=True):
            _gather(torch.bmm(_spread(of_map, part), kernels), to_map, to)
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_map, of_kernel, to_map = transforms(x.shape[-2:], weight.shape[-1], x.dtype, x.device)
        of_x, of_weight = ctx.needs_input_grad
        kernels = _spread(of_kernel, weight) if of_x else None  # (F, O, C)
        back, total = (
            torch.empty_like(x, memory_format=torch.contiguous_format) if of_x else None,
            0,
        )
        for i, part in enumerate(x.split(ROIS_AT_ONCE)):
            rois = slice(i * ROIS_AT_ONCE, i * ROIS_AT_ONCE + len(part))
            up = _spread(to_map.t(), gradient[rois])  # (F, R, O)
            if of_x:
                _gather(torch.bmm(up, kernels), of_map.t(), back[rois])
            if of_weight:
                total = total + torch.bmm(up.mT, _spread(of_map, part))
        return back, _gather(total, of_kernel.t(), torch.empty_like(weight)) if of_weight else None


def _spread(transform: Tensor, maps: Tensor) -> Tensor:
    """Maps (A, B, H, W) in their frequencies: (F, A, B)."""
    found = transform @ maps.reshape(-1, transform.shape[1]).t()
    return found.view(-1, *maps.shape[:2])


def _gather(products: Tensor, transform: Tensor, to: Tensor) -> Tensor:
    """Products (F, A, B) back in places, written to (A, B, H, W)."""
    torch.mm(
        products.reshape(len(products), -1).t(), transform.t(), out=to.view(-1, len(transform))
    )
    return to


@functools.lru_cache(maxsize=32)
def transforms(
    size: tuple[int, int], kernel: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """What maps (F, H W), kernels (F, k k) and products (H W, F) are multiplied with.

    A map's frequency is a + ib, a kernel's c + id; the three products of a pair are c (a + b), a (d - c)
    and b (c + d): the first minus the third is the real part, the first plus the second the imaginary one.
    """
    ring = [places + kernel // 2 for places in size]
    of_map, of_kernel, to_map = [], [], []
    for frequency in ((u, v) for u in range(ring[0]) for v in range(ring[1])):
        mirrored = ((-frequency[0]) % ring[0], (-frequency[1]) % ring[1])
        if frequency > mirrored:
            continue
        turn = _angles(frequency, ring, [range(places) for places in size])
        taps = [range(-(kernel // 2), kernel // 2 + 1)] * 2
        a, b = turn.cos(), -turn.sin()
        c, d = (angles := _angles(frequency, ring, taps)).cos(), angles.sin()
        if frequency == mirrored:  # its own conjugate: a real number
            of_map, of_kernel, to_map = [*of_map, a], [*of_kernel, c], [*to_map, a]
        else:
            of_map += [a + b, a, b]
            of_kernel += [c, d - c, c + d]
            to_map += [2 * (a + b), 2 * b, -2 * a]
    stacked = [torch.stack(rows) for rows in (of_map, of_kernel, to_map)]
    stacked[2] = stacked[2].t() / math.prod(ring)
    return tuple(one.to(device, dtype).contiguous() for one in stacked)


def _angles(frequency: tuple[int, int], ring: list[int], places: list[range]) -> Tensor:
    """The phase of each place, row by row, in float64 on the CPU."""
    down, across = (
        torch.tensor([2 * math.pi * f * place / n for place in of_axis], dtype=torch.float64)
        for f, n, of_axis in zip(frequency, ring, places, strict=True)
    )
    return (down[:, None] + across).flatten()
