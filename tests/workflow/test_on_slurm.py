"""on_slurm.sh with stand-ins for srun and scontrol: which ends of a command go on in a next round."""

import os
import subprocess

import pytest

from tests.workflow.trees import ROOT

SCRIPT = ROOT / "workflow" / "scripts" / "on_slurm.sh"
# runs one task, in place of all; notes its own options
SRUN = """\
#!/bin/bash
while [ "$1" != bash ]; do echo "$1" >>srun.txt; shift; done
SLURM_PROCID=${PROC:-0} exec "$@"
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Runs a command as job 7, which leaves a word in requeued.txt for each time that it goes back."""
    (tmp_path / "bin").mkdir()
    stubs = {
        "srun": SRUN,
        "scontrol": "#!/bin/sh\n[ -e up ] || { touch up; exit 1; }; echo $* >>requeued.txt\n",
        "sleep": "#!/bin/sh\necho $* >>slept.txt\n",
    }
    for name, text in stubs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    os.mkfifo(tmp_path / "late")

    def run(command: str, *words: str) -> int:
        (tmp_path / "command.sh").write_text(command)
        return subprocess.run(
            ["bash", SCRIPT, "2", "4", "1", "4", "bash", "command.sh", *words],
            cwd=tmp_path,
            env=os.environ | {"SLURM_JOB_ID": "7"},
            capture_output=True,
            check=False,
            timeout=60,
        ).returncode

    run.folder = tmp_path
    return run


def times_requeued(job) -> int:
    told = job.folder / "requeued.txt"
    return told.read_text().count("requeue 7\n") if told.exists() else 0


TRAIN = ("--state", "state")
STEPS = "mkdir -p state/1; echo step >>state/1/train.jsonl; "


def test_what_is_done_ends_the_job(job):
    assert job(STEPS + "exit 0", *TRAIN) == 0
    assert times_requeued(job) == 0
    options = (job.folder / "srun.txt").read_text().split()
    assert {"--ntasks=8", "--gpus-per-node=4", "--kill-on-bad-exit=1"} <= set(options)


def test_what_is_to_be_continued_goes_on_without_end(job):
    for _ in range(5):
        assert job("exit 85", *TRAIN) == 85
    assert times_requeued(job) == 5


def test_a_fault_goes_on_three_times_as_long_as_steps_advance(job):
    for _ in range(5):
        assert job(STEPS + "exit 134", *TRAIN) == 134
    assert times_requeued(job) == 3


def test_a_fault_without_a_step_ends_the_job(job):
    assert job(STEPS + "exit 1", *TRAIN) == 1
    assert job("exit 1", *TRAIN) == 1
    assert times_requeued(job) == 1


def test_images_of_a_prediction_count_as_steps(job):
    assert job("mkdir -p state; touch state/000200.parquet; exit 134", *TRAIN) == 134
    assert times_requeued(job) == 1


def test_what_keeps_nothing_begins_anew_at_its_time_limit_three_times(job):
    for _ in range(5):
        assert job("kill -USR1 $$; read -rt 60 <>late") == 138
    assert times_requeued(job) == 3
    assert job("exit 1") == 1
    assert times_requeued(job) == 3


def test_the_signal_before_the_limit_does_not_end_what_keeps_a_state(job):
    assert job("kill -USR1 $$; exit 0", *TRAIN) == 0


def test_the_terminated_shell_around_a_command_waits_for_it(job):
    assert job("kill -TERM $PPID; read -rt 1 <>late; exit 85", *TRAIN) == 85
    assert times_requeued(job) == 1


def test_the_other_processes_of_what_is_to_be_continued_end_with_0(job, monkeypatch):
    """Or the first of them that ended would kill the rest."""
    monkeypatch.setenv("PROC", "1")
    assert job("exit 85", *TRAIN) == 0


def test_a_controller_that_is_away_is_asked_again(job):
    """The first question of all goes unanswered here; a job that left because of it would be lost."""
    assert job("exit 85", *TRAIN) == 85
    assert times_requeued(job) == 1
    assert (job.folder / "slept.txt").read_text().splitlines() == ["10", "300"]
