"""A training that was killed anywhere and started again ends bit-identical to one that was not."""

import os
import random
import re
import signal
import time

import pytest

from tests.faults.conftest import MODELS
from tests.faults.runs import EVERY_STEP, NEVER, Run, die, ends, train

pytestmark = pytest.mark.slow
STEPS, STEPS_PER_EPOCH = 10, 5
CONTINUE = 85


def at_losses(step: int) -> None:
    """Between forward and backward pass."""
    _die_after("_losses", lambda trainer: trainer.step + 1 >= step)


def at_gradients(step: int) -> None:
    """Between the backward pass and the optimiser's step."""
    _die_after("_exchanged", lambda trainer: trainer.step + 1 >= step)


def after_step(step: int) -> None:
    """Between a step and its checkpoint."""
    _die_after("_train_step", lambda trainer: trainer.step >= step)


def _die_after(method: str, when) -> None:
    from r3cnn.training.trainer import Trainer

    def dying(trainer, *arguments):
        found = original(trainer, *arguments)
        if when(trainer):
            die()
        return found

    original = getattr(Trainer, method)
    setattr(Trainer, method, dying)


def in_log(step: int) -> None:
    """With half a line of the log written."""
    from r3cnn.training.log import TrainLog

    def half(log, line, *_):
        if line["iteration"] >= step:
            log.file.write(repr(line)[:40])
            log.file.flush()
            die()
        write(log, line, *_)

    write, TrainLog.write = TrainLog.write, half


def in_checkpoint(step: int) -> None:
    """With half a checkpoint written."""
    import io

    import torch

    def half(content, file):
        if content["step"] < step:
            return save(content, file)
        whole = io.BytesIO()
        save(content, whole)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        die()

    save, torch.save = torch.save, half


def after_checkpoint(step: int) -> None:
    """With a checkpoint in its place and old ones not yet removed."""

    def replace(source, target):
        rename(source, target)
        found = re.fullmatch(r"step_(\d+)\.pth", os.path.basename(target))
        if found and int(found[1]) >= step:
            die()

    rename, os.replace = os.replace, replace


def in_publishing(_step: int) -> None:
    """With some of the results in place."""
    _die_in("r3cnn.training.publishing.manifest", lambda *_: True)


def _die_in(name: str, condition) -> None:
    import pkgutil

    owner, _, attribute = name.rpartition(".")
    owner = pkgutil.resolve_name(owner)

    def deadly(*arguments):
        if condition(*arguments):
            die()
        return original(*arguments)

    original = getattr(owner, attribute)
    setattr(owner, attribute, deadly)


PLACES = (at_losses, at_gradients, after_step, in_log, in_checkpoint, after_checkpoint)


def kills(count: int) -> list:
    """Random places and iterations, the same in every run of the tests; each place and model is met."""
    draw = random.Random(2024)
    found = []
    for i in range(count):
        model = list(MODELS)[i % len(MODELS)]
        place = PLACES[i % len(PLACES)] if i < 2 * len(PLACES) else draw.choice(PLACES)
        step, seconds = draw.randint(1, STEPS), draw.choice((EVERY_STEP, NEVER))
        often = "every step" if seconds == EVERY_STEP else "every epoch"
        found.append(
            pytest.param(
                model,
                place,
                step,
                seconds,
                id=f"{i + 1}-{model}-{place.__name__}-{step}-{often}",
                marks=[pytest.mark.gate] if i == 0 else [],
            )
        )
    return found


@pytest.mark.parametrize(("model", "place", "step", "seconds"), kills(25))
def test_killed_once(warm, undisturbed, tmp_path, model, place, step, seconds):
    expected = undisturbed(model)
    run = Run(expected.config, tmp_path, seconds)
    assert warm.run(tmp_path / "first.log", train, run, place, step).code == -9
    assert not (run.out / "manifest.json").exists()
    ended = warm.run(tmp_path / "second.log", train, run)
    assert ended.code == 0, ended.output
    assert run.result() == expected.result()
    assert len(run.manifest()["attempts"]) == (1 if "published again" in ended.output else 2)
    assert not list(run.folder.rglob(".*")), "half-written files are left"
    assert not list(run.folder.rglob("*.broken")), "a checkpoint was there in part"
    assert len(run.checkpoints) == 2


def test_killed_again_and_again(warm, undisturbed, tmp_path):
    expected = undisturbed("r3_naive")
    run = Run(expected.config, tmp_path, EVERY_STEP)
    for step, place in ((3, in_log), (4, in_checkpoint), (6, at_losses), (8, after_checkpoint)):
        assert warm.run(tmp_path / "killed.log", train, run, place, step).code == -9
    assert warm.run(tmp_path / "killed.log", train, run, in_publishing, 0).code == -9
    ended = warm.run(tmp_path / "last.log", train, run)
    assert ended.code == 0, ended.output
    assert "published again" in ended.output
    assert run.result() == expected.result()
    manifest = run.manifest()
    assert len(manifest["attempts"]) == 5  # publishing again trained nothing
    assert manifest["seconds"] == pytest.approx(sum(a["seconds"] for a in manifest["attempts"]))
    assert all(a["process_seconds"] > a["seconds"] - 0.01 for a in manifest["attempts"])


def at_step(step: int, number: int) -> None:
    """Have the process send itself a signal in the middle of a step."""
    from r3cnn.training.trainer import Trainer

    def signalled(trainer, batch):
        if trainer.step + 1 == step:
            os.kill(os.getpid(), number)
        return original(trainer, batch)

    original, Trainer._losses = Trainer._losses, signalled


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("step", [2, 5, 7, 10])
def test_a_signal_is_answered_with_a_checkpoint(warm, undisturbed, tmp_path, name, step):
    expected = undisturbed("r3_naive")
    run = Run(expected.config, tmp_path)
    ended = warm.run(tmp_path / "first.log", train, run, at_step, step, getattr(signal, name))
    assert ended.code == (CONTINUE if step < STEPS else 0)  # after the last step all is done
    assert run.checkpoints[-1].name == f"step_{step:08d}.pth"
    if step < STEPS:
        assert f"stopped after step {step}; run the same command" in ended.output
        assert warm.run(tmp_path / "second.log", train, run).code == 0
    assert run.result() == expected.result()


def before_the_first_step(number: int) -> None:
    """A signal that comes while the training is still being built."""
    from r3cnn.training.trainer import Trainer

    def resume(trainer):
        os.kill(os.getpid(), number)
        original(trainer)

    original, Trainer.resume = Trainer.resume, resume


def test_a_signal_before_the_first_step_trains_nothing(warm, undisturbed, tmp_path):
    run = Run(undisturbed("r3_naive").config, tmp_path)
    ended = warm.run(tmp_path / "log", train, run, before_the_first_step, signal.SIGTERM)
    assert ended.code == CONTINUE
    assert "nothing trained after step 0" in ended.output
    assert not run.checkpoints


def test_a_signal_from_outside_is_answered_within_30_seconds(warm, undisturbed, tmp_path):
    expected = undisturbed("r3_advanced")
    run = Run(expected.config, tmp_path)
    log = tmp_path / "first.log"
    with ends(warm.start(log, train, run)) as process:
        until(lambda: list(run.state.glob("*/train.jsonl")))
        process.terminate()
        asked = time.monotonic()
        assert warm.end(process, log).code == CONTINUE
        assert time.monotonic() - asked < 30
    assert warm.run(tmp_path / "second.log", train, run).code == 0
    assert run.result() == expected.result()


def until(condition, seconds: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
