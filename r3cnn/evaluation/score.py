"""Score predictions: COCO's twelve metrics of boxes and of masks, and their spread over images."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import UserError
from ..core.files import write_json
from ..core.layout import resamples_of
from ..core.records import KINDS
from ..core.source_hash import source_hash
from ..data.annotations import read as read_annotations
from .bootstrap import draw, resampled_metrics, write_resamples
from .matching import matches
from .metrics import hotcoco_metrics, pycocotools_metrics, require_equal
from .predictions import read_predictions

log = logging.getLogger(__name__)
CHECKED_SCALE = "paper"  # where pycocotools scores too,
CHECKED_IMAGES = (
    1000  # so many images at most: all of COCO's would take three minutes of each score
)


def score(predictions: Path, loops: int, annotations: Path, out: Path) -> None:
    """Write the metrics of one L_e (0 to 1; null where there is no such object) and their provenance.

    Beside `out` stands <out's stem>.bootstrap.parquet: the same metrics on resampled images.
    """
    table, facts = read_predictions(predictions, loops)
    content, checksum = read_annotations(annotations, whole=True)
    made_for = (facts.get("data") or {}).get("val_sha256")
    if made_for and made_for != checksum:
        raise UserError(
            f"{annotations}: sha256 {checksum[:12]}..., but {predictions} was made for {made_for[:12]}...; "
            "score it against the annotations it was made for, or predict again"
        )
    images = len({one["id"] for one in content["images"]})
    weights, resampled, checked = draw(images), {}, {}
    result = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    for kind in KINDS:
        result[kind] = hotcoco_metrics(content, table, kind)
        matched = matches(content, table, kind)
        once = resampled_metrics(matched, np.ones((images, 1), dtype=np.int32))
        own = {name: _or_none(values[0]) for name, values in once.items()}
        require_equal(result[kind], own, kind, "the matches of the bootstrap")
        if facts.get("scale") == CHECKED_SCALE:
            part = sample(content, table, CHECKED_IMAGES)
            found, reference = hotcoco_metrics(*part, kind), pycocotools_metrics(*part, kind)
            require_equal(found, reference, kind, "pycocotools")
            checked = {"pycocotools_images": len(part[0]["images"])}
        spread = resampled_metrics(matched, weights)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    result["images"] = images
    result["provenance"] = {
        **facts,
        **checked,
        "annotations_sha256": checksum,
        "scoring_sha256": source_hash("scoring"),
    }
    identity = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    of_data = {"annotations_sha256": checksum, "source_sha256": facts["source_sha256"]}
    write_resamples(resamples_of(out), resampled, identity | of_data, images)
    write_json(out, result)
    log.info("%s, L_e = %d: box AP %s, mask AP %s", facts["training"], loops, *(
        result[kind]["AP"] for kind in KINDS
    ))  # fmt: skip


def sample(content: dict, table: pa.Table, most: int) -> tuple[dict, pa.Table]:
    """The annotations and detections of at most so many images, evenly spread over all by their ids."""
    ids = sorted(one["id"] for one in content["images"])
    kept = set(ids[:: -(-len(ids) // most)]) if ids else set()
    part = {
        **content,
        "images": [one for one in content["images"] if one["id"] in kept],
        "annotations": [one for one in content["annotations"] if one["image_id"] in kept],
    }
    of_kept = pc.is_in(table["image_id"], pa.array(sorted(kept), type=table["image_id"].type))
    return part, table.filter(of_kept)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
