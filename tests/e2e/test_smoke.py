"""Every row of the paper, very small: what `make smoke` leaves behind."""

import csv
import json
import re

import pytest

from tests.e2e.conftest import Run, rules_planned

pytestmark = pytest.mark.slow
ROWS = {"table1": 6, "table2": 6, "table3": 5, "table4": 11}


def table(smoke: Run, name: str) -> list[dict[str, str]]:
    with open(smoke.results / "smoke" / "report" / f"{name}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_nothing_is_left_to_do(smoke):
    assert rules_planned(smoke).get("total", 0) == 0


def test_every_row_of_every_table_is_filled(smoke):
    for name, count in ROWS.items():
        rows = table(smoke, name)
        assert len(rows) == count
        for row in rows:
            ours = {key: value for key, value in row.items() if key.endswith("_ours")}
            assert ours, row
            assert all(re.fullmatch(r"-?[\d.]+", value) for value in ours.values()), row


def test_parameters_and_sizes_are_the_paper_s(smoke):
    for row in table(smoke, "table1"):
        for column in ("params_k", "model_size_mb"):
            assert float(row[f"{column}_ours"]) == float(row[f"{column}_paper"]), row


def test_every_training_counted_its_samples(smoke):
    histograms = list((smoke.results / "smoke" / "trainings").glob("*/seed0/iou_histogram.csv"))
    assert len(histograms) == 17
    for path in histograms:
        with open(path, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for view in ("candidates", "sampled", "positives"):
            assert sum(int(row["count"]) for row in rows if row["view"] == view) > 0, path


def test_losses_fall(smoke):
    for path in (smoke.results / "smoke" / "trainings").glob("*/seed0/train.jsonl"):
        losses = [json.loads(line)["loss"] for line in path.read_text().splitlines()]
        assert sum(losses[-4:]) < sum(losses[:4]), path


def test_the_page_says_that_smoke_means_nothing(smoke):
    page = (smoke.results / "smoke" / "report" / "index.html").read_text(encoding="utf-8")
    assert "mean nothing" in page
    assert '<tr class="not-run"' not in page
    for suffix in ("svg", "pdf", "png"):
        assert (smoke.results / "smoke" / "report" / f"figure2.{suffix}").stat().st_size > 1000
