"""A Snakemake that was killed leaves jobs on Slurm: the next one waits for them before it plans."""

import os
import subprocess

import pytest

from tests.workflow.trees import ROOT

SCRIPT = ROOT / "workflow" / "scripts" / "wait_for_jobs.sh"
MESSAGE = "Waiting for jobs that an earlier run left on Slurm"


@pytest.fixture
def queue(fresh, tmp_path, monkeypatch):
    """A squeue whose answers, one a call and then none, the test writes."""
    answers = tmp_path / "answers"
    script = f"#!/bin/sh\nhead -n 1 {answers}; sed -i 1d {answers}\n"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "squeue").write_text(script)
    (tmp_path / "bin" / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (fresh.root / "own.yaml").write_text("extends: nothing\ntrainings: {one: {model: htc}}\n")
    return answers


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """What a squeue does, as a shell script that the test writes."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "squeue").write_text(f"#!/bin/sh\n. {tmp_path}/answers\n")
    (tmp_path / "bin" / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path / "answers"


def run(fresh, *arguments: str):
    return fresh.snakemake(
        *arguments, "--cores", "2", "--config", "catalogue=own.yaml", check=False
    )


def test_it_waits_and_names_them(fresh, queue):
    here = f"12|RUNNING|rule_train_wildcards_one_0|{fresh.root}\n"
    queue.write_text(here + here.replace("RUNNING", "PENDING"))
    done = run(fresh)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(MESSAGE) == 2  # it speaks again where something has changed
    assert "  job 12, running: rule_train_wildcards_one_0\n" in done.stderr
    assert queue.read_text() == ""


@pytest.fixture
def queue_of_script(tmp_path, monkeypatch):
    """A squeue whose answers, one a call and then none, the test writes."""
    answers = tmp_path / "lines"
    (tmp_path / "bin").mkdir()
    script = f"#!/bin/sh\nhead -n 1 {answers}; sed -i 1d {answers}\n"
    (tmp_path / "bin" / "squeue").write_text(script)
    (tmp_path / "bin" / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return answers


READ_ONLY = (["-n"], ["--lint"], ["--summary"])


@pytest.mark.parametrize("arguments", READ_ONLY, ids=lambda arguments: arguments[0])
def test_what_runs_nothing_does_not_wait(fresh, queue, arguments):
    queue.write_text(f"12|RUNNING|rule_train_wildcards_one_0|{fresh.root}\n" * 100)
    done = run(fresh, *arguments)
    assert MESSAGE not in done.stderr
    assert len(queue.read_text().splitlines()) == 100  # it was not even asked


def wait(folder, *arguments: str, **variables: str):
    """The script itself, which is what a run waits by."""
    return subprocess.run(
        ["bash", SCRIPT, *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["My Drive", r"a\new|folder's $(x)"])
def test_jobs_of_a_folder_with_an_awkward_name_are_waited_for(tmp_path, queue_of_script, name):
    folder = tmp_path / name
    folder.mkdir()
    queue_of_script.write_text(f"12|RUNNING|rule_train|{folder}\n")
    assert "  job 12, running: rule_train\n" in wait(folder).stderr


def test_sessions_other_folders_and_the_job_that_it_runs_in_do_not_count(tmp_path, answers):
    lines = [
        f"11|RUNNING||{tmp_path}",  # salloc, Jupyter, sbatch run.sh
        f"12|RUNNING|my session|{tmp_path}",
        f"13|RUNNING|rule_all|{tmp_path}",
        "14|RUNNING|rule_train_wildcards_one_0|/elsewhere",
    ]
    answers.write_text("printf '%s\\n' '" + "' '".join(lines) + "'\n")
    done = wait(tmp_path, SLURM_JOB_ID="13")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("comment", ["rule_train_wildcards_one_0", "group_train"])
def test_jobs_of_snakemake_do(tmp_path, answers, comment):
    answers.write_text(f"echo '12|PENDING|{comment}|{tmp_path}'\necho >{answers}\n")
    done = wait(tmp_path)
    assert done.returncode == 0
    assert f"  job 12, pending: {comment}\n" in done.stderr


def test_a_squeue_that_fails_is_asked_again(tmp_path, answers):
    answers.write_text(f"echo >{answers}\nexit 1\n")
    done = wait(tmp_path, SLURM_CONF=str(answers))
    assert done.returncode == 0
    assert done.stderr.count("squeue does not answer") == 1


def test_a_slurm_that_stays_silent_is_not_an_empty_one(tmp_path, answers):
    answers.write_text("exit 1\n")
    assert wait(tmp_path, "0", SLURM_CONF=str(answers)).returncode == 1
    # the package alone is no cluster
    assert wait(tmp_path, "0", SLURM_CONF=str(tmp_path / "none")).returncode == 0


def test_it_leaves_a_locked_folder_to_snakemake(fresh, queue):
    run(fresh, "-n")
    locks = fresh.root / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.input.lock").write_text("results/smoke/data.json\n")
    (locks / "0.output.lock").write_text("results/smoke/data.json\n")
    queue.write_text(f"12|RUNNING|rule_train_wildcards_one_0|{fresh.root}\n" * 100)
    done = run(fresh)
    assert done.returncode == 1
    assert "LockException" in done.stderr
    assert MESSAGE not in done.stderr
