"""results.parquet: every number of a run in one tidy table, for scripts."""

import io
from pathlib import Path

import pandas as pd

from r3cnn.core.files import write_if_changed

from .intervals import MOST_MISSING
from .load import Results
from .setting import Setting
from .uncertainty import estimate, images_part

TIDY_COLUMNS = (
    "scale", "data", "training", "loops", "seed", "metric", "value", "low", "high",
    "config_sha256", "source_sha256", "git_commit", "device",
)  # fmt: skip


def tidy(results: Results, setting: Setting) -> pd.DataFrame:
    """One row per number: scores (0 to 1) with the 95 % interval over images, and measurements."""
    frame = results.frame.copy()
    parts = []
    for (training, seed, loops), found in results.resamples.items():
        there = found.frame.dropna(
            axis="columns", thresh=int(len(found.frame) * (1 - MOST_MISSING))
        )
        _, reach = estimate(0, [images_part(there.to_numpy(float).T, found.images)]).interval()
        of_evaluation = pd.DataFrame({"metric": there.columns, "reach": reach})
        parts.append(of_evaluation.assign(training=training, seed=seed, loops=loops))
    intervals = pd.concat(parts) if parts else pd.DataFrame(
        columns=["metric", "reach", "training", "seed", "loops"]
    )  # fmt: skip
    keys = ["training", "loops", "seed", "metric"]
    intervals = intervals.astype({"seed": "Int64", "loops": "Int64", "metric": "object",
                                  "training": "object"})  # fmt: skip
    frame = frame.merge(intervals, on=keys, how="left")
    reach = frame.pop("reach").astype("Float64")
    # an AP is from 0 to 1, whatever its interval would be
    frame = frame.assign(
        low=(frame["value"] - reach).clip(lower=0), high=(frame["value"] + reach).clip(upper=1)
    )
    for name in ("config_sha256", "source_sha256", "git_commit", "device"):
        frame[name] = [
            _text(results.manifests.get((training, seed), {}).get(name)) if pd.notna(seed) else None
            for training, seed in zip(frame["training"], frame["seed"], strict=True)
        ]
    measured = frame["seed"].isna()
    frame.loc[measured, "device"] = [
        results.measured[training]["device"] for training in frame.loc[measured, "training"]
    ]
    frame = frame.assign(scale=setting.scale, data=setting.data)
    return frame[list(TIDY_COLUMNS)].sort_values(keys, ignore_index=True)


def write_tidy(frame: pd.DataFrame, out: Path) -> Path:
    """Write results.parquet. Raises: UserError."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return write_if_changed(out / "results.parquet", buffer.getvalue())


def _text(value: object) -> str | None:
    return None if value is None else str(value)
