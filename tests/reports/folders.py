"""Small result folders, written as the method writes them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r3cnn.core.records import AP_AT_IOU, CURVES_AT, TIDE

PRESENT = hashlib.sha256(b"present").hexdigest()
SOURCES = frozenset({PRESENT})
FORMER = hashlib.sha256(b"former").hexdigest()
# 1 x 1 pixel
JPEG = (
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDREN"
    "Dg8QEBEQCgwSExIQEw8QEBD/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD"
    "/2gAIAQEAAD8AVN//2Q=="
)
METRICS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
RESAMPLED = dict.fromkeys([*METRICS, *AP_AT_IOU])


class ResultFolder:
    """Writes result files as the method does."""

    def __init__(self, path: Path, scale: str = "smoke") -> None:
        self.path, self.scale = path, scale
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: Any) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def data(self, coco: bool = False, **changes: Any) -> None:
        counts = {"train": 117266, "val": 5000} if coco else {"train": 48, "val": 16}
        classes = [f"class {n}" for n in range(80 if coco else 6)]
        self.write(
            "data.json",
            {
                "root": "data/coco" if coco else "results/smoke/data",
                "generated": None if coco else {"train": 48, "val": 16},
                "classes": classes,
                "splits": {
                    split: {"sha256": f"{split}-checksum", "image_count": count}
                    for split, count in counts.items()
                },
            }
            | changes,
        )

    def manifest(self, training: str, seed: int = 0, /, **changes: Any) -> dict[str, Any]:
        return {
            "training": training,
            "seed": seed,
            "scale": self.scale,
            "config_sha256": hashlib.sha256(training.encode()).hexdigest(),
            "source_sha256": PRESENT,
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "versions": {"torch": "2.13.0", "mmdet": "3.5.1"},
            "device": "CPU, Some Processor, 2 threads",
            "world_size": 1,
            "data": {"train_sha256": "train-checksum", "val_sha256": "val-checksum"},
            "start": "2026-01-02T03:04:05+00:00",
            "end": "2026-01-02T03:05:05+00:00",
            "attempts": [],
            "seconds": 60.4,
        } | changes

    def train(self, training: str, seed: int = 0, /, **changes: Any) -> None:
        manifest = self.manifest(training, seed, **changes)
        self.write(f"trainings/{training}/seed{seed}/manifest.json", manifest)

    def score(
        self,
        training: str,
        loops: int,
        bbox: float | None,
        segm: float | None,
        /,
        seed: int = 0,
        **changes: Any,
    ) -> Path:
        """All metrics of a task are the given value, but for APs of boxes: no such object."""
        content = {
            "training": training,
            "loops": loops,
            "seed": seed,
            "bbox": dict.fromkeys(METRICS, bbox) | {"APs": None},
            "segm": dict.fromkeys(METRICS, segm),
            "images": 16,
            "provenance": self.manifest(training, seed),
        } | changes
        return self.write(f"scores/{training}/seed{seed}/loops{loops}.json", content)

    def measure(self, training: str, /, **changes: Any) -> None:
        content = {
            "training": training,
            "parameters": {"total": 44396336, "trainable": 44170992, "modules": {"neck": 3344384}},
            "checkpoint": {"file_mib": 338.2, "print_mb": 339},
            "speed": {"1": {"images_per_second": 2.34, "images": 16}},
            "multiply_adds": {
                str(n): {"total": 200_000_000_000 + n * 50_000_000_000, "modules": {}}
                for n in range(1, 6)
            },
            "memory": {"training_gib": 0.96, "how": "peak resident set"},
            "device": "CPU, Some Processor, 2 threads",
            "scale": self.scale,
        } | changes
        self.write(f"measurements/{training}.json", content)

    def histogram(
        self, training: str, loops: int, epochs: int = 2, seed: int = 0, factor: int = 1
    ) -> None:
        """20 bins of 0.05. Candidates of `box`: factor * loop * bin number (0..19) an epoch."""
        lines = ["epoch,loop,assignment,view,iou_low,iou_high,count"]
        for epoch in range(1, epochs + 1):
            for loop in range(1, loops + 1):
                for assignment, extra in (("box", 0), ("mask", 1000)):
                    for view, more in (("candidates", 0), ("sampled", 100), ("positives", 50)):
                        for n in range(20):
                            count = factor * loop * n + extra + more
                            lines.append(
                                f"{epoch},{loop},{assignment},{view},{n * 0.05!r},"
                                f"{(n + 1) * 0.05!r},{count}"
                            )
        name = f"trainings/{training}/seed{seed}/iou_histogram.csv"
        self.write(name, "\n".join(lines) + "\n")

    def counts(self, training: str, *loops: list[int]) -> None:
        """Candidates of `box` in the ten bins of IoU 0.5 up, one list a loop."""
        self.counts_of(training, "candidates", *loops)

    def counts_of(self, training: str, view: str, *loops: list[int]) -> None:
        """The same of a view."""
        lines = ["epoch,loop,assignment,view,iou_low,iou_high,count"]
        for loop, bins in enumerate(loops, 1):
            for n, count in enumerate([0] * 10 + bins):
                edges = f"{n / 20:.2f},{(n + 1) / 20:.2f}"
                lines.append(f"1,{loop},box,{view},{edges},{count}")
        self.write(f"trainings/{training}/seed0/iou_histogram.csv", "\n".join(lines) + "\n")

    def resample(
        self,
        training: str,
        loops: int,
        centre: float,
        /,
        seed: int = 0,
        spread: float = 0.01,
        **facts: Any,
    ) -> Path:
        """1,001 resamples of every metric, evenly from centre - spread to centre + spread."""
        values = np.linspace(centre - spread, centre + spread, 1001)
        names = [f"{task}.{metric}" for task in ("bbox", "segm") for metric in RESAMPLED]
        table = pa.table({"resample": list(range(1, 1002)), **dict.fromkeys(names, values)})
        facts = {"annotations_sha256": "val-checksum", "resampled_images": 16} | facts
        path = self.path / f"scores/{training}/seed{seed}/loops{loops}.bootstrap.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"r3cnn": json.dumps(facts)}), path)
        return path

    def errors(self, training: str, loops: int, loc: float, dupe: float, /, seed: int = 0) -> Path:
        """TIDE's gains of boxes; of masks they are twice that. All others gain 0.01; ten errors of each kind."""

        def of_kind(times: int) -> dict[str, Any]:
            gain = dict.fromkeys(TIDE, 0.01) | {"Loc": loc * times, "Dupe": dupe * times}
            bins = [[0.5, 0.4, 10]]
            return {
                "tide": {"AP50": 0.5, "gain": gain, "count": dict.fromkeys(TIDE, 10)},
                "classes": [{"AP": 0.3, "AP50": 0.5, "AP75": None}],
                "precision": {str(iou): [1.0] * 101 for iou in CURVES_AT},
                "confusion": [[1, 2], [3, 0]],
                "calibration": {"expected": 0.1, "largest": 0.2, "bins": bins},
            }

        content = {
            "training": training, "seed": seed, "loops": loops, "classes": ["disc"], "confusion_score": 0.3,
            "bbox": of_kind(1), "segm": of_kind(2),
        }  # fmt: skip
        return self.write(f"scores/{training}/seed{seed}/loops{loops}.errors.json", content)

    def config(self, training: str, text: str, seed: int = 0) -> None:
        self.write(f"trainings/{training}/seed{seed}/config.py", text)

    def curve(self, training: str, iterations: int, seed: int = 0, epochs: int = 2) -> None:
        """A loss of 1/iteration; `special` is NaN in the first iteration, then 5."""
        lines = []
        for n in range(1, iterations + 1):
            epoch = 1 + (n - 1) * epochs // iterations
            special = "NaN" if n == 1 else "5"
            lines.append(
                f'{{"epoch": {epoch}, "iteration": {n}, "loss": {1 / n}, "special": {special}}}'
            )
        self.write(f"trainings/{training}/seed{seed}/train.jsonl", "\n".join(lines) + "\n")

    def gallery(self, training: str, loops: int, name: str = "disc", **changes: Any) -> None:
        """One picture of 40 x 20 with one object and, after loop n, one detection of IoU n/10."""
        ring = [1, 1, 11, 1, 11, 11, 1, 11]
        found = {
            str(n): {
                "detections": [{
                    "class": name, "score": 0.9, "box_iou": n / 10, "mask_iou": n / 20,
                    "box": [1, 1, 10, 10], "outline": [ring],
                }],
                "box_iou": [n / 10],
                "mask_iou": [n / 20],
            }
            for n in range(1, loops + 1)
        }  # fmt: skip
        picture = {
            "image_id": 7, "width": 40, "height": 20, "jpeg": JPEG, "loops": found,
            "objects": [{"class": name, "box": [1, 1, 10, 10], "outline": [ring]}],
        }  # fmt: skip
        content = {"training": training, "loops_trained": loops, "pictures": [picture]} | changes
        self.write(f"predictions/{training}/seed0.gallery.json", content)
