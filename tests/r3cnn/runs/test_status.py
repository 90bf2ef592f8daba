"""What `status` says of trainings in each state, here and on Slurm."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from r3cnn.catalogue.scales import Scale, load_scale
from r3cnn.catalogue.trainings import Catalogue, load_catalogue
from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.core.source_hash import source_hash
from r3cnn.runs import jobs, status

CATALOGUE = """\
extends: nothing
trainings:
  one: {model: mask_rcnn}
  two: {model: htc, schedule: 3x}
"""


class Run:
    """A results folder in which trainings are in some state."""

    def __init__(self, folder: Path) -> None:
        self.root, self.results = folder, folder / "results" / "smoke"
        self.results.mkdir(parents=True)
        splits = {"train": {"image_count": 42, "images_without_objects": 2}}
        (self.results / "data.json").write_text(json.dumps({"splits": splits}))

    def log(self, id_: str, text: str) -> None:
        path = self.results / "logs" / "train" / f"{id_}.seed0.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def train(self, id_: str, steps: int, released: bool = False, age: float = 0) -> None:
        """A state folder as a training leaves it that was last seen so many seconds ago."""
        folder = self.results / "state" / id_ / "seed0"
        (folder / "0123456789ab").mkdir(parents=True)
        lines = [
            {"epoch": 1 + (step - 1) // 10, "iteration": step, "loss": 2.5, "seconds": 30.0}
            for step in range(1, steps + 1)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "0123456789ab" / "train.jsonl").write_text(text + '{"epoch": 9')  # cut off
        lease = folder / "lease-2.json"
        lease.write_text(json.dumps({"released": released}))
        then = time.time() - age
        os.utime(lease, (then, then))

    def finish(self, id_: str, **facts) -> None:
        folder = self.results / "trainings" / id_ / "seed0"
        folder.mkdir(parents=True)
        usual = {"iterations": 20, "seconds": 90.0, "attempts": [{}]}
        manifest = {**usual, "source_sha256": source_hash("training"), **facts}
        (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(status, "live_trainings", lambda _: {})
    return Run(tmp_path)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "own.yaml").write_text(CATALOGUE)
    return load_catalogue(tmp_path / "own.yaml")


@pytest.fixture(scope="module")
def scale() -> Scale:
    return load_scale("smoke")  # 1x: 2 epochs, 3x: 4; 4 images a step


def states(run: Run, catalogue: Catalogue, scale: Scale) -> dict[str, tuple[str, str]]:
    found = status.status(catalogue, scale, run.results)
    return {one.training: (one.state, one.what) for one in found}


def test_done_and_waiting(run, catalogue, scale):
    run.finish("one")
    assert states(run, catalogue, scale) == {
        "one": ("done", "20 steps in 90 s"),
        "two": ("waiting", "not begun"),
    }


def test_other_sources_and_several_attempts_are_named(run, catalogue, scale):
    run.finish("one", source_sha256="0" * 64, attempts=[{}, {}, {}], seconds=7300)
    state, what = states(run, catalogue, scale)["one"]
    assert state == "done"
    assert what == "20 steps in 2 h 2 min, 3 attempts; by OTHER SOURCES than the present ones"


def test_running_here(run, catalogue, scale):
    run.train("two", steps=12)
    # 40 images, 4 a step, 4 epochs: 28 steps are left
    expected = ("running", "epoch 2/4, step 12, loss 2.500, 14 min left")
    assert states(run, catalogue, scale)["two"] == expected


def test_the_time_left_holds_the_validations_to_come(run, catalogue, scale):
    run.train("two", steps=12)
    line = {"epoch": 1, "loops": 3, "bbox_AP": 0.1, "segm_AP": 0.1, "seconds": 600.0}
    path = run.results / "state" / "two" / "seed0" / "0123456789ab" / "validation.jsonl"
    path.write_text(json.dumps(line) + "\n")
    assert states(run, catalogue, scale)["two"][1].endswith(" 14 min left")
    every = dataclasses.replace(scale, validate={"every": 1})
    assert states(run, catalogue, every)["two"][1].endswith(" 44 min left")
    second = dataclasses.replace(scale, validate={"every": 3})
    assert states(run, catalogue, second)["two"][1].endswith(" 34 min left")


@pytest.mark.parametrize(("released", "age"), [(True, 0), (False, 1000)])
def test_failed_with_the_last_lines_of_its_log(run, catalogue, scale, released, age):
    run.train("one", 3, released, age)
    run.log("one", "a\nb\n\nc\nerror: data.json: the reason\n")
    assert states(run, catalogue, scale)["one"][0] == "failed"
    text = status.render(status.status(catalogue, scale, run.results), run.results)
    assert text.startswith("results/smoke: 1 waiting, 1 failed")
    cause = "one, seed 0: results/smoke/logs/train/one.seed0.log\n  | b\n  | c\n  | error: data.json: the"
    assert cause in text


def test_failed_before_its_first_step(run, catalogue, scale):
    run.log("one", "error: no module\n")
    assert states(run, catalogue, scale)["one"] == ("failed", "no step yet")


def test_a_training_that_starts_or_waits_for_a_gpu_has_not_failed(run, catalogue, scale):
    run.log("one", "")
    run.log("two", "waiting for a GPU: others of your commands hold all of: 0 1 (/tmp/x)\n")
    assert states(run, catalogue, scale) == {
        "one": ("waiting", "starts; no step yet"),
        "two": ("waiting", "waits for a GPU; no step yet"),
    }
    for id_ in ("one", "two"):
        log = run.results / "logs" / "train" / f"{id_}.seed0.log"
        os.utime(log, (time.time() - 1000,) * 2)
    assert states(run, catalogue, scale) == dict.fromkeys(["one", "two"], ("failed", "no step yet"))


def test_the_seeds_of_the_run_are_shown(run, catalogue, scale):
    run.finish("one")
    (run.results / "trainings" / "one" / "seed7").mkdir()
    found = status.status(catalogue, scale, run.results)
    assert [(one.training, one.seed, one.state) for one in found] == [
        ("one", 0, "done"), ("one", 7, "waiting"), ("two", 0, "waiting"),
    ]  # fmt: skip


def test_the_lease_of_the_highest_number_counts(run, catalogue, scale):
    run.train("one", 3, released=True)  # lease-2
    (run.results / "state" / "one" / "seed0" / "lease-1.json").write_text('{"released": false}')
    assert states(run, catalogue, scale)["one"][0] == "failed"
    (run.results / "state" / "one" / "seed0" / "lease-10.json").write_text('{"released": false}')
    assert states(run, catalogue, scale)["one"][0] == "running"


def test_a_damaged_manifest_is_named(run, catalogue, scale):
    run.finish("one")
    (run.results / "trainings" / "one" / "seed0" / "manifest.json").write_text('{"seconds"')
    with pytest.raises(UserError, match=r"one/seed0/manifest.json: "):
        states(run, catalogue, scale)


@pytest.mark.parametrize("said", ["resume", "go on"])  # the latter in logs of version 0.1
def test_stopped_by_a_signal(run, catalogue, scale, said):
    run.train("one", 3, released=True)
    run.log("one", f"WARNING a signal came; stopped after step 3; run the same command to {said}\n")
    state, what = states(run, catalogue, scale)["one"]
    assert state == "stopped"
    assert what.startswith("resumes with the next run; epoch 1/2, step 3")


def test_slurms_own_words_are_the_cause_where_it_ended_the_job(run, catalogue, scale):
    run.train("one", 3, age=1000)
    run.log("one", "INFO epoch 1/2\n")
    folder = run.root / ".snakemake" / "slurm_logs" / "rule_train" / "one_0"
    folder.mkdir(parents=True)
    for number, text in (
        (7, "old"),
        (12, "Select jobs\nslurmstepd: error: *** JOB 12 CANCELLED ***"),
    ):
        (folder / f"{number}.log").write_text(text + "\n")
        os.utime(folder / f"{number}.log", (number, number))
    text = status.render(status.status(catalogue, scale, run.results), run.results)
    assert "rule_train/one_0/12.log\n  | slurmstepd: error: *** JOB 12 CANCELLED ***" in text


def test_on_slurm(run, catalogue, scale, monkeypatch):
    found = {
        ("one", 0): jobs.Job("17", "RUNNING", "None", "node[1-2]"),
        ("two", 0): jobs.Job("18", "PENDING", "Priority", ""),
    }
    monkeypatch.setattr(status, "live_trainings", lambda _: found)
    run.train("one", 12, age=1000)
    assert states(run, catalogue, scale) == {
        "one": ("running", "epoch 2/2, step 12, loss 2.500, 4 min left (job 17 on node[1-2])"),
        "two": ("waiting", "job 18 is pending: Priority"),
    }


def test_the_queue_is_read(tmp_path, monkeypatch):
    (tmp_path / "squeue").write_text(
        f"""#!/bin/sh
