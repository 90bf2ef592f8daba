"""Run a trained model on a user's own images: each is drawn, with a JSON file of its detections.

Pictures are read, predicted and written one by one: memory holds one, however many there are.
"""

import copy
import dataclasses
import logging
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as rle
from torch import nn

from ..core.errors import UserError
from ..core.files import replacing, sha256_of, write_json
from ..core.progress import Progress
from ..data.loading import collate
from ..evaluation.predict import loops_allowed, predict_batch
from ..weights.loading import load_detector
from ..weights.trained import classes_of, load_of
from . import overlay, pictures
from .overlay import Found

log = logging.getLogger(__name__)
THRESHOLD = 0.3
SAME_OBJECT = 0.3  # IoU of an object's boxes after two loops
LARGEST = 16_000_000  # pixels that masks are computed for; larger pictures are reduced before
QUALITY = 90
NOT_FOR_PICTURES = {"LoadImageFromFile", "LoadCheckedImage", "LoadAnnotations"}


def show(
    given: Sequence[Path],
    checkpoint: Path,
    out: Path,
    config: Path | None = None,
    loops: int | None = None,
    every_loop: bool = False,
    threshold: float = THRESHOLD,
) -> None:
    """Draw pictures and folders of them into `out`, with the detections that score `threshold` or more.

    loops: L_e, that of the training unless given; every_loop: a panel for each loop up to L_e.
    Raises UserError at the end, after all others are done, where some could not be read.
    """
    warnings.filterwarnings("ignore", "To copy construct", UserWarning)  # mmdet's own, per image
    cfg = load_of(checkpoint, config)
    wanted = pictures.find(given, out)
    viewer = Viewer(cfg, checkpoint, loops, every_loop, threshold)
    progress, bad, empty = Progress(len(wanted)), [], 0
    for done, (source, name) in enumerate(wanted, 1):
        try:
            empty += not viewer.look(source, name)
        except UserError as error:
            log.error("%s", error)
            bad.append(str(source))
        except (MemoryError, cv2.error, torch.OutOfMemoryError) as error:
            log.error("%s: too large for the memory (%s)", source, " ".join(str(error).split()))
            bad.append(str(source))
        progress.say(done)
    log.info("%s: %d images drawn", out, len(wanted) - len(bad))
    if empty:
        log.info("nothing scores %g or more in %d of them; see --threshold", threshold, empty)
    if bad:
        others = "; the others are done" if len(bad) < len(wanted) else ""
        named = ", ".join(bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise UserError(
            f"{len(bad)} of {len(wanted)} images could not be drawn: {named}; see the errors above"
            + others
        )


class Viewer:
    """A detector that is ready for single pictures."""

    def __init__(
        self,
        cfg: Config,
        checkpoint: Path,
        loops: int | None = None,
        every_loop: bool = False,
        threshold: float = THRESHOLD,
    ) -> None:
        cfg = copy.deepcopy(cfg)
        test = cfg.model.test_cfg.rcnn
        test.score_thr = max(threshold, test.score_thr)  # what is not drawn needs no mask
        self.detector = load_detector(cfg, checkpoint)
        self.loops = _loops(self.detector, loops, every_loop)
        self.every_loop = every_loop
        self.classes = classes_of(cfg)
        init_default_scope("mmdet")
        steps = cfg.test_dataloader.dataset.pipeline
        self.pipeline = Compose([step for step in steps if step.type not in NOT_FOR_PICTURES])
        self.facts = {
            "training": cfg.r3cnn.training,
            "scale": cfg.r3cnn.scale,
            "seed": cfg.r3cnn.seed,
            "loops_trained": cfg.r3cnn.loops_trained,
            "checkpoint": str(checkpoint),
            "checkpoint_sha256": sha256_of(checkpoint),
            "threshold": test.score_thr,
        }

    def look(self, source: Path, name: Path) -> int:
        """Draw one image; returns how many detections the last loop has. Raises UserError for a bad one."""
        picture = pictures.read(source)
        found = self.find(picture, source)
        image = overlay.panels(picture, found) if self.every_loop else overlay.draw(
            picture, found[self.loops[-1]]
        )  # fmt: skip
        _save(image, pictures.drawn(name))
        height, width = picture.shape[:2]
        items = [_as_json(item) for of_loop in found.values() for item in of_loop]
        content = {"image": str(source), "width": width, "height": height, **self.facts}
        write_json(pictures.beside(name), {**content, "loops": self.loops, "detections": items})
        return len(found[self.loops[-1]])

    def find(self, picture: np.ndarray, source: Path) -> dict[int, list[Found]]:
        """Detections {L_e: best score first} in the pixels of the picture (H, W, 3; RGB)."""
        reduced = _reduced(picture)
        data = self._prepared(reduced, source)
        found = predict_batch(self.detector, data, self.loops)
        by_loop = {n: self._described(n, found[n][0], picture.shape) for n in self.loops}
        return _followed(by_loop) if self.every_loop else by_loop

    def _prepared(self, picture: np.ndarray, source: Path) -> dict[str, list]:
        """A batch of one, as the model's own test pipeline makes it."""
        shape = picture.shape[:2]
        sample = {
            "img": np.ascontiguousarray(picture[..., ::-1]),
            "img_shape": shape,
            "ori_shape": shape,
            "img_id": 0,
            "img_path": str(source),
        }
        try:
            return collate([self.pipeline(sample)])
        except cv2.error as error:
            raise UserError(
                f"{source}: {shape[1]} x {shape[0]} pixels: too elongated, its short side would shrink to "
                "nothing at the network's size; cut it into pieces"
            ) from error

    def _described(self, loop: int, found: InstanceData, shape: tuple[int, ...]) -> list[Found]:
        boxes, scores = found.bboxes.cpu().numpy(), found.scores.cpu()
        mask_scores = (found.mask_scores if "mask_scores" in found else found.scores).tolist()
        items = []
        for i in torch.argsort(scores, descending=True, stable=True).tolist():
            mask = found.masks[i].cpu().numpy().astype(np.uint8)
            scale = np.array([shape[1] / mask.shape[1], shape[0] / mask.shape[0]] * 2)
            x0, y0, x1, y1 = (boxes[i] * scale).tolist()
            if mask.shape != shape[:2]:
                mask = cv2.resize(mask, shape[1::-1], interpolation=cv2.INTER_NEAREST)
            code = rle.encode(np.asfortranarray(mask))
            box = (x0, y0, x1 - x0, y1 - y0)
            name = self.classes[found.labels[i]]
            items.append(Found(loop, name, scores[i].item(), mask_scores[i], box, code))
        return items


def _loops(detector: nn.Module, asked: int | None, every_loop: bool) -> list[int]:
    """Every L_e to predict."""
    head = detector.roi_head
    if every_loop and not hasattr(head, "predict_loops"):
        raise UserError(
            "--every-loop: this model does not loop, or shows its last stage only; leave it out"
        )
    loops = asked or getattr(head, "loops", None) or getattr(head, "num_stages", 1)
    loops_allowed(detector, [loops])
    return list(range(1, loops + 1)) if every_loop else [loops]


def _reduced(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    factor = math.sqrt(LARGEST / (height * width))
    if factor >= 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _followed(found: dict[int, list[Found]]) -> dict[int, list[Found]]:
    """The same detections with a number each that follows an object from loop to loop.

    Between two loops a detection is the one of its class with the best IoU of the boxes, from SAME_OBJECT
    up; each has one at most. Loops and NMS give no other link between them.
    """
    followed: dict[int, list[Found]] = {}
    before: list[Found] = []
    fresh = 0
    for loop, items in found.items():
        links = _links(before, items)
        tracks = []
        for i in range(len(items)):
            tracks.append(before[links[i]].track if i in links else fresh)
            fresh += i not in links
        pairs = zip(items, tracks, strict=True)
        before = [dataclasses.replace(item, track=track) for item, track in pairs]
        followed[loop] = before
    return followed


def _links(before: Sequence[Found], after: Sequence[Found]) -> dict[int, int]:
    """Index in `after` -> index in `before` of what is taken for the same object."""
    if not before or not after:
        return {}
    boxes = [np.array([item.box for item in items], dtype=float) for items in (after, before)]
    iou = rle.iou(*boxes, [0] * len(before))
    same = np.array([[a.name == b.name for b in before] for a in after])
    iou = np.where(same, iou, 0)
    links: dict[int, int] = {}
    for place in np.argsort(-iou, axis=None, kind="stable"):
        i, j = np.unravel_index(place, iou.shape)
        if iou[i, j] < SAME_OBJECT:
            break
        if i not in links and j not in links.values():
            links[int(i)] = int(j)
    return links


def _as_json(item: Found) -> dict[str, object]:
    found = {
        "loop": item.loop,
        "class": item.name,
        "score": item.score,
        "mask_score": item.mask_score,
        "box": list(item.box),
        "mask": {**item.mask, "counts": item.mask["counts"].decode("ascii")},
    }
    return found if item.track is None else {**found, "track": item.track}


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        image.save(temporary, "JPEG", quality=QUALITY)
