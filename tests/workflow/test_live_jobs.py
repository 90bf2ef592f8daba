"""A Snakemake that was killed leaves jobs on Slurm: the next one waits for them before it plans."""

import pytest

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


@pytest.mark.parametrize("arguments", [("-n",), ()])
def test_it_does_not_wait_for_others_or_for_a_plan(fresh, queue, arguments):
    folder = fresh.root if arguments else "/elsewhere"
    queue.write_text(f"12|RUNNING|rule_train_wildcards_one_0|{folder}\n" * 100)
    done = run(fresh, *arguments)
    assert done.returncode == 0, done.stderr
    assert MESSAGE not in done.stderr


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