echo '12|RUNNING|None|node1|rule_train_wildcards_r3_naive_inc_0|{tmp_path}'
echo '13|PENDING|BeginTime||rule_train_wildcards_htc_10|{tmp_path}'
echo '14|RUNNING|None|node1|rule_predict_wildcards_htc_0|{tmp_path}'
echo '15|RUNNING|None|node1|rule_train_wildcards_htc_0|/elsewhere'
echo '16|RUNNING|None|node1|(null)|{tmp_path}'
"""
    )
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert jobs.live_trainings(tmp_path) == {
        ("r3_naive_inc", 0): jobs.Job("12", "RUNNING", "None", "node1"),
        ("htc", 10): jobs.Job("13", "PENDING", "BeginTime", ""),
    }


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 1\n"])
def test_a_machine_without_slurm(tmp_path, monkeypatch, script):
    if script:
        (tmp_path / "squeue").write_text(script)
        (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jobs.live_trainings(tmp_path) == {}


def test_the_command(run, catalogue):
    done = CliRunner().invoke(main, ["status", "--catalogue", "own.yaml", "--scale", "smoke"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "results/smoke: 2 waiting",
        "  one  seed 0  waiting  not begun",
        "  two  seed 0  waiting  not begun",
    ]
    done = CliRunner().invoke(main, ["status", "--results", "gone"])
    assert done.exit_code == 1
    assert "error: gone: no such folder; nothing has run at this scale yet" in done.output


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (5900, "98 min"),
        (7300, "2 h 2 min"),
        (190_000, "2 d 5 h"),
    ],
)
def test_durations(seconds, expected):
    assert status.duration(seconds) == expected


REFUSED = """\
SLURM sbatch failed. The error message was 'sbatch: error: Invalid account
sbatch: error: Batch job submission failed'.
    sbatch call:
        sbatch --parsable --comment rule_train_wildcards_two_0 -p gpu --wrap="..."
