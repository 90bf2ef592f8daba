"""Run a detector on the reference's inputs and write down everything the reference files hold.

A record is {key: array}. A large tensor is kept as its shape, statistics and 64 samples (`summary`).
"""

from collections.abc import Callable

import numpy as np
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tests.parity import inputs

Record = dict[str, np.ndarray]
MASK_HALVES = ("bbox", "mask")  # before and after a loop's refinement


def summary(record: Record, key: str, tensor: Tensor) -> None:
    """Shape, [mean, std, mean of |.|, sum] and 64 values at positions that the size determines."""
    values = tensor.detach().cpu().numpy()
    wide = values.astype(np.float64).ravel()
    record[f"{key}/shape"] = np.array(values.shape)
    record[f"{key}/stats"] = np.array([wide.mean(), wide.std(), np.abs(wide).mean(), wide.sum()])
    positions = np.random.RandomState(wide.size % 2**31).randint(0, wide.size, 64)
    record[f"{key}/val"] = values.ravel()[positions]


def full(record: Record, key: str, value: object) -> None:
    """The whole array."""
    record[key] = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def first_k(_self: RandomSampler, gallery: Tensor, num: int) -> Tensor:
    """In place of the random choice: the first `num` indices, ground truth before proposals."""
    return gallery[:num]


class Calls:
    """Forward hooks that keep inputs and outputs of modules, in the order of the calls."""

    def __init__(self, *modules: nn.Module) -> None:
        self.seen: list[tuple[tuple, object]] = []
        self.handles = [m.register_forward_hook(self._keep) for m in dict.fromkeys(modules)]

    def _keep(self, _module: nn.Module, args: tuple, output: object) -> None:
        self.seen.append((args, output))

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self.handles:
            handle.remove()


def as_list(modules: object) -> list:
    """Heads and samplers stand in a list where a model has several."""
    several = isinstance(modules, list | nn.ModuleList)
    return list(modules) if several else [modules]


def features(detector: nn.Module, record: Record) -> None:
    """Backbone, neck and RPN outputs of image 0, evaluation mode."""
    detector.eval()
    image = inputs.images()[:1]
    for i, x in enumerate(detector.backbone(image)):
        summary(record, f"feat/backbone{i}", x)
    x = detector.extract_feat(image)
    for i, level in enumerate(x):
        summary(record, f"feat/neck{i}", level)
    for i, (scores, deltas) in enumerate(zip(*detector.rpn_head(x), strict=True)):
        summary(record, f"rpn/cls{i}", scores)
        summary(record, f"rpn/reg{i}", deltas)
    found = detector.rpn_head.predict(x, inputs.samples()[:1], rescale=False)[0]
    full(record, "rpn/proposals_top50", torch.cat((found.bboxes, found.scores[:, None]), 1)[:50])


# ------------------------------------------------------------------------------ evaluation


