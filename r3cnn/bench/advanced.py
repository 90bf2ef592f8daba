"""The advanced model: its large kernels as matrix products against direct convolutions."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import UserError
from ..evaluation.predict import predict_batch
from ..models.map_conv import map_conv, use_direct
from .models import Images, Step, batches_of, config, predictor, repeated, sample_fewer
from .timing import in_turn, ratio, row

TOLERANCE = 2e-5


def predict(
    width: int = 1333, height: int = 800, count: int = 1, rounds: int = 3, scale: str = "paper"
) -> dict:
    """Prediction image by image; the outputs of the heads are compared first."""
    images = Images(width, height, count)
    cfg = config("r3_advanced", images, scale)
    detector, batches = shaken(predictor(cfg)), batches_of(cfg)
    loops = [cfg.r3cnn.loops_trained]
    one_by_one = repeated(lambda data: predict_batch(detector, data, loops), batches)
    watch = Stopwatch(detector.roi_head.bbox_head)
    ways = {
        name: lambda name=name: (
            use_direct(detector, name == "direct"),
            watch.run(name, one_by_one),
        )
        for name in ("matrix products", "direct")
    }
    found = difference(detector, one_by_one)
    if not found <= TOLERANCE:  # NaN is no agreement
        raise UserError(f"bench: the two forms differ by {found:.1e}, expected {TOLERANCE}")
    times = in_turn(ways, rounds, warm_up=False)
    size = f"{width}x{height}"
    result = row(f"predict, advanced, fp32, {size}", "the direct form", times, aim=0.6)
    head = {name: sum(watch.seconds[name]) for name in ways}
    return result | {
        "largest_relative_difference": found,
        "box_head_over_direct": head["matrix products"] / head["direct"],
        "box_head_of_direct": head["direct"] / sum(times["direct"]["seconds"]),
    }


class Stopwatch:
    """Seconds inside one module, {way: [...]}, of the runs made through it; for a CPU."""

    def __init__(self, module: nn.Module) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.way, self.began = "", 0.0
        module.register_forward_pre_hook(lambda *_: self._begin())
        module.register_forward_hook(lambda *_: self._end())

    def run(self, way: str, call: Callable[[], object]) -> None:
        """Run it under the name of a way."""
        self.way = way
        call()
        self.way = ""

    def _begin(self) -> None:
        self.began = time.perf_counter()

    def _end(self) -> None:
        if self.way:
            self.seconds.setdefault(self.way, []).append(time.perf_counter() - self.began)


def train(rounds: int = 3, images: Images | None = None, scale: str = "paper") -> dict:
    """A training step of the advanced model, with its backward pass."""
    images = images or Images(320, 256, 2)
    step = Step(sample_fewer(config("r3_advanced", images, scale)))
    ways = {
        "matrix products": lambda: (use_direct(step.detector, False), step()),
        "direct": lambda: (use_direct(step.detector), step()),
    }
    return row("training step, advanced, fp32", "the direct form", in_turn(ways, rounds))


def shaken(detector: nn.Module) -> nn.Module:
    """Draws the Non-Local blocks' last projections, which start at zero and would hide the others."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, module in detector.named_modules():
            if name.endswith("conv_out.conv"):
                nn.init.normal_(module.weight, std=0.01)
    return detector


@torch.no_grad()
def difference(detector: nn.Module, run: Callable[[], object]) -> float:
    """Of both forms, relative to each output's largest value: the box head's outputs in every loop, and
    the Mask-IoU head's on equal inputs (its detections come in another order where scores nearly tie).
    """
    found = {}
    for direct_form in (False, True):
        use_direct(detector, direct_form)
        boxes, masks = _seen(detector, run)
        found[direct_form] = boxes
    pairs = list(zip(found[False], found[True], strict=True))
    for inputs in masks:
        one, other = (
            use_direct(detector, form).roi_head.mask_iou_head(*inputs) for form in (False, True)
        )
        pairs.append((one, other))
    each = torch.stack([(a - b).abs().max() / b.abs().max() for a, b in pairs])
    return float(each.max())  # NaN where one of them is


