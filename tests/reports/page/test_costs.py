"""What a run costs, from benchmark files and manifests, and speeds measured on another device."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from r3cnn.bench.gpu_table import PAPER as GPU_PAPER
from r3cnn.core.errors import UserError
from reports.page.costs import Ratio, costs_of, measured_speeds
from reports.page.templating import environment
from reports.tables.spec import load_spec

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tcpu_time\n"


def benchmark(folder: Path, name: str, seconds: float, memory: str, cpu: str) -> None:
    path = folder / "benchmarks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t9\t{cpu}\n")


def results(folder: Path, **manifests: dict) -> SimpleNamespace:
    return SimpleNamespace(folder=folder, manifests={(id_, 0): m for id_, m in manifests.items()})


def test_the_costs_of_a_rule_are_those_of_its_jobs(tmp_path):
    benchmark(tmp_path, "check.tsv", 0.5, "NA", "NA")
    benchmark(tmp_path, "score/a.seed0.loops1.tsv", 2, "300.5", "1.5")
    benchmark(tmp_path, "score/a.seed0.loops2.tsv", 3, "200", "2.5")
    attempts = [{"cpu_seconds": 10.0, "peak_mb": 800.0}, {"cpu_seconds": 5.0, "peak_mb": 700.0}]
    found = costs_of(
        results(tmp_path, a={"seconds": 40.0, "attempts": attempts}, b={"seconds": 2.0})
    )
    assert [(c.rule, c.jobs, c.seconds, c.cpu_seconds, c.memory) for c in found] == [
        ("train", 2, 42.0, 15.0, 800.0),
        ("score", 2, 5.0, 4.0, 300.5),
        ("check", 1, 0.5, None, None),
    ]


def test_a_training_costs_its_process_from_the_start(tmp_path):
    attempts = [{"process_seconds": 7.0, "cpu_seconds": 5.0}, {"process_seconds": 9.5}]
    found = costs_of(results(tmp_path, a={"seconds": 10.0, "attempts": attempts}))
    assert found[0].seconds == 16.5
    del attempts[1]["process_seconds"]  # of an older run
    found = costs_of(results(tmp_path, a={"seconds": 10.0, "attempts": attempts}))
    assert found[0].seconds == 10.0


def test_what_was_reused_or_given_is_no_job(tmp_path):
    one = {"seconds": 10.0, "attempts": [{"process_seconds": 10.0}]}
    found = costs_of(results(tmp_path, a=one, b={"seconds": 0.0, "attempts": []}))
    assert [(cost.rule, cost.jobs) for cost in found] == [("train", 1)]


def test_a_run_that_left_nothing(tmp_path):
    assert costs_of(results(tmp_path)) == ()


def test_another_file_is_named(tmp_path):
    path = tmp_path / "benchmarks" / "x.tsv"
    path.parent.mkdir()
    path.write_text("a\tb\n1\t2\n")
    with pytest.raises(UserError, match=r"x\.tsv: no column cpu_time"):
        costs_of(results(tmp_path))


def gpu_file(path: Path) -> Path:
    measured = {
        "git_commit": "abc", "versions": {"torch": "2.11"}, "end": "2026-01-01T00:00:00", "steps": 10,
        "images": 8,
    }  # fmt: skip
    figures = {"images_per_second": 11.0, "step_seconds": 0.5, "training_gib": 6.25}
    models = {
        id_: {**figures, "over_htc": over, "measured": measured}
        for id_, over in {
            "htc": {"speed": 1.0, "step": 1.0, "memory": 1.0},
            "r3_naive_inc": {"speed": 1.1, "step": 0.8, "memory": 0.75},
            "groie": {"speed": 0.5, "step": 2.0, "memory": None},
        }.items()
    }
    models["groie"] |= {"training_gib": None, "measured": {**measured, "git_commit": None}}
    content = {
        "device": "GPU <A>", "size": "1333x800", "scale": "paper", "classes": 80,
        "memory_of": "GPU tensors", "models": models,
        "advanced": {"over_direct": {"channels last": 0.75}, "difference": {"channels last": 1.26e-6}},
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_speeds_say_on_what_they_were_measured(tmp_path):
    speeds = measured_speeds(gpu_file(tmp_path / "gpu.json"))
    assert speeds.device == "GPU <A>"
    assert speeds.provenance == (
        "commit abc, torch 2.11, 10 steps, 8 images, 2026-01-01T00:00:00",
        "commit unknown, torch 2.11, 10 steps, 8 images, 2026-01-01T00:00:00",
    )
    assert measured_speeds(tmp_path / "none.json") is None


def test_speeds_stand_beside_the_papers(tmp_path):
    rows = {row.model: row for row in measured_speeds(gpu_file(tmp_path / "gpu.json")).rows}
    naive = rows["r3_naive_inc"]
    assert (naive.speed.ours, naive.memory.ours, naive.paper_gb) == (1.1, 0.75, 5.9)
    assert naive.speed.paper == pytest.approx(1.02, abs=0.005)
    assert naive.memory.paper == pytest.approx(5.9 / 6.8)
    assert (rows["groie"].speed, rows["groie"].memory) == (Ratio(0.5, None), Ratio(None, None))


def test_the_command_prints_the_papers_numbers_too():
    rows = {row.training: row.published for row in load_spec().tables["table1"].rows}
    for model, printed in GPU_PAPER.items():
        assert printed == {
            "speed": float(rows[model]["speed_img_s"]),
            "memory": float(rows[model]["memory_gb"]),
        }


def test_a_file_without_its_device_is_refused(tmp_path):
    path = tmp_path / "gpu.json"
    path.write_text('{"models": {}}')
    with pytest.raises(UserError, match="make it again"):
        measured_speeds(path)


def test_both_stand_on_the_page(tmp_path):
    benchmark(tmp_path, "score/a.tsv", 2, "300.5", "1.5")
    report = SimpleNamespace(
        costs=costs_of(results(tmp_path)), speeds=measured_speeds(gpu_file(tmp_path / "gpu.json"))
    )
    page = environment().get_template("costs.html.j2").render(report=report)
    assert 'score</th><td class="number">1</td><td class="number">2.0</td>' in page
    assert "Measured on GPU &lt;A&gt;: images of 1333x800, 80 classes" in page
    assert cells(page, "r3_naive_inc") == [
        "11.00", "1.10", "1.02", "0.500", "0.80", "6.25", "5.9", "0.75", "0.87"
    ]  # fmt: skip
    assert cells(page, "groie") == ["11.00", "0.50", "–", "0.500", "2.00", "–", "–", "–", "–"]
    assert cells(page, "channels last") == ["0.750", "1.3e-06"]
    assert "<li>commit abc, torch 2.11" in page


def cells(page: str, row: str) -> list[str]:
    line = page[page.index(f'<th scope="row">{row}</th>') :]
    return re.findall('<td class="number">(.*?)</td>', line[: line.index("</tr>")])
