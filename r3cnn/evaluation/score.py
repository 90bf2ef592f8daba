"""Score predictions: COCO's twelve metrics of boxes and of masks, and their spread over images."""

import logging
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.files import write_json
from ..core.layout import resamples_of
from ..core.records import KINDS
from ..core.source_hash import source_hash
from ..data.annotations import read as read_annotations
from .bootstrap import draw, resampled_metrics, write_resamples
from .matching import matches
from .metrics import hotcoco_metrics, pycocotools_metrics, require_equal
from .predictions import read_predictions, require_known

log = logging.getLogger(__name__)
CHECKED_SCALE = "paper"  # where pycocotools scores too


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
    require_known(predictions, table, annotations, content)
    images = len({one["id"] for one in content["images"]})
    weights, resampled = draw(images), {}
    result = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    for kind in KINDS:
        result[kind] = hotcoco_metrics(content, table, kind)
        matched = matches(content, table, kind)
        once = resampled_metrics(matched, np.ones((images, 1), dtype=np.int32))
        own = {name: _or_none(values[0]) for name, values in once.items()}
        require_equal(result[kind], own, kind, "the matches of the bootstrap")
        if facts.get("scale") == CHECKED_SCALE:
            reference = pycocotools_metrics(content, table, kind)
            require_equal(result[kind], reference, kind, "pycocotools")
        spread = resampled_metrics(matched, weights)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    result["images"] = images
    result["provenance"] = {
        **facts,
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


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
