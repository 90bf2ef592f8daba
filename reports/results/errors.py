"""What went wrong in each evaluation: the files next to the scores, over the seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json
from r3cnn.core.layout import RunFolder, errors_of
from r3cnn.core.records import CURVES_AT, KINDS, TIDE, KindErrors

from .load import Results

SHOWN = {"bbox": "box", "segm": "mask"}


@dataclass(frozen=True, eq=False)
class Wrong:
    """The errors of an evaluation's boxes or masks, one entry a seed; kind: box or mask."""

    training: str
    loops: int
    kind: str
    classes: tuple[str, ...]
    of_seeds: tuple[KindErrors, ...]

    @property
    def evaluation(self) -> tuple[str, int]:
        """Training and L_e."""
        return self.training, self.loops


def load_errors(results: Results) -> tuple[Wrong, ...]:
    """Of each evaluation, boxes before masks; none of what was scored before version 0.2. Raises: UserError."""
    return tuple(
        wrong
        for training, loops in results.evaluations()
        for wrong in _of_evaluation(results, training, loops)
    )


def _of_evaluation(results: Results, training: str, loops: int) -> Iterator[Wrong]:
    run = RunFolder(results.folder)
    seeds = sorted(s for t, s, n in results.score_provenance if (t, n) == (training, loops))
    paths = [errors_of(run.score(training, seed, loops)) for seed in seeds]
    files = {path: read_json(path) for path in paths if path.is_file()}
    for key in KINDS:
        # null: another tool's results, without boxes or without masks
        there = {path: one for path, one in files.items() if one.get(key, one) is not None}
        for path, one in there.items():
            _require(path, key, one)
        if there:
            classes = tuple(next(iter(there.values()))["classes"])
            found = tuple(one[key] for one in there.values())
            yield Wrong(training, loops, SHOWN[key], classes, found)


def _require(path: Path, key: str, content: dict[str, Any]) -> None:
    """Raise UserError where a part is not what `score` writes."""
    of_kind = content.get(key) or {}
    count = len(content.get("classes") or ())
    tide = of_kind.get("tide") or {}
    confusion = of_kind.get("confusion") or ()
    calibration = of_kind.get("calibration", {})
    expected = {
        f"tide: expected gain and count of {', '.join(TIDE)}": all(
            {*TIDE} <= {*(tide.get(part) or {})} for part in ("gain", "count")
        ),
        f"classes: expected AP of {count} classes": len(of_kind.get("classes") or ()) == count,
        f"precision: expected curves at {', '.join(map(str, CURVES_AT))}": {*map(str, CURVES_AT)}
        <= {*(of_kind.get("precision") or {})},
        f"confusion: expected {count + 1} x {count + 1} counts": [len(row) for row in confusion]
        == [count + 1] * (count + 1),
        "calibration: expected null, or expected, largest and bins": calibration is None
        or {"expected", "largest", "bins"} <= {*calibration},
    }
    for what, holds in expected.items():
        if not holds:
            raise UserError(f"{path}: {key}.{what}; score again")
