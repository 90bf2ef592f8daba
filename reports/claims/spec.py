"""claims.yaml: the paper's claims as comparisons of cells, with their limits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.records import KINDS, METRICS
from r3cnn.core.schema import choice

from .. import own_file
from ..tables.validated import read_valid

DEFAULT_CLAIMS = own_file("claims.yaml")
SCHEMA = own_file("schemas/claims.schema.yaml")
MEASURED = ("parameters", "memory", "speed")  # each has a spread
OF_CELLS = ("difference", "ratio")
OF_HISTOGRAMS = ("evenness", "share", "distance")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: an evaluation, or a histogram (of one loop, or of all: None)."""

    training: str
    loops: int | None = None


@dataclass(frozen=True)
class Check:
    """One comparison: what of left and right, and between which limits (ends included)."""

    says: str
    quantity: str
    metric: str
    left: Side
    right: Side
    least: float | None
    most: float | None
    table: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim and the checks that it stands or falls by; what the paper says, and where."""

    name: str
    text: str
    note: str
    checks: tuple[Check, ...]
    says: str = ""
    where: str = ""


@dataclass(frozen=True)
class Claims:
    """All claims, and the spreads that are taken if none is measured."""

    claims: tuple[Claim, ...]
    spreads: dict[str, float]


def load_claims(path: Path = DEFAULT_CLAIMS) -> Claims:
    """Read and check a claims file. Raises: UserError."""
    content = read_valid(path, SCHEMA)
    claims = tuple(_claim(path, name, entry) for name, entry in content["claims"].items())
    return Claims(claims, content["spreads"])


def _claim(path: Path, name: str, entry: dict[str, Any]) -> Claim:
    checks = []
    for index, item in enumerate(entry["checks"]):
        quantity = next(q for q in (*OF_CELLS, *OF_HISTOGRAMS) if q in item)
        least, most = item[quantity]
        if least is not None and most is not None and least > most:
            raise UserError(
                f"{path}: claims.{name}.checks.{index}.{quantity}: found {[least, most]}, "
                "expected the least before the most"
            )
        for metric in item.get("metrics", [f"iou.{quantity}"]):
            _require_number(f"{path}: claims.{name}.checks.{index}", quantity, metric)
            is_ap = metric.startswith(("bbox.", "segm."))
            if quantity in OF_CELLS and is_ap != (quantity == "difference"):
                raise UserError(
                    f"{path}: claims.{name}.checks.{index}: {metric}: compare APs by their "
                    "difference and measurements by their ratio"
                )
            checks.append(Check(item["says"], quantity, metric, *_sides(item), least, most,
                                item.get("table", "")))  # fmt: skip
    note = " ".join(entry.get("note", "").split())
    paper = entry.get("paper", {"says": "", "where": ""})
    says, where = (" ".join(paper[key].split()) for key in ("says", "where"))
    return Claim(name, " ".join(entry["text"].split()), note, tuple(checks), says, where)


def _require_number(where: str, quantity: str, metric: str) -> None:
    """A metric is a number that results hold, not a text such as the device's name."""
    group, _, key = metric.partition(".")
    if group in KINDS and key not in METRICS:
        raise UserError(f"{where}: {metric}: unknown metric; {choice(key, METRICS)}")
    if quantity == "ratio" and group not in (*MEASURED, *KINDS):
        raise UserError(
            f"{where}: {metric}: no number that is measured; expected one of {', '.join(MEASURED)}, such as "
            "parameters.trainable"
        )


def _sides(item: dict[str, Any]) -> tuple[Side, Side]:
    if isinstance(item["left"], str):
        return Side(item["left"], item.get("left_loop")), Side(item["right"])
    return Side(*item["left"]), Side(*item["right"])
