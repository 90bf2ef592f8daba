"""Multiply-adds of a model's inference, by module and by L_e: counted on the meta device, without any hardware.

One image of 1333 x 800, 1,000 proposals, 100 final boxes. torch's counter knows convolutions and matrix products;
RoIAlign, deformable convolution and NMS are counted by the formulas below, so that every back end of mmcv's
operators costs the same. Convolutions count as they are written, also where the product over frequencies
(models/map_conv.py) would take fewer. What is done element by element (activations, normalisation, the pasting of
masks) is not counted.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from unittest import mock

import mmcv.ops
import mmcv.ops.deform_conv
import mmcv.ops.modulated_deform_conv
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula

from ..models.map_conv import use_direct
from ..weights.building import build_detector
from ..weights.size import modules_of

IMAGE, STRIDE = (800, 1333), 32  # height and width; the input is padded to a multiple of the stride
PROPOSALS, DETECTIONS = 1000, 100
SAMPLES = 2  # a bin and axis, where the config lets RoIAlign choose by the size of the RoI
BILINEAR = 4  # multiply-adds of a value between four others
OVERLAP = 4  # of a pair of boxes: intersection, union (two), quotient
ELSEWHERE = "elsewhere"

_library = torch.library.Library("r3cnn_count", "DEF")
_library.define("roi_align(Tensor x, Tensor rois, int height, int width, int samples) -> Tensor")
_library.define("deform_conv(Tensor x, Tensor weight, int height, int width) -> Tensor")
_library.define("nms(Tensor boxes, int classes) -> Tensor")


def _roi_align(x: Tensor, rois: Tensor, height: int, width: int, samples: int) -> Tensor:
    return x.new_empty(len(rois), x.shape[1], height, width)


def _deform_conv(x: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
    return x.new_empty(len(x), len(weight), height, width)


def _nms(boxes: Tensor, classes: int) -> Tensor:
    return boxes.new_empty(len(boxes))


for _name, _shape in (("roi_align", _roi_align), ("deform_conv", _deform_conv), ("nms", _nms)):
    _library.impl(_name, _shape, "Meta")


# torch counts a multiply-add as two operations
@register_flop_formula(torch.ops.r3cnn_count.roi_align)
def _of_roi_align(x, rois, height, width, samples, *, out_shape, **_) -> int:
    return 2 * BILINEAR * samples**2 * math.prod(out_shape)


@register_flop_formula(torch.ops.r3cnn_count.deform_conv)
def _of_deform_conv(x, weight, height, width, *, out_shape, **_) -> int:
    taps = weight[2] * weight[3]
    places = out_shape[0] * height * width
    return 2 * places * (math.prod(weight) + BILINEAR * taps * x[1])


@register_flop_formula(torch.ops.r3cnn_count.nms)
def _of_nms(boxes, classes, *, out_shape, **_) -> int:
    return 2 * classes * OVERLAP * math.comb(boxes[0], 2)


@torch.no_grad()
def multiply_adds(cfg: Config, loops: Sequence[int]) -> dict[str, dict]:
    """For each L_e, as text: `total`, and `modules` by name; NMS, of no module, stands under `elsewhere`.

    A model that does not loop runs its own stages.
    """
    detector = use_direct(build_detector(cfg, "meta")).eval()
    found = {}
    with torch.device("meta"), _counted_operators():
        modules = modules_of(detector)
        x, before = _counted(modules, lambda: _features(detector))
        for n in loops:
            _, of_loops = _counted(modules, lambda n=n: _detect(detector, x, n))
            each = before + of_loops
            found[str(n)] = {
                "total": sum(each.values()),
                "modules": {name: each[name] for name in (*modules, ELSEWHERE) if name in each},
            }
    return found


def _counted(modules: dict[str, nn.Module], run) -> tuple[object, Counter]:
    """What `run` returns, and the multiply-adds of each module while it ran."""
    counter, found, begun = FlopCounterMode(display=False), Counter(), []
    hooks = []
    for name, module in modules.items():
        for part in module if isinstance(module, nn.ModuleList) else [module]:
            hooks.append(
                part.register_forward_pre_hook(lambda *_: begun.append(counter.get_total_flops()))
            )
            hooks.append(
                part.register_forward_hook(
                    lambda *_, name=name: found.update(
                        {name: (counter.get_total_flops() - begun.pop()) // 2}
                    )
                )
            )
    with counter:
        result = run()
    for hook in hooks:
        hook.remove()
    found[ELSEWHERE] = counter.get_total_flops() // 2 - sum(found.values())
    return result, found


def _features(detector: nn.Module) -> tuple[Tensor, ...]:
    """The neck's maps of one image, after the RPN and its NMS."""
    size = [math.ceil(side / STRIDE) * STRIDE for side in IMAGE]
    x = detector.extract_feat(torch.empty(1, 3, *size))
    scores, _ = detector.rpn_head(x)
    most = detector.test_cfg.rpn.nms_pre
    torch.ops.r3cnn_count.nms(torch.empty(sum(min(most, level.numel()) for level in scores), 4), 1)
    return x


