"""The rows of `make bench` that concern Snakemake, on folders made up here."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_workflow.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("workflow_bench", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def results(tmp_path) -> Path:
    """Two benchmark files of 10 and 30 s, a training of 20 s in two attempts."""
    folder = tmp_path / "results" / "smoke"
    for name, seconds in (("shapes.tsv", 10), ("measure/htc.tsv", 30)):
        path = folder / "benchmarks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:{seconds}\t100\n")
    manifest = folder / "trainings" / "htc" / "seed0" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    attempts = [
        {"seconds": 11.0, "process_seconds": 13.0},
        {"seconds": 4.0, "process_seconds": 7.0},
    ]
    manifest.write_text(json.dumps({"attempts": attempts, "start": "2026-01-05T10:00:30"}))
    return folder


def log(folder: Path, name: str, first: str, last: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.snakemake.log"
    path.write_text(
        f"Building\nProvided cores: 3\n[Mon Jan  5 {first} 2026]\nJob 1\n[Mon Jan  5 {last} 2026]\ndone\n"
    )
    return path


def test_wall_time_over_the_jobs_own(bench, results, tmp_path):
    run = log(tmp_path / "logs", "b", "10:00:00", "10:00:45")
    row = bench.harness(results, 2, run)
    assert row["wall_seconds"] == 45
    assert row["job_seconds"] == 60
    assert row["ratio"] == pytest.approx(45 / 30)


def test_the_cores_are_those_of_the_log_unless_named(bench, results, tmp_path):
    run = log(tmp_path / "logs", "b", "10:00:00", "10:00:45")
    row = bench.harness(results, log=run)
    assert row["what"].endswith("on 3 cores")
    assert row["ratio"] == pytest.approx(45 / 20)
    run.write_text(run.read_text().replace("Provided cores: 3", "Provided remote nodes: 4"))
    with pytest.raises(SystemExit, match=r"b\.snakemake\.log: .*name them with --cores"):
        bench.harness(results, log=run)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("trainings/htc/seed0/manifest.json", '{"attempts": [{"seconds": 3}]}', "process_seconds"),
        ("trainings/htc/seed0/manifest.json", "{", "process_seconds"),
        ("trainings/htc/seed0/manifest.json", "[]", "process_seconds"),
        ("benchmarks/shapes.tsv", "h:m:s\n0:00:10\n", "a column s"),
        ("benchmarks/shapes.tsv", "s\nNA\n", "a column s"),
    ],
)
def test_a_file_of_an_older_run_is_one_line(bench, results, tmp_path, name, text, expected):
    run = log(tmp_path / "logs", "b", "10:00:00", "10:00:45")
    (results / name).write_text(text)
    with pytest.raises(SystemExit) as raised:
        bench.harness(results, 2, run)
    said = str(raised.value)
    assert str(results / name) in said
    assert expected in said
    assert f"remove {results}" in said
    assert "\n" not in said


def test_a_run_without_seconds_or_log_is_refused(bench, tmp_path):
    run = log(tmp_path / "logs", "b", "10:00:00", "10:00:45")
    with pytest.raises(SystemExit, match="no job has left its seconds"):
        bench.harness(tmp_path / "none", 2, run)
    with pytest.raises(SystemExit, match=r"none\.log: no such file, .* correct --log"):
        bench.harness(tmp_path / "none", 2, tmp_path / "none.log")


def test_the_log_is_that_of_the_run_that_trained(bench, results, tmp_path):
    logs = tmp_path / "logs"
    wanted = log(logs, "a", "10:00:00", "10:01:00")
    log(logs, "b", "11:00:00", "11:00:05")
    assert bench.newest_run(logs, results) == wanted
    wanted.unlink()
    with pytest.raises(SystemExit, match="no log of a whole run"):
        bench.newest_run(logs, results)


def test_a_log_without_times_is_refused(bench, tmp_path):
    path = tmp_path / "x.snakemake.log"
    path.write_text("Nothing to be done\n")
    with pytest.raises(SystemExit, match="no times of jobs found"):
        bench.wall_seconds(path)


def test_planning_is_timed_in_turn(bench, monkeypatch):
    asked = []

    def stub(scale: Path, folder: Path) -> float:
        asked.append((scale.name, scale.read_text().count("\n- ")))
        return 6.0 if scale.name == "seeds3.yaml" else 2.0

    monkeypatch.setattr(bench, "plan_seconds", stub)
    row = bench.planning(seeds=3, rounds=2)
    assert [name for name, _ in asked] == ["seeds3.yaml", "seeds1.yaml"] * 2
    assert (row["ratio"], row["aim"], row["seconds_of_the_larger"]) == (3.0, 3.0, 6.0)


def test_a_plan_that_fails_says_why_in_one_line(bench, tmp_path):
    scale = tmp_path / "seeds1.yaml"
    scale.write_text("seed: [0]\n")
    with pytest.raises(SystemExit) as raised:
        bench.plan_seconds(scale, tmp_path)
    said = str(raised.value)
    assert "seeds1.yaml: exit code 1, expected a plan" in said
    assert "unknown key" in said
    assert "\n" not in said


def test_a_broken_file_is_one_line(bench, tmp_path):
    out = tmp_path / "bench.json"
    out.write_text('{"rows": {')
    with pytest.raises(SystemExit, match="not a file of `bench`") as raised:
        bench.add(out, "harness", {"what": "x", "against": "y", "ratio": 1.0})
    assert str(out) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert out.read_text() == '{"rows": {'


def test_the_row_joins_those_of_the_other_command(bench, results, tmp_path, monkeypatch):
    out = tmp_path / "bench.json"
    out.write_text(json.dumps({"rows": {"score": {"what": "x", "against": "y", "ratio": 0.1}}}))
    run = log(tmp_path / "logs", "b", "10:00:00", "10:00:45")
    bench.main(["harness", str(results), "--cores", "2", "--log", str(run), "--out", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert list(rows) == ["score", "harness"]
    assert rows["harness"]["what"] == "wall time of smoke on 2 cores"
    assert rows["harness"]["measured"].keys() == {
        *("source_sha256", "source_scheme", "git_commit", "versions", "device", "operators", "end"),
        *("gpu_software", "tf32"),
    }