def evaluation(detector: nn.Module, record: Record, score_thr: float) -> None:
    """All that the RoI head computes for image 0 in evaluation, from the 64 given proposals."""
    detector.eval()
    head = detector.roi_head
    head.test_cfg.score_thr = score_thr
    x = detector.extract_feat(inputs.images()[:1])
    sample = inputs.samples()[:1]
    proposals = [InstanceData(bboxes=inputs.proposals()[0])]
    bbox_heads, mask_heads = as_list(head.bbox_head), as_list(head.mask_head)
    decoded = _Watch(bbox_heads[-1], "predict_by_feat")
    pasted = _Watch(mask_heads[-1], "predict_by_feat")
    iou_heads = [head.mask_iou_head] if getattr(head, "mask_iou_head", None) else []
    with (
        decoded,
        pasted,
        Calls(*as_list(head.bbox_roi_extractor)) as pooled,
        Calls(*bbox_heads) as boxes,
        Calls(*as_list(head.mask_roi_extractor)) as mask_pooled,
        Calls(*mask_heads) as masks,
        Calls(*iou_heads) as ious,
    ):
        found = head.predict(x, proposals, sample, rescale=False)[0]
    for i, (((_, rois), feats), (_, (scores, deltas))) in enumerate(
        zip(pooled.seen, boxes.seen, strict=True)
    ):
        full(record, f"test/loop{i}/rois", rois)
        full(record, f"test/loop{i}/cls_score", scores)
        full(record, f"test/loop{i}/bbox_pred", deltas)
        summary(record, f"test/loop{i}/bbox_feats", feats)
    full(record, "test/merged_cls_score", decoded.kwargs["cls_scores"][0])
    full(record, "test/all_bboxes", _all_boxes(bbox_heads[-1], rois, deltas))
    full(record, "test/det_bboxes", torch.cat((found.bboxes, found.scores[:, None]), 1))
    full(record, "test/det_labels", found.labels)
    _record_masks(record, found, mask_pooled, masks)
    merged = pasted.kwargs["mask_preds"][0]
    if not pasted.kwargs.get("activate_map"):
        merged = merged.sigmoid()
    _record_selected(record, "test/merged_masks", merged, found.labels)
    full(record, "test/seg_area", found.masks.sum((1, 2)))
    full(record, "test/num_loops", [len(boxes.seen), len(masks.seen)])
    if iou_heads:
        full(record, "test/mask_iou_pred", ious.seen[0][1])
        full(record, "test/mask_scores", found.mask_scores)


def _all_boxes(bbox_head: nn.Module, rois: Tensor, deltas: Tensor) -> Tensor:
    """The boxes after the last loop, before score filter and NMS; class by class where there are such."""
    shape = (inputs.HEIGHT, inputs.WIDTH)
    classes = deltas.shape[1] // 4
    priors = rois[:, 1:].repeat_interleave(classes, dim=0)
    boxes = bbox_head.bbox_coder.decode(priors, deltas.reshape(-1, 4), max_shape=shape)
    return boxes.reshape(len(rois), classes * 4)


def _record_masks(record: Record, found: InstanceData, pooled: Calls, masks: Calls) -> None:
    (_, rois), feats = pooled.seen[-1]
    full(record, "test/mask_rois", rois)
    summary(record, "test/mask_feats", feats)
    for i, (_, output) in enumerate(masks.seen):
        logits, features_of_loop = output if isinstance(output, list) else (output, None)
        _record_selected(record, f"test/loop{i}/mask_pred", logits, found.labels)
        if features_of_loop is not None:
            summary(record, f"test/loop{i}/last_feat", features_of_loop)


def _record_selected(record: Record, key: str, masks: Tensor, labels: Tensor) -> None:
    """All masks in summary; of each detection's own class the sums, and the first twelve whole."""
    summary(record, key, masks)
    own = masks[torch.arange(len(labels)), labels]
    full(record, f"{key}_sel", own[:12])
    full(record, f"{key}_sel_sum", own.double().sum((1, 2)))


class _Watch:
    """Keeps the keyword arguments of a method's call."""

    def __init__(self, owner: object, name: str) -> None:
        self.owner, self.name, self.kwargs = owner, name, {}

    def __enter__(self) -> None:
        method: Callable = getattr(self.owner, self.name)

        def watched(*args, **kwargs):
            self.kwargs = dict(kwargs)
            return method(*args, **kwargs)

        setattr(self.owner, self.name, watched)

    def __exit__(self, *_error: object) -> None:
        delattr(self.owner, self.name)


# -------------------------------------------------------------------------------- training