def _detect(detector: nn.Module, x: tuple[Tensor, ...], loops: int) -> None:
    """The RoI head's own inference on so many proposals, up to the pasting of masks."""
    head = detector.roi_head
    sample = DetDataSample(
        metainfo={"img_shape": IMAGE, "ori_shape": IMAGE, "scale_factor": (1.0, 1.0), "flip": False}
    )
    proposals = [InstanceData(bboxes=torch.empty(PROPOSALS, 4))]
    with contextlib.ExitStack() as stack:
        for name, instead in (("bbox_head", _final_boxes), ("mask_head", _no_masks)):
            for part in _parts(getattr(head, name)):
                stack.enter_context(mock.patch.object(part, "predict_by_feat", instead))
        if hasattr(head, "predict_loops"):
            head.predict_loops(x, proposals, [sample], [loops])
        else:
            head.predict(x, proposals, [sample])


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    yield from module if isinstance(module, nn.ModuleList) else [module]


def _final_boxes(rois, cls_scores, bbox_preds, **_) -> list[InstanceData]:
    """NMS over all proposals in each class; how many scores are too low depends on the image."""
    torch.ops.r3cnn_count.nms(torch.empty(PROPOSALS, 4), cls_scores[0].shape[1] - 1)
    labels = torch.empty(DETECTIONS, dtype=torch.long)
    return [
        InstanceData(
            bboxes=torch.empty(DETECTIONS, 4), scores=torch.empty(DETECTIONS), labels=labels
        )
    ]


def _no_masks(mask_preds, results_list, **_) -> list[InstanceData]:
    return results_list


@contextlib.contextmanager
def _counted_operators() -> Iterator[None]:
    """Inside, mmcv's operators are those that are counted and that run on the meta device."""

    def roi_align(self: nn.Module, x: Tensor, rois: Tensor) -> Tensor:
        samples = self.sampling_ratio or SAMPLES
        return torch.ops.r3cnn_count.roi_align(x, rois, *self.output_size, samples)

    def one_level(self: nn.Module, feats: tuple[Tensor, ...], rois: Tensor, *_: object) -> Tensor:
        """Each RoI is pooled from one level; from which does not matter."""
        return self.roi_layers[0](feats[0], rois)

    def deform_conv(x: Tensor, offset: Tensor, weight: Tensor, *more: object) -> Tensor:
        return torch.ops.r3cnn_count.deform_conv(x, weight, *offset.shape[2:])

    def modulated(x: Tensor, offset: Tensor, _: Tensor, weight: Tensor, *more: object) -> Tensor:
        return deform_conv(x, offset, weight)

    with (
        mock.patch.object(mmcv.ops.RoIAlign, "forward", roi_align),
        mock.patch.object(SingleRoIExtractor, "forward", one_level),
        mock.patch.object(mmcv.ops.deform_conv, "deform_conv2d", deform_conv),
        mock.patch.object(mmcv.ops.modulated_deform_conv, "modulated_deform_conv2d", modulated),
    ):
        yield
