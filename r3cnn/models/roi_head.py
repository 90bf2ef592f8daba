"""The recursive loop of R3-CNN: one box head and one mask head, run several times; or a few of each.

Shapes: N images, P proposals of an image, R RoIs of the batch, C channels of a RoI's features,
K classes, L loops. A RoI is (image index, x1, y1, x2, y2) in pixels of the network's input.
Losses are named s0.*, s1.*, ... by loop, as HTC names its stages.
"""

from collections.abc import Sequence

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.utils import empty_instances, unpack_gt_instances
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .loop_heads import build_heads, head_of_loop, heads_of_loops, loop_signals

Features = tuple[Tensor, ...]


@MODELS.register_module()
class R3RoIHead(StandardRoIHead):
    """R3-CNN's RoI head: pooler -> box head -> refine and sample again -> mask head, looped.

    Loop i runs box head and mask head `heads[i]`. An evaluation of L_e loops takes the boxes of loop L_e and
    runs the mask heads of its first L_e loops in this order, each given the features of the one before
    (`mask_flow`), whether that was another head or the same; their masks are averaged. In training loop i's
    mask head sees zeros instead, or (`mask_flow_in_training`) the features handed through the mask heads of
    loops 0..i-1, as in HTC.

    iou_thresholds: u_t of the training loops; their number is L_t (section 3.1; table 3).
    loop_weights: of each loop's losses.
    loops: L_e, loops in evaluation; L_t unless given (table 2).
    mask_flow_in_training: hand the mask head's features from loop to loop in training too, as HTC does;
        the authors' code does so in evaluation only.
    mask_flow: hand them on in evaluation.
    mask_iou_head: config of the Mask-IoU branch; trained and run after the last loop (section 3.2).
    shuffle_thresholds: give the loops of each training pass the thresholds in a new random order, a
        control that neither the paper nor its code has.
    heads: the head of each loop, such as [0, 0, 1]; one head for all unless given. Loops beyond the list run
        its last head. With several, `bbox_head` and `mask_head` are one config for all or one for each.
    mask_loop: run the mask head in every loop; otherwise once, after the last loop, in training too, and
        there is one mask head.
    loop_signal: tell the heads their loop. `shift`: a learned shift of the box and mask features by loop;
        `scale_and_shift`: a learned scale and shift of the box features by loop.
    """

    def __init__(
        self,
        iou_thresholds: Sequence[float],
        loop_weights: Sequence[float],
        loops: int | None = None,
        mask_flow_in_training: bool = False,
        mask_flow: bool = True,
        mask_iou_head: dict | None = None,
        shuffle_thresholds: bool = False,
        heads: Sequence[int] | None = None,
        mask_loop: bool = True,
        loop_signal: str | None = None,
        **kwargs,
    ) -> None:
        if len(loop_weights) < len(iou_thresholds):
            raise ValueError(
                f"loop_weights: {len(loop_weights)} weights for {len(iou_thresholds)} IoU thresholds; "
                "give one weight for each loop"
            )
        if loops is not None and loops < 1:
            raise ValueError(f"loops: {loops}; expected 1 or more, or nothing for L_t")
        self.iou_thresholds = list(iou_thresholds)
        self.loop_weights = list(loop_weights)
        self.loops = len(self.iou_thresholds) if loops is None else loops
        self.mask_flow_in_training = mask_flow_in_training
        self.mask_flow = mask_flow
        self.shuffle_thresholds = shuffle_thresholds
        self.heads = heads_of_loops(heads, len(self.iou_thresholds))
        self.mask_loop = mask_loop
        self.pass_key: int | None = None  # what the order of thresholds is drawn from; see draws.py
        super().__init__(**kwargs)
        self.mask_iou_head = MODELS.build(mask_iou_head) if mask_iou_head else None
        self.bbox_signal, self.mask_signal = loop_signals(
            loop_signal,
            len(self.iou_thresholds),
            self.bbox_roi_extractor.out_channels,
            self.mask_roi_extractor.out_channels,
        )

    def init_bbox_head(self, bbox_roi_extractor: dict, bbox_head: dict | list[dict]) -> None:
        """The pooler and the box heads."""
        self.bbox_roi_extractor = MODELS.build(bbox_roi_extractor)
        self.bbox_head = build_heads(bbox_head, max(self.heads) + 1, "bbox_head")

    def init_mask_head(self, mask_roi_extractor: dict | None, mask_head: dict | list[dict]) -> None:
        """The mask pooler (that of the box heads if none is given) and the mask heads: as many as box heads,
        or a single one that does not loop."""
        self.share_roi_extractor = mask_roi_extractor is None
        own = self.bbox_roi_extractor if mask_roi_extractor is None else None
        self.mask_roi_extractor = own or MODELS.build(mask_roi_extractor)
        count = max(self.heads) + 1 if self.mask_loop else 1
        self.mask_head = build_heads(mask_head, count, "mask_head")

    def _box_head(self, loop: int) -> nn.Module:
        return head_of_loop(self.bbox_head, self.heads, loop)

    def _mask_head(self, loop: int) -> nn.Module:
        return head_of_loop(self.mask_head, self.heads, loop)

    def init_assigner_sampler(self) -> None:
        """One assigner and one sampler for each training loop; they differ in the IoU threshold only."""
        self.bbox_assigner, self.bbox_sampler = [], []
        if self.train_cfg is None:
            return
        for u in self.iou_thresholds:
            assigner = dict(self.train_cfg.assigner, pos_iou_thr=u, neg_iou_thr=u, min_pos_iou=u)
            self.bbox_assigner.append(TASK_UTILS.build(assigner))
            self.bbox_sampler.append(
                TASK_UTILS.build(self.train_cfg.sampler, default_args={"context": self})
            )

    # ------------------------------------------------------------------ training

    def loss(
        self, x: Features, rpn_results_list: list[InstanceData], batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of all loops. x: the neck's feature maps; proposals (P, 4) of each image."""
        truth, ignored, metas = unpack_gt_instances(batch_data_samples)
        proposals = [InstanceData(priors=res.bboxes) for res in rpn_results_list]
        losses = {}
        order = self._order_of_thresholds()
        for loop, weight in enumerate(self.loop_weights[: len(self.iou_thresholds)]):
            samples = self._assign_and_sample(loop, order[loop], proposals, truth, ignored)
            boxes = self._bbox_loss_of_loop(loop, x, samples)
            # the refined boxes are sampled again for the mask head, and are the next loop's proposals
            proposals = self._refine_samples(loop, samples, boxes, metas)
            samples = self._assign_and_sample(loop, order[loop], proposals, truth, ignored)
            masks = {"loss_mask": {}}
            if self.mask_loop or loop == len(self.iou_thresholds) - 1:
                masks = self._mask_loss_of_loop(loop, x, samples, truth)
            for name, value in {**boxes["loss_bbox"], **masks["loss_mask"]}.items():
                losses[f"s{loop}.{name}"] = value * weight if "loss" in name else value
        if self.mask_iou_head is not None:
            losses.update(self._mask_iou_loss(masks, samples, truth))
        return losses

    def _order_of_thresholds(self) -> list[int]:
        """Which threshold each loop of this pass takes: its own, unless they are shuffled."""
        count = len(self.iou_thresholds)
        if not self.shuffle_thresholds:
            return list(range(count))
        drawn_from = None
        if self.pass_key is not None:
            drawn_from = torch.Generator().manual_seed(self.pass_key)
        return torch.randperm(count, generator=drawn_from).tolist()

    def _assign_and_sample(
        self,
        loop: int,
        threshold: int,
        proposals: list[InstanceData],
        truth: list[InstanceData],
        ignored: list[InstanceData],
    ) -> list[SamplingResult]:
        """Positives and negatives of each image, at the IoU threshold of this number."""
        assigner, sampler = self.bbox_assigner[threshold], self.bbox_sampler[loop]
        return [
            sampler.sample(assigner.assign(boxes, gt, ignore), boxes, gt)
            for boxes, gt, ignore in zip(proposals, truth, ignored, strict=True)
        ]

    def _bbox_loss_of_loop(self, loop: int, x: Features, samples: list[SamplingResult]) -> dict:
        """Box losses of the sampled boxes; also class scores (R, K + 1) and deltas (R, 4)."""
        rois = bbox2roi([sample.priors for sample in samples])
        results = self._bbox_forward(loop, x, rois)
        head = self._box_head(loop)
        scores, deltas = results["cls_score"], results["bbox_pred"]
        return {**results, **head.loss_and_target(scores, deltas, rois, samples, self.train_cfg)}

    def _bbox_forward(self, loop: int, x: Features, rois: Tensor) -> dict[str, Tensor]:
        """Class scores (R, K + 1) and box deltas (R, 4) of RoIs by the loop's head."""
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        if self.bbox_signal is not None:
            features = self.bbox_signal(features, loop)
        scores, deltas = self._box_head(loop)(features)
        return {"cls_score": scores, "bbox_pred": deltas}

    @torch.no_grad()
    def _refine_samples(
        self, loop: int, samples: list[SamplingResult], results: dict, metas: list[dict]
    ) -> list[InstanceData]:
        """The sampled boxes (R, 4) after regression, without the ground truth that sampling added."""
        counts = [len(sample.priors) for sample in samples]
        rois = bbox2roi([sample.priors for sample in samples])
        refined = self._regress(loop, rois, results, counts, metas)
        proposals = []
        for boxes, sample in zip(refined, samples, strict=True):
            is_truth = torch.cat(
                (sample.pos_is_gt, sample.pos_is_gt.new_zeros(len(sample.neg_inds)))
            )
            proposals.append(InstanceData(priors=boxes[is_truth == 0]))
        return proposals

    def _regress(
        self, loop: int, rois: Tensor, results: dict, counts: Sequence[int], metas: list[dict]
    ) -> list[Tensor]:
        """The boxes of each image moved by the predicted deltas and clipped to the image."""
        labels = results["cls_score"][:, :-1].argmax(1)
        refined = []
        for boxes, label, deltas, meta in zip(
            rois[:, 1:].split(counts),
            labels.split(counts),
            results["bbox_pred"].split(counts),
            metas,
            strict=True,
        ):
            refined.append(self._box_head(loop).regress_by_class(boxes, label, deltas, meta))
        return refined

    def _mask_loss_of_loop(
        self, loop: int, x: Features, samples: list[SamplingResult], truth: list[InstanceData]
    ) -> dict:
        """Mask loss on the positives; also the mask features (R, C, 14, 14), logits and targets."""
        rois = bbox2roi([sample.pos_priors for sample in samples])
        mask_feats = self._pool_mask_features(x, rois)
        earlier = None
        if self.mask_flow_in_training and self.mask_loop:
            for i in range(loop):
                given = self._with_mask_signal(mask_feats, i)
                earlier = self._mask_head(i)(given, earlier, return_logits=False)
        head = self._mask_head(loop)
        logits = head(self._with_mask_signal(mask_feats, loop), earlier, return_feat=False)
        results = head.loss_and_target(logits, samples, truth, self.train_cfg)
        return {"mask_feats": mask_feats, "mask_preds": logits, **results}

    def _with_mask_signal(self, mask_feats: Tensor, loop: int) -> Tensor:
        return mask_feats if self.mask_signal is None else self.mask_signal(mask_feats, loop)

    def _mask_iou_loss(
        self, masks: dict, samples: list[SamplingResult], truth: list[InstanceData]
    ) -> dict[str, Tensor]:
        """Loss of the Mask-IoU branch after the last loop; its gradient reaches the mask head."""
        labels = torch.cat([sample.pos_gt_labels for sample in samples])
        rows = torch.arange(len(labels), device=labels.device)
        mask = masks["mask_preds"][rows, labels]
        predicted = self.mask_iou_head(masks["mask_feats"], mask)[rows, labels]
        return self.mask_iou_head.loss_and_target(
            predicted, mask, masks["mask_targets"], samples, truth, self.train_cfg
        )

    def _pool_mask_features(self, x: Features, rois: Tensor) -> Tensor:
        return self.mask_roi_extractor(x[: self.mask_roi_extractor.num_inputs], rois)

    # ---------------------------------------------------------------- evaluation

    def predict(
        self,
        x: Features,
        rpn_results_list: list[InstanceData],
        batch_data_samples: SampleList,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detections of each image after `self.loops` loops."""
        found = self.predict_loops(x, rpn_results_list, batch_data_samples, [self.loops], rescale)
        return found[self.loops]

    def predict_loops(
        self,
        x: Features,
        rpn_results_list: list[InstanceData],
        batch_data_samples: SampleList,
        loops: Sequence[int],
        rescale: bool = False,
    ) -> dict[int, list[InstanceData]]:
        """Detections for each L_e in `loops`: {L_e: one InstanceData an image}.

        The box loops run once, max(loops) times over; an L_e averages the class logits of its first L_e
        loops and takes the boxes of loop L_e, so each result is that of a run of its own.
        InstanceData: bboxes (n, 4), scores, labels, masks (n, H, W); with a Mask-IoU branch also
        mask_scores = scores x predicted IoU.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        counts = [len(res.bboxes) for res in rpn_results_list]
        rois = bbox2roi([res.bboxes for res in rpn_results_list])
        if len(rois) == 0:
            return {n: self._nothing_found(metas, rois.device) for n in loops}
        found, logits = {}, []
        for loop in range(1, max(loops) + 1):
            results = self._bbox_forward(loop - 1, x, rois)
            logits.append(results["cls_score"])
            if loop in loops:
                boxes = self._box_head(loop - 1).predict_by_feat(
                    rois=rois.split(counts),
                    cls_scores=(sum(logits) / len(logits)).split(counts),
                    bbox_preds=results["bbox_pred"].split(counts),
                    batch_img_metas=metas,
                    rescale=False,  # the mask head rescales boxes and masks together
                    rcnn_test_cfg=self.test_cfg,
                )
                found[loop] = self._predict_masks(x, boxes, metas, loop, rescale)
            if loop < max(loops):
                rois = bbox2roi(self._regress(loop - 1, rois, results, counts, metas))
        return found

    def _nothing_found(self, metas: list[dict], device: torch.device) -> list[InstanceData]:
        boxes = empty_instances(metas, device, task_type="bbox")
        return self._empty_masks(boxes, metas, device)

    def _empty_masks(
        self, boxes: list[InstanceData], metas: list[dict], device: torch.device
    ) -> list[InstanceData]:
        found = empty_instances(metas, device, task_type="mask", instance_results=boxes)
        if self.mask_iou_head is not None:
            for res in found:
                res.mask_scores = res.scores
        return found

    def _predict_masks(
        self,
        x: Features,
        boxes: list[InstanceData],
        metas: list[dict],
        loops: int,
        rescale: bool,
    ) -> list[InstanceData]:
        """Masks at the final boxes: the mean of `loops` passes, each given the features of the one before.

        Without a mask loop one pass, by the last loop.
        """
        counts = [len(res.bboxes) for res in boxes]
        rois = bbox2roi([res.bboxes for res in boxes])
        if len(rois) == 0:
            return self._empty_masks(boxes, metas, rois.device)
        mask_feats = self._pool_mask_features(x, rois)
        probabilities, features = 0, None
        passes = range(loops) if self.mask_loop else [loops - 1]
        for loop in passes:
            given = self._with_mask_signal(mask_feats, loop)
            logits, features = self._mask_head(loop)(given, features if self.mask_flow else None)
            probabilities = probabilities + logits.sigmoid()
        if self.mask_iou_head is not None:
            self._score_masks(boxes, mask_feats, logits)
        return self._mask_head(loops - 1).predict_by_feat(
            mask_preds=(probabilities / len(passes)).split(counts),
            results_list=boxes,
            batch_img_metas=metas,
            rcnn_test_cfg=self.test_cfg,
            rescale=rescale,
            activate_map=True,
        )

    def _score_masks(self, boxes: list[InstanceData], mask_feats: Tensor, logits: Tensor) -> None:
        """Adds mask_scores from the last loop's mask (not the mean), not clamped: may be negative."""
        labels = torch.cat([res.labels for res in boxes])
        rows = torch.arange(len(labels), device=labels.device)
        iou = self.mask_iou_head(mask_feats, logits[rows, labels])[rows, labels]
        for res, predicted in zip(boxes, iou.split([len(res) for res in boxes]), strict=True):
            res.mask_scores = res.scores * predicted
