"""What a state folder is good for, and what it is not used for."""

import os
import signal
import subprocess

import pytest
import yaml

from tests.faults.runs import EVERY_STEP, SCALE, Run, command, ends, train
from tests.faults.test_killed import CONTINUE, after_step, at_step, until

pytestmark = pytest.mark.slow


def resolved(warm, base, data, out, **changes):
    """A config of r3_naive at the tiny scale, changed."""
    scale = out.with_suffix(".yaml")
    scale.write_text(yaml.safe_dump(yaml.safe_load(SCALE.read_text()) | changes))
    arguments = ("--training", "r3_2loops", "--scale", scale, "--data", data, "--out", out)
    ended = warm.run(out.with_suffix(".log"), command, "resolve", *arguments)
    assert ended.code == 0, ended.output
    return out


def test_an_edited_config_starts_anew_and_the_old_one_can_go_on(
    warm, undisturbed, base, data, tmp_path
):
    expected = undisturbed("r3_naive")
    config = tmp_path / "config.py"
    config.write_bytes(expected.config.read_bytes())
    run = Run(config, tmp_path, EVERY_STEP)
    assert warm.run(tmp_path / "1.log", train, run, after_step, 4).code == -9

    resolved(warm, base, data, tmp_path / "config.py", lr=0.004)
    ended = warm.run(tmp_path / "2.log", train, run)
    assert ended.code == 0
    assert "the config has changed, the training starts from scratch" in ended.output
    assert "resuming" not in ended.output
    assert run.result()["log"] != expected.result()["log"]
    assert len(run.manifest()["attempts"]) == 1

    config.write_bytes(expected.config.read_bytes())
    ended = warm.run(tmp_path / "3.log", train, run)
    assert "resuming after step 3 of 10" in ended.output
    assert run.result() == expected.result()


def test_a_finished_state_is_published_again_with_new_dates(warm, undisturbed, tmp_path):
    run = Run(undisturbed("mask_rcnn").config, tmp_path)
    assert warm.run(tmp_path / "1.log", train, run).code == 0
    first, files = run.result(), sorted(run.out.iterdir())
    assert len(files) == 5
    for path in files:
        os.utime(path, (1, 1))
    manifest = run.manifest()
    assert warm.run(tmp_path / "2.log", train, run).code == 0
    assert all(path.stat().st_mtime > 1 for path in files)
    assert run.result() == first
    assert run.manifest() == manifest


def other_sources() -> None:
    """As if the sources had been edited since."""
    from r3cnn.core import provenance

    provenance.source_hash = lambda part: "0" * 64


def test_results_of_other_sources_say_so(warm, undisturbed, tmp_path):
    """A finished state must not pass for one that the present sources trained; nor one half of each."""
    run = Run(undisturbed("mask_rcnn").config, tmp_path, EVERY_STEP)
    assert warm.run(tmp_path / "1.log", train, run, at_step, 3, signal.SIGTERM).code == CONTINUE
    ended = warm.run(tmp_path / "2.log", train, run, other_sources)
    assert ended.code == 0
    assert "trained by other sources than the present ones" in ended.output
    theirs = run.manifest()["attempts"][0]["source_sha256"]
    assert run.manifest()["source_sha256"] == theirs != "0" * 64