"""


def snakemakes_log(run: Run, text: str) -> None:
    folder = run.root / ".snakemake" / "log"
    folder.mkdir(parents=True)
    (folder / "older.snakemake.log").write_text(
        "error: Slurm refuses the jobs of train: an older word\n"
    )
    os.utime(folder / "older.snakemake.log", (1, 1))
    (folder / "newer.snakemake.log").write_text(text)


def test_a_job_that_slurm_did_not_take_has_slurms_words(run, catalogue, scale):
    snakemakes_log(run, REFUSED)
    one, two = status.status(catalogue, scale, run.results)
    assert (one.state, two.state) == (status.WAITING, status.FAILED)
    assert "Invalid account; Batch job submission failed" in two.what


def test_a_run_that_slurm_refused_before_it_began_says_so_of_all_that_is_left(
    run, catalogue, scale
):
    run.finish("one")
    snakemakes_log(run, "error: Slurm refuses the jobs of predict, train: Invalid feature; more\n")
    one, two = status.status(catalogue, scale, run.results)
    assert (one.state, two.state) == (status.DONE, status.FAILED)
    assert "Invalid feature; more" in two.what


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.", "killed for memory"),
        ("srun: error: node1: task 0: Out Of Memory", "killed for memory"),
        (
            "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.",
            "killed for memory",
        ),
        ("job 7: the processes ended with 137", "killed for memory"),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
            "the GPU's memory ran out",
        ),
        ("error: labels.json: no such file", ""),
    ],
)
def test_memory_that_ran_out_is_named(run, catalogue, scale, line, named):
    run.train("one", steps=3, released=True)
    run.log("one", f"{line}\nTraceback\n\n  more\n  more\n  more\n  more\n")
    one, _ = status.status(catalogue, scale, run.results)
    assert one.state == status.FAILED
    assert one.what.startswith(named or "epoch 1/2")
