"""Faster prediction with the advanced model: each way against the direct form, outputs compared first.

bfloat16 is an option of this measurement alone: `predict` always computes in float32.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from mmengine.config import Config
from torch import Tensor, nn

from ..core.errors import UserError
from ..evaluation.predict import predict_batch
from ..models.map_conv import use_direct
from . import advanced
from .models import batches_of, predictor
from .timing import in_turn, ratio

DIRECT, HALVED = "direct", "bf16 autocast"


@dataclass(frozen=True)
class Way:
    """One way of predicting the images; halved: in bfloat16 where autocast allows it."""

    detector: nn.Module
    batches: Sequence[dict]
    loops: int
    halved: bool = False

    def run(self) -> None:
        """Predict all images."""
        with self.precision():
            for data in self.batches:
                predict_batch(self.detector, data, [self.loops])

    def precision(self) -> contextlib.AbstractContextManager:
        """Inside, it computes as precisely as this way does."""
        device = next(self.detector.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.halved)


def options(cfg: Config, rounds: int = 3) -> dict:
    """Each way's seconds over the direct form's, and the largest difference of its outputs from that one's.

    Raises UserError where a way in float32 differs by more than the tolerance, TF32 off.
    """
    ways = ways_of(cfg)
    with exact_products():
        differing = differences(ways)
    require_equal(differing)
    times = in_turn({name: way.run for name, way in ways.items()}, rounds)
    return {
        "over_direct": {name: ratio(times, name, DIRECT) for name in ways},
        "difference": differing,
        "tolerance_in_float32": advanced.TOLERANCE,
        "times": times,
    }


def ways_of(cfg: Config) -> dict[str, Way]:
    """The ways by name, all with the same weights."""
    loops = cfg.r3cnn.loops_trained
    plain, direct, last = (advanced.shaken(predictor(cfg)) for _ in range(3))
    use_direct(plain, False)
    use_direct(direct)
    channels_last(use_direct(last))
    singles = batches_of(cfg)
    whole = batches_of(cfg, len(singles))
    return {
        DIRECT: Way(direct, singles, loops),
        "matrix products": Way(plain, singles, loops),
        "channels last": Way(last, singles, loops),
        HALVED: Way(direct, singles, loops, halved=True),
        "matrix products, all images in one pass": Way(plain, whole, loops),
    }


def channels_last(detector: nn.Module) -> nn.Module:
    """Let the convolutions run with channels last; RoIAlign, which reads channels first, gets them so."""

    def first(_: nn.Module, given: tuple) -> tuple:
        features, *rest = given
        return (tuple(x.contiguous() for x in features), *rest)

    for module in detector.modules():
        if isinstance(module, BaseRoIExtractor):
            module.register_forward_pre_hook(first)
    return detector.to(memory_format=torch.channels_last)


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Inside, a GPU's convolutions and matrix products are in float32, without TF32."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


# ------------------------------------------------------------------------ equal outputs


def require_equal(differing: dict[str, float]) -> None:
    """Refuse outputs that are not numbers, and in float32 those beyond the tolerance."""
    for name, found in differing.items():
        limit = math.inf if name == HALVED else advanced.TOLERANCE
        if not (found <= limit and math.isfinite(found)):
            raise UserError(
                f"bench gpu: r3_advanced, {name}: outputs differ by {found:.1e} from the direct form's, "
                f"expected {limit:.0e} at most; report it with the device and torch's version"
            )


@torch.no_grad()
def differences(ways: dict[str, Way]) -> dict[str, float]:
    """Of each way from the direct form, relative to each output's largest value.

    Outputs: the neck's maps, the RPN's, those of the box head in every loop at the direct form's proposals,
    and those of the mask and the Mask-IoU head on its inputs. Detections themselves are not compared: where
    scores nearly tie they come in another order.
    """
    proposals, inputs = _of_direct(ways[DIRECT])
    exact = _outputs(ways[DIRECT], proposals, inputs)
    found = {}
    for name, way in ways.items():
        pairs = zip(_outputs(way, proposals, inputs), exact, strict=True)
        found[name] = float(torch.stack([_relative(a, b) for a, b in pairs]).max())  # NaN stays
    return found


def _relative(found: Tensor, exact: Tensor) -> Tensor:
    return (found.float() - exact.float()).abs().max() / exact.float().abs().max()


def _of_direct(way: Way) -> tuple[list, list[tuple[str, tuple]]]:
    """The proposals of each image, and what its mask and Mask-IoU heads are given, in order."""
    proposals, inputs = [], []
    head = way.detector.roi_head
    hooks = [
        getattr(head, name).register_forward_pre_hook(
            lambda _, given, name=name: inputs.append((name, given))
        )
        for name in ("mask_head", "mask_iou_head")
    ]
    for data in way.batches:
        _walk(way, data, None, proposals.extend)
    for hook in hooks:
        hook.remove()
    return proposals, inputs


def _outputs(way: Way, proposals: list, inputs: list[tuple[str, tuple]]) -> list[Tensor]:
    """All that is compared; rows of images in their order, however many a pass takes."""
    parts, waiting = [], iter(proposals)
    for data in way.batches:
        given = [next(waiting) for _ in data["data_samples"]]
        parts.append(_walk(way, data, given))
    joined = [torch.cat(of_pass) for of_pass in zip(*parts, strict=True)]
    with way.precision():
        for name, given in inputs:
            found = getattr(way.detector.roi_head, name)(*given)
            joined += found if isinstance(found, list | tuple) else (found,)
    return joined


def _walk(way: Way, data: dict, given: list | None, take=lambda _: None) -> list[Tensor]:
    """One batch through the detector as `predict_batch` does, at these proposals unless they are None."""
    detector, head, seen = way.detector, way.detector.roi_head, []
    hooks = [
        layer.register_forward_hook(lambda *of: seen.append(of[2].clone()))
        for layer in (head.bbox_head.fc_cls, head.bbox_head.fc_reg)
    ]
    with way.precision():
        data = detector.data_preprocessor(data, False)
        x = detector.extract_feat(data["inputs"])
        scores, deltas = detector.rpn_head(x)
        proposals = given or detector.rpn_head.predict(x, data["data_samples"], rescale=False)
        take(proposals)
        head.predict_loops(x, proposals, data["data_samples"], [way.loops], rescale=True)
    for hook in hooks:
        hook.remove()
    return [*x, *scores, *deltas, *seen]