@pytest.mark.parametrize("fault", ["half", "flipped bit", "empty"])
def test_a_broken_newest_checkpoint(warm, undisturbed, tmp_path, fault):
    expected = undisturbed("r3_naive")
    run = Run(expected.config, tmp_path, EVERY_STEP)
    assert warm.run(tmp_path / "1.log", train, run, at_step, 6, signal.SIGUSR1).code == CONTINUE
    newest = run.checkpoints[-1]
    content = bytearray(newest.read_bytes())
    if fault == "flipped bit":
        content[len(content) // 2] ^= 4
    newest.write_bytes({"half": content[: len(content) // 2], "empty": b""}.get(fault, content))
    ended = warm.run(tmp_path / "2.log", train, run)
    assert ended.code == 0
    assert f"{newest}: truncated or corrupt" in ended.output
    assert "resuming after step 5 of 10" in ended.output
    assert run.result() == expected.result()


def test_a_second_trainer_is_turned_away(warm, undisturbed, tmp_path):
    expected = undisturbed("r3_naive")
    run = Run(expected.config, tmp_path)
    with ends(warm.start(tmp_path / "1.log", train, run, slowly)) as first:
        until(lambda: list(run.state.glob("*/train.jsonl")))
        second = warm.run(tmp_path / "2.log", train, run, quick_lease)
        assert second.code == 1
        assert f"process {first.pid} on " in second.error
        assert "is training here" in second.error
        assert warm.end(first, tmp_path / "1.log").code == 0
    assert run.result() == expected.result()


def slowly() -> None:
    """A trainer that takes its time."""
    import time

    from r3cnn.training.trainer import Trainer

    def slow(*arguments):
        time.sleep(0.5)
        original(*arguments)

    original, Trainer._log_step = Trainer._log_step, slow
    quick_lease()


def quick_lease() -> None:
    """A heartbeat that tests can wait for."""
    from r3cnn.training import lease

    lease.hold.__wrapped__.__defaults__ = (0.2,)


def test_a_signal_to_the_whole_job_does_not_end_the_loaders_first(
    warm, undisturbed, base, data, tmp_path
):
    """Slurm sends SIGTERM to every process of a job, the loaders' workers among them."""
    expected = undisturbed("r3_naive")
    run = Run(resolved(warm, base, data, tmp_path / "config.py", workers=2), tmp_path)
    ended = warm.run(tmp_path / "1.log", train, run, signal_to_all, 3)
    assert ended.code == CONTINUE, ended.output
    ended = warm.run(tmp_path / "2.log", train, run)
    assert ended.code == 0, ended.output
    assert run.result() == expected.result()  # nor does the number of workers matter


def signal_to_all(step: int) -> None:
    """SIGTERM to this process and its workers in the middle of a step."""
    from r3cnn.training.trainer import Trainer

    def signalled(trainer, batch):
        if trainer.step + 1 == step:
            subprocess.run(["kill", "-TERM", "--", f"-{os.getpgid(0)}"], check=False)
        return original(trainer, batch)

    os.setsid()
    original, Trainer._losses = Trainer._losses, signalled


@pytest.mark.parametrize("place", ["loss", "gradient", "weights"])
def test_numbers_that_are_not_finite(warm, undisturbed, tmp_path, place):
    expected = undisturbed("mask_rcnn")
    run = Run(expected.config, tmp_path, EVERY_STEP)
    ended = warm.run(tmp_path / "1.log", train, run, spoil, place, 4)
    assert ended.code == 1
    found = {
        "loss": "loss_mask nan",
        "gradient": "gradient of ",
        "weights": "weight not finite",
    }[place]
    assert "iteration 4" in ended.error
    assert found in ended.error
    assert "is kept" in ended.error
    assert "images [" in ended.error or place == "weights"
    assert run.checkpoints[-1].name == "step_00000003.pth"
    assert not run.out.exists()
    assert warm.run(tmp_path / "2.log", train, run).code == 0  # the fault was planted, not trained
    assert run.result() == expected.result()


def spoil(place: str, step: int) -> None:
    """Have a NaN appear in one iteration: in a loss, in a gradient behind a sound loss, or in a weight."""
    import torch

    from r3cnn.training.trainer import Trainer

    def spoilt(trainer, *arguments):
        weight = trainer.detector.roi_head.bbox_head.fc_cls.weight
        hook = weight.register_hook(lambda gradient: gradient * float("nan"))
        if place != "gradient" or trainer.step + 1 != step:
            hook.remove()
        if place == "loss" and trainer.step + 1 == step:
            head = trainer.detector.roi_head
            mask_loss = head.mask_loss
            head.mask_loss = lambda *a: _with_nan(mask_loss(*a))
        answers = original(trainer, *arguments)
        if place == "weights" and trainer.step == step:
            with torch.no_grad():
                weight[0, 0] = float("nan")
        return answers

    original, Trainer._train_step = Trainer._train_step, spoilt


def _with_nan(result: dict) -> dict:
    losses = result["loss_mask"]
    return {**result, "loss_mask": {**losses, "loss_mask": losses["loss_mask"] * float("nan")}}


@pytest.mark.parametrize("step", [3, 5])
def test_two_processes(warm, undisturbed, base, data, tmp_path, step):
    """Killed both in the middle of an epoch and at its end; counts are summed over the processes once."""
    config = resolved(warm, base, data, tmp_path / "config.py", per_pass=1)
    whole, run = Run(config, tmp_path / "whole"), Run(config, tmp_path / "run", EVERY_STEP)
    assert together(warm, whole) == [0, 0]
    first, second = together(warm, run, kill_one, step)
    assert second == -9
    assert first != 0  # killed, or it noticed first
    assert together(warm, run) == [0, 0]
    assert run.result() == whole.result()
    assert run.manifest()["world_size"] == 2


def together(warm, run, *plant) -> list[int]:
    """Train in two processes; where one dies the other is killed, as launchers do."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run.folder.mkdir(exist_ok=True)
    logs = [run.folder / f"rank{rank}.log" for rank in (0, 1)]
    processes = [warm.start(log, ranked, run, rank, port, *plant) for rank, log in enumerate(logs)]
    first, second = processes
    with ends(first), ends(second):
        until(lambda: any(process.exitcode is not None for process in processes), 120)
        for process in processes:
            process.join(10 if not plant else 0.5)
            process.kill()
            process.join()
    codes = [process.exitcode for process in processes]
    if not plant:
        assert codes == [0, 0], "\n".join(log.read_text() for log in logs)
    return codes


def ranked(run: Run, rank: int, port: int, *plant) -> None:
    """One of two processes, with the variables that torchrun sets."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    from r3cnn.training import distributed

    start = distributed.start
    distributed.start = lambda launcher: start("pytorch")
    train(run, *plant)


def kill_one(step: int) -> None:
    """The second process dies."""
    if os.environ["RANK"] == "1":
        after_step(step)
