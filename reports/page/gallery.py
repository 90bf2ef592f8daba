"""The loop at work: what Mask R-CNN and each loop of R3-CNN find in some validation images."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json
from r3cnn.core.layout import NAMES, RunFolder, gallery_of

from ..results.load import Results
from ..results.setting import paper_command

MODELS = (
    ("mask_1x", "Mask R-CNN"),
    ("r3_naive_inc", "R3-CNN (naive)"),
    ("r3_advanced", "R3-CNN (advanced)"),
)
LABELLED_FROM = 0.5  # a lower IoU is no match, and its label would cover the others


@dataclass(frozen=True)
class Shape:
    """A box and an outline as SVG draws them; colour: a number that its class keeps in an image."""

    title: str
    label: str
    box: tuple[float, float, float, float]
    path: str
    colour: int


@dataclass(frozen=True)
class View:
    """One image as one model sees it after some loops; box_iou, mask_iou: the mean over objects."""

    title: str
    shapes: tuple[Shape, ...]
    box_iou: float | None
    mask_iou: float | None
    rows: tuple[tuple[str, float, float], ...]

    @property
    def summary(self) -> str:
        """The mean IoUs in words."""
        if self.box_iou is None:
            return "no objects"
        return f"IoU of boxes {self.box_iou:.2f}, of masks {self.mask_iou:.2f}"


@dataclass(frozen=True)
class Picture:
    """A validation image, its objects, and the views of it."""

    image_id: int
    width: int
    height: int
    jpeg: str
    truth: tuple[Shape, ...]
    views: tuple[View, ...]
    classes: tuple[tuple[str, int], ...]  # (name, colour), of all that is drawn


@dataclass(frozen=True)
class Gallery:
    """All pictures; missing: (model, command) of those that have none yet."""

    pictures: tuple[Picture, ...]
    missing: tuple[tuple[str, str], ...]


def load_gallery(results: Results) -> Gallery:
    """All pictures of the models in MODELS, grouped by image. Raises: UserError."""
    found: dict[str, dict[str, Any]] = {}
    missing = []
    for training, title in MODELS:
        paths = RunFolder(results.folder).galleries(training)
        if paths:
            found[title] = _checked(paths[0])
        else:
            name = gallery_of(NAMES.predictions(training, 0)).as_posix()
            missing.append((title, paper_command(results, name)))
    by_id: dict[int, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {}
    for title, content in found.items():
        for picture in content["pictures"]:
            by_id.setdefault(picture["image_id"], []).append((title, content, picture))
    pictures = tuple(_picture(entries) for entries in by_id.values())
    return Gallery(pictures, tuple(missing))


def _checked(path: Path) -> dict[str, Any]:
    content = read_json(path)
    names = {"image_id", "width", "height", "jpeg", "objects", "loops"}
    pictures = content.get("pictures")
    if not isinstance(pictures, list) or not all(
        isinstance(picture, dict) and names <= picture.keys() for picture in pictures
    ):
        raise UserError(f"{path}: pictures: not as `predict` writes them; predict again")
    return content


def _picture(entries: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> Picture:
    first = entries[0][2]
    classes = sorted({item["class"] for _, _, picture in entries for item in _items(picture)})
    colours = {name: number % 6 for number, name in enumerate(classes)}
    views = []
    for title, content, picture in entries:
        loops = sorted(picture["loops"], key=int)
        trained = content.get("loops_trained") or len(loops)
        shown = [n for n in loops if int(n) <= trained] or loops
        views += [
            _view(f"{title}, loop {n}" if len(loops) > 1 else title, picture, n, colours)
            for n in shown
        ]
    truth = tuple(_shape(item, colours, item["class"], "") for item in first["objects"])
    return Picture(
        first["image_id"],
        first["width"],
        first["height"],
        first["jpeg"],
        truth,
        tuple(views),
        tuple(colours.items()),
    )


def _items(picture: dict[str, Any]) -> list[dict[str, Any]]:
    found = [item for loop in picture["loops"].values() for item in loop["detections"]]
    return [*picture["objects"], *found]


def _view(title: str, picture: dict[str, Any], loops: str, colours: dict[str, int]) -> View:
    after = picture["loops"][loops]
    shapes = []
    for item in after["detections"]:
        ious = f"IoU of box {item['box_iou']:.2f}, of mask {item['mask_iou']:.2f}"
        label = f"{item['box_iou']:.2f}" if item["box_iou"] >= LABELLED_FROM else ""
        shapes.append(
            _shape(item, colours, f"{item['class']}, score {item['score']:.2f}, {ious}", label)
        )
    boxes, masks = after["box_iou"], after["mask_iou"]
    names = [item["class"] for item in picture["objects"]]
    return View(
        title,
        tuple(shapes),
        fmean(boxes) if boxes else None,
        fmean(masks) if masks else None,
        tuple(zip(names, boxes, masks, strict=True)),
    )


def _shape(item: dict[str, Any], colours: dict[str, int], title: str, label: str) -> Shape:
    rings = []
    for ring in item["outline"]:
        points = [f"{x:g} {y:g}" for x, y in zip(ring[::2], ring[1::2], strict=True)]
        rings.append(f"M{'L'.join(points)}Z")
    return Shape(title, label, tuple(item["box"]), "".join(rings), colours[item["class"]])
