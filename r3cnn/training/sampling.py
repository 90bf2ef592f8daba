"""Random draws that depend on (seed, epoch, image, loop) alone, and the counts of the drawn samples.

Not on the process, the loader's workers, the rank or what was drawn before; so a training that was
stopped anywhere goes on as if it had not been.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..core.seeding import key
from .iou_histogram import IoUHistogram


class SamplerTap:
    """Stands before a sampler's `sample`: seeds its draw, and counts the IoUs of what it drew.

    A sampler is called once an image, in the images' order, and once more an image where the loop samples
    again after its refinement; so the number of the call tells image and assignment.
    """

    def __init__(
        self, name: str, loop: int, sampler: object, taps: "SamplerTaps", counted: bool
    ) -> None:
        self.name, self.loop, self.taps, self.counted = name, loop, taps, counted
        self.sample = sampler.sample
        self.calls = 0
        sampler.sample = self

    def __call__(self, assign_result, *args, **kwargs):
        assignment, image = divmod(self.calls, len(self.taps.image_ids))
        self.calls += 1
        draw = (self.taps.seed, self.taps.epoch, self.taps.image_ids[image])
        torch.default_generator.manual_seed(key(*draw, self.name, self.loop, assignment))
        candidates = assign_result.max_overlaps
        result = self.sample(assign_result, *args, **kwargs)
        if self.counted:
            # sampling has put ground truth in front of the overlaps; the indices count from there
            self.taps.histogram.add_sampling(
                self.loop,
                assignment,
                candidates,
                assign_result.max_overlaps,
                result.pos_inds,
                result.neg_inds,
            )
        return result


class SamplerTaps:
    """The taps on all samplers of a detector: the RPN's, and one for each loop or stage."""

    def __init__(self, detector: nn.Module, seed: int) -> None:
        self.seed, self.epoch, self.image_ids = seed, 0, ()
        self.roi_head = detector.roi_head
        samplers = detector.roi_head.bbox_sampler
        loops = samplers if isinstance(samplers, list) else [samplers]
        # a model that loops samples again after each refinement, Mask R-CNN samples once
        assignments = 2 if isinstance(samplers, list) else 1
        self.histogram = IoUHistogram(len(loops), assignments, next(detector.parameters()).device)
        self.taps = [SamplerTap("rpn", 0, detector.rpn_head.sampler, self, counted=False)]
        self.taps += [SamplerTap("roi", i, s, self, counted=True) for i, s in enumerate(loops)]

    def begin(self, epoch: int, image_ids: Sequence[int]) -> None:
        """Say which images the next forward pass trains on."""
        self.epoch, self.image_ids = epoch, tuple(image_ids)
        for tap in self.taps:
            tap.calls = 0
        if getattr(self.roi_head, "shuffle_thresholds", False):
            self.roi_head.pass_key = key(self.seed, epoch, self.image_ids, "thresholds")
