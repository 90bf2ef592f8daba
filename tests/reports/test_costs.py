"""What a run costs, from benchmark files and manifests, and speeds measured on another device."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from reports.costs import costs_of, measured_speeds
from reports.errors import ReportError
from reports.render import environment

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


def test_a_run_that_left_nothing(tmp_path):
    assert costs_of(results(tmp_path)) == ()


def test_another_file_is_named(tmp_path):
    path = tmp_path / "benchmarks" / "x.tsv"
    path.parent.mkdir()
    path.write_text("a\tb\n1\t2\n")
    with pytest.raises(ReportError, match=r"x\.tsv: no column cpu_time"):
        costs_of(results(tmp_path))


def gpu_file(path: Path) -> Path:
    rates = {"htc": 10.0, "r3_naive_inc": 11.0}
    models = {
        id_: {"images_per_second": rate, "step_seconds": 0.5, "training_gib": 6.25}
        for id_, rate in rates.items()
    }
    content = {
        "device": "GPU <A>", "size": "1333x800", "scale": "paper", "end": "2026-01-01T00:00:00",
        "provenance": {"git_commit": "abc", "versions": {"torch": "2.11"}}, "models": models,
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_speeds_say_on_what_they_were_measured(tmp_path):
    speeds = measured_speeds(gpu_file(tmp_path / "gpu.json"))
    assert speeds.device == "GPU <A>"
    assert "commit abc, torch 2.11" in speeds.provenance
    assert [(row.model, row.over_htc) for row in speeds.rows] == [
        ("htc", 1.0), ("r3_naive_inc", 1.1)
    ]  # fmt: skip
    assert measured_speeds(tmp_path / "none.json") is None


def test_a_file_without_its_device_is_refused(tmp_path):
    path = tmp_path / "gpu.json"
    path.write_text('{"models": {}}')
    with pytest.raises(ReportError, match="make it again"):
        measured_speeds(path)


def test_both_stand_on_the_page(tmp_path):
    benchmark(tmp_path, "score/a.tsv", 2, "300.5", "1.5")
    report = SimpleNamespace(
        costs=costs_of(results(tmp_path)), speeds=measured_speeds(gpu_file(tmp_path / "gpu.json"))
    )
    page = environment().get_template("costs.html.j2").render(report=report)
    assert 'score</th><td class="number">1</td><td class="number">2.0</td>' in page
    assert "Measured on GPU &lt;A&gt;: images of 1333x800" in page
    assert '<td class="number">1.10</td>' in page
