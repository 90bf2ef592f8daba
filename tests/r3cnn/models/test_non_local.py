"""The Non-Local block with k x k projections, and the stack of layers that stands for the FCs."""

import pytest
import torch
from torch import nn

from r3cnn.models.non_local import LargeKernelNonLocal2d, non_local_stack


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def reference(block: LargeKernelNonLocal2d, x: torch.Tensor) -> torch.Tensor:
    """Embedded Gaussian, scaled, pair by pair of places; ReLU at the end."""

    def project(layer, value):
        found = nn.functional.conv2d(value, layer.conv.weight, layer.conv.bias, padding=3)
        return found.flatten(2)

    g, theta, phi = (project(layer, x) for layer in (block.g, block.theta, block.phi))
    channels = theta.shape[1]
    y = torch.zeros_like(g)
    for place in range(theta.shape[2]):
        pairs = (theta[:, :, place, None] * phi).sum(1) / channels**0.5
        y[:, :, place] = (pairs.softmax(1)[:, None] * g).sum(2)
    out = project(block.conv_out, y.reshape(*g.shape[:2], *x.shape[2:])).reshape(x.shape)
    return (x + out).clamp(min=0)


def test_it_is_the_scaled_embedded_gaussian_with_a_relu():
    block = LargeKernelNonLocal2d(8)
    for layer in (block.g, block.theta, block.phi, block.conv_out):
        nn.init.normal_(layer.conv.weight, std=0.2)
        nn.init.normal_(layer.conv.bias, std=0.2)
    block, x = block.double(), drawn(3, 8, 7, 7).double()
    torch.testing.assert_close(block(x), reference(block, x), atol=1e-10, rtol=1e-10)


def test_a_new_block_is_a_relu_and_nothing_else():
    x = drawn(2, 8, 7, 7)
    assert torch.equal(LargeKernelNonLocal2d(8)(x), x.relu())


def test_all_four_projections_are_seven_by_seven_and_half_as_wide():
    block = LargeKernelNonLocal2d(256)
    shapes = {
        name: tuple(getattr(block, name).conv.weight.shape)
        for name in ("g", "theta", "phi", "conv_out")
    }
    inner = (128, 256, 7, 7)
    assert shapes == {"g": inner, "theta": inner, "phi": inner, "conv_out": (256, 128, 7, 7)}
    assert block.conv_out.conv.weight.abs().max() == 0
    for name in ("g", "theta", "phi"):
        assert getattr(block, name).conv.weight.std().item() == pytest.approx(0.01, rel=0.01)
        assert getattr(block, name).conv.bias.abs().max() == 0


def test_a_relu_follows_each_layer_of_the_stack():
    layers = non_local_stack(8, (6, 4), non_local="both")
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.1)
    x = drawn(2, 8, 7, 7)
    for layer, channels in zip(layers, (8, 6, 4, 4), strict=True):
        x = layer(x)
        assert tuple(x.shape) == (2, channels, 7, 7)
        assert x.min() == 0
        assert x.max() > 0
    kinds = [isinstance(layer, LargeKernelNonLocal2d) for layer in layers]
    assert kinds == [True, False, False, True]


def test_the_convolutions_are_drawn_after_kaiming_by_fan_out():
    conv = non_local_stack(256, (128, 64))[1].conv
    assert conv.weight.std().item() == pytest.approx((2 / (128 * 49)) ** 0.5, rel=0.01)
    assert conv.bias.abs().max() == 0


def test_no_rois_give_no_features():
    layers = non_local_stack(8, (6, 4), non_local="both")
    x = torch.zeros(0, 8, 7, 7, requires_grad=True)
    out = x
    for layer in layers:
        out = layer(out)
    assert tuple(out.shape) == (0, 4, 7, 7)
    out.sum().backward()
    assert all(p.grad.abs().max() == 0 for layer in layers for p in layer.parameters())
