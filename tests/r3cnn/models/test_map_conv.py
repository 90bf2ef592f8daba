"""The convolution as matrix products over frequencies against the convolution as it is written."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from r3cnn.models.map_conv import MapConv2d, map_conv, map_convs, transforms, use_direct


def drawn(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(
    ("size", "kernel"), [((7, 7), 7), ((4, 6), 7), ((5, 3), 3), ((7, 7), 5), ((1, 1), 7)]
)
def test_it_is_the_convolution(size, kernel):
    x, weight, bias = drawn(3, 5, *size), drawn(4, 5, kernel, kernel, seed=1), drawn(4, seed=2)
    expected = F.conv2d(x, weight, bias, padding=kernel // 2)
    torch.testing.assert_close(map_conv(x, weight, bias), expected, rtol=1e-12, atol=1e-12)
    plain = map_conv(x, weight)
    torch.testing.assert_close(plain, expected - bias[:, None, None], rtol=1e-12, atol=1e-12)


def test_a_7x7_map_takes_148_products_where_the_convolution_takes_2401():
    found = transforms((7, 7), 7, torch.float32, torch.device("cpu"))
    assert [tuple(one.shape) for one in found] == [(148, 49), (148, 49), (49, 148)]


def test_in_float32_it_is_as_exact_as_the_convolution():
    """At the heads' real size; errors against float64, relative to the largest output."""
    x, weight = drawn(4, 256, 7, 7).relu(), drawn(128, 256, 7, 7, seed=1) / 100
    exact = F.conv2d(x, weight, padding=3)
    found = map_conv(x.float(), weight.float())
    assert (found - exact).abs().max() / exact.abs().max() < 2e-6


def test_more_rois_than_fit_at_once(monkeypatch):
    monkeypatch.setattr("r3cnn.models.map_conv.ROIS_AT_ONCE", 4)
    x, weight = drawn(9, 2, 7, 7).requires_grad_(), drawn(3, 2, 7, 7, seed=1).requires_grad_()
    expected = F.conv2d(x, weight, padding=3)
    found = map_conv(x, weight)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    up = drawn(*found.shape, seed=2)
    wanted = torch.autograd.grad(expected, (x, weight), up)
    gradients = torch.autograd.grad(found, (x, weight), up)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_gradients():
    x, weight, bias = (
        one.requires_grad_() for one in (drawn(2, 2, 4, 3), drawn(3, 2, 5, 5, seed=1), drawn(3))
    )
    assert torch.autograd.gradcheck(map_conv, (x, weight, bias))


def test_gradients_of_one_argument_alone():
    x, weight = drawn(2, 2, 7, 7), drawn(3, 2, 7, 7, seed=1)
    assert torch.autograd.gradcheck(lambda value: map_conv(value, weight), x.requires_grad_())
    x = x.detach()
    assert torch.autograd.gradcheck(lambda value: map_conv(x, value), weight.requires_grad_())


def test_several_at_once_are_each_alone():
    convs = [MapConv2d(4, out, 7, padding=3) for out in (2, 3, 5)]
    x = drawn(6, 4, 7, 7, dtype=torch.float32)
    for direct in (False, True):
        use_direct(nn.ModuleList(convs), direct)
        for conv, found in zip(convs, map_convs(convs, x), strict=True):
            torch.testing.assert_close(found, conv(x), rtol=1e-5, atol=1e-5)


def test_several_as_written_are_one_convolution_each(monkeypatch):
    convs = [MapConv2d(4, out, 7, padding=3) for out in (2, 3)]
    use_direct(nn.ModuleList(convs))
    x, ran, forward = drawn(2, 4, 7, 7, dtype=torch.float32), [], MapConv2d.forward
    monkeypatch.setattr(MapConv2d, "forward", lambda conv, x: ran.append(conv) or forward(conv, x))
    for conv, found in zip(convs, map_convs(convs, x), strict=True):
        assert torch.equal(found, F.conv2d(x, conv.weight, conv.bias, padding=3))
    assert ran == convs


@pytest.mark.parametrize("direct", [False, True])
def test_several_without_rois_give_nothing_and_keep_gradients(direct):
    convs = [MapConv2d(4, out, 7, padding=3) for out in (2, 3)]
    use_direct(nn.ModuleList(convs), direct)
    found = map_convs(convs, torch.empty(0, 4, 7, 7))
    assert [tuple(one.shape) for one in found] == [(0, 2, 7, 7), (0, 3, 7, 7)]
    sum(one.sum() for one in found).backward()
    assert all(not value.grad.any() for conv in convs for value in conv.parameters())


def test_direct_is_torchs_own():
    conv = MapConv2d(4, 3, 7, padding=3)
    x = drawn(5, 4, 7, 7, dtype=torch.float32)
    expected = F.conv2d(x, conv.weight, conv.bias, padding=3)
    assert not torch.equal(conv(x), expected)
    assert torch.equal(use_direct(conv)(x), expected)


@pytest.mark.parametrize(
    "device",
    [
        "meta",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
        ),
    ],
)
def test_off_the_cpu_it_is_torchs_own_unless_asked_for(device):
    """Nothing has measured the matrix products on a GPU."""
    conv = MapConv2d(4, 3, 7, padding=3)
    elsewhere = torch.empty(5, 4, 7, 7, device=device)
    assert conv.as_written(elsewhere)
    assert not conv.as_written(torch.empty(5, 4, 7, 7))
    assert not use_direct(conv, False).as_written(torch.empty(5, 4, 7, 7))
    assert conv.direct is False
    assert use_direct(conv).as_written(torch.empty(5, 4, 7, 7))


def test_under_autocast_it_is_the_convolution_of_autocast():
    conv, plain = MapConv2d(4, 3, 7, padding=3), nn.Conv2d(4, 3, 7, padding=3)
    plain.load_state_dict(conv.state_dict())
    x = drawn(5, 4, 7, 7, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(conv(x), plain(x))
        assert torch.equal(map_convs([conv], x)[0], plain(x))


@pytest.mark.parametrize(
    "wrong", [{"padding": 2}, {"padding": 3, "stride": 2}, {"padding": 3, "groups": 2}]
)
def test_another_convolution_is_refused(wrong):
    with pytest.raises(ValueError, match="keeps the map's size"):
        MapConv2d(4, 4, 7, **wrong)
    with pytest.raises(ValueError, match="keeps the map's size"):
        MapConv2d(4, 4, 6, padding=3)