def _seen(detector: nn.Module, run: Callable[[], object]) -> tuple[list[Tensor], list[tuple]]:
    """Outputs of the box head's last layers and inputs of the Mask-IoU head, in order."""
    boxes, masks = [], []
    head = detector.roi_head
    hooks = [
        layer.register_forward_hook(lambda *seen: boxes.append(seen[2].clone()))
        for layer in (head.bbox_head.fc_cls, head.bbox_head.fc_reg)
    ]
    hooks.append(head.mask_iou_head.register_forward_pre_hook(lambda *seen: masks.append(seen[1])))
    run()
    for hook in hooks:
        hook.remove()
    return boxes, masks


# ------------------------------------------------------------------ one layer, in four forms


def one_layer(rois: int = 1000, channels: tuple[int, int] = (256, 128), rounds: int = 3) -> dict:
    """A 7x7 convolution on 7x7 maps in every form that was tried; errors against float64."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(rois, channels[0], 7, 7, generator=draw).relu()
    weight = torch.randn(channels[1], channels[0], 7, 7, generator=draw) / 100
    if torch.cuda.is_available():
        x, weight = x.cuda(), weight.cuda()
    few = x[:4].double()
    exact = F.conv2d(few, weight.double(), padding=3)
    ways, errors = {}, {}
    for name, form in FORMS.items():
        ways[name] = lambda form=form: form(x, weight)
        errors[name] = float((form(x[:4], weight) - exact).abs().max() / exact.abs().max())
    with torch.no_grad():
        times = in_turn(ways, rounds)
    factors = {name: ratio(times, name, "direct") for name in ways}
    what = f"one 7x7 convolution, {channels[0]} to {channels[1]} channels, {rois} RoIs"
    found = row(what, "the direct form", times)
    return found | {"each_form_over_direct": factors, "largest_relative_error": errors}


def direct(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution as it is written."""
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


def valid_taps(x: Tensor, weight: Tensor) -> Tensor:
    """One matrix product a tap, over the places where the tap does not fall on padding."""
    side, kernel = x.shape[-1], weight.shape[-1]
    rows = x.permute(2, 3, 0, 1).contiguous()  # (H, W, R, C)
    found = rows.new_zeros(side, side, len(x), len(weight))
    ranges = [_valid(tap - kernel // 2, side) for tap in range(kernel)]
    for i, (to_y, from_y) in enumerate(ranges):
        for j, (to_x, from_x) in enumerate(ranges):
            found[to_y, to_x] += rows[from_y, from_x] @ weight[:, :, i, j].t()
    return found.permute(2, 3, 0, 1)


def _valid(shift: int, side: int) -> tuple[slice, slice]:
    """Places of the output and of the input that a tap joins."""
    low, high = max(0, -shift), min(side, side - shift)
    return slice(low, high), slice(low + shift, high + shift)


def plain_fft(x: Tensor, weight: Tensor) -> Tensor:
    """torch's own Fourier transforms and products of complex numbers."""
    side, half = x.shape[-1], weight.shape[-1] // 2
    ring = (side + half, side + half)
    of_x = torch.fft.rfft2(x, ring).permute(2, 3, 0, 1)
    # the middle tap at place 0, the earlier ones before it, around the ring
    around = F.pad(weight, (0, side - half - 1) * 2).roll((-half, -half), (-1, -2))
    of_weight = torch.fft.rfft2(around).conj().permute(2, 3, 1, 0)
    products = (of_x @ of_weight).permute(2, 3, 0, 1)
    return torch.fft.irfft2(products, ring)[..., :side, :side]


FORMS = {
    "matrix products": map_conv,
    "direct": direct,
    "valid taps": valid_taps,
    "plain FFT": plain_fft,
}