class SamplingRecorder:
    """Stands before a sampler and writes down what was assigned and what was drawn."""

    def __init__(self, record: Record, prefix: str, sampler: object, threshold: float) -> None:
        self.record, self.prefix, self.threshold = record, prefix, threshold
        self.sample, self.calls = sampler.sample, 0
        sampler.sample = self

    def __call__(self, assigned, boxes, truth, **kwargs):
        half, image = divmod(self.calls, len(inputs.BOXES))
        self.calls += 1
        key = f"{self.prefix}/{MASK_HALVES[half]}/img{image}"
        put = {"in_boxes": boxes.priors, "iou_all": assigned.max_overlaps, "thr": self.threshold}
        iou = assigned.max_overlaps.numpy()
        put["thr_margin"] = float(np.abs(iou.astype(np.float64) - self.threshold).min())
        result = self.sample(assigned, boxes, truth, **kwargs)
        overlaps = assigned.max_overlaps
        positives, negatives = overlaps[result.pos_inds], overlaps[result.neg_inds]
        sampled = torch.cat((positives, negatives))
        put |= {
            "iou_sampled": sampled,
            "pos_bboxes": result.pos_priors,
            "pos_gt_inds": result.pos_assigned_gt_inds,
            "pos_is_gt": result.pos_is_gt,
            "num_pos_neg": [len(positives), len(negatives)],
            "hist_sampled": np.histogram(sampled.numpy(), 20, (0, 1))[0],
            "hist_sampled_pos": np.histogram(positives.numpy(), 20, (0, 1))[0],
            "hist_authors": np.histogram(iou, np.arange(20) * 0.05)[0],
        }
        for name, value in put.items():
            full(self.record, f"{key}/{name}", value)
        return result


def training(detector: nn.Module, record: Record, samples: int) -> None:
    """Losses, gradients and every sampling of the RoI head, both images, `samples` RoIs asked for."""
    key = f"train{samples}"
    detector.train()
    detector.zero_grad()
    head = detector.roi_head
    head.init_assigner_sampler()
    if not isinstance(head.bbox_sampler, list):
        head.bbox_sampler.num = samples
    loops = zip(as_list(head.bbox_assigner), as_list(head.bbox_sampler), strict=True)
    for i, (assigner, sampler) in enumerate(loops):
        sampler.num = samples
        SamplingRecorder(record, f"{key}/loop{i}", sampler, assigner.pos_iou_thr)
    x = detector.extract_feat(inputs.images())
    for i, level in enumerate(x):
        summary(record, f"{key}/feat/neck{i}", level)
        level.retain_grad()
    proposals = [InstanceData(bboxes=boxes) for boxes in inputs.proposals()]
    losses = head.loss(x, proposals, inputs.samples())
    for name, value in losses.items():
        full(record, f"{key}/loss/{name}", value.squeeze())
    total = sum(value.sum() for name, value in losses.items() if "loss" in name)
    total.backward()
    full(record, f"{key}/loss_total", total)
    for i, level in enumerate(x):
        if level.grad is not None:
            summary(record, f"{key}/featgrad/neck{i}", level.grad)


def gradients(detector: nn.Module, record: Record, key: str, rename: Callable[[str], str]) -> None:
    """Gradient norms of every parameter (-1 without a gradient) and of the submodules."""
    norms = {
        rename(name): -1.0 if p.grad is None else float(p.grad.double().norm())
        for name, p in detector.named_parameters()
    }
    full(record, f"{key}/grad/names", list(norms))
    full(record, f"{key}/grad/norms", list(norms.values()))


def gradient_norm(module: nn.Module) -> float:
    """Norm of all gradients of a module."""
    squares = [
        float(p.grad.double().norm()) ** 2 for p in module.parameters() if p.grad is not None
    ]
    return sum(squares) ** 0.5


def rpn_training(detector: nn.Module, record: Record) -> None:
    """The RPN's losses of each level and its gradient norm, both images."""
    detector.train()
    detector.zero_grad()
    samples = inputs.samples()
    for sample in samples:
        sample.gt_instances.labels.zero_()  # an RPN knows one class
    losses = detector.rpn_head.loss(detector.extract_feat(inputs.images()), samples)
    for name, values in losses.items():
        full(record, f"rpn_train/loss/{name}", torch.stack(list(values)).squeeze())
    sum(sum(values) for values in losses.values()).backward()
    full(record, "rpn_train/gradnorm/rpn_head", gradient_norm(detector.rpn_head))
