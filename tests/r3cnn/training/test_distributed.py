"""Two processes train what one process trains that averages the losses of both halves."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from tests.r3cnn import tiny

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow


def written(training: str, shapes: dict, folder: Path, per_pass: int, norm_eval: bool) -> Path:
    """A resolved smoke config with passes of `per_pass` images, two passes a step."""
    scale = dataclasses.replace(load_scale("smoke"), batch=2 * per_pass, per_pass=per_pass)
    cfg = resolve(tiny.entry(training), scale, 0, shapes)
    if norm_eval:
        cfg.model.backbone.norm_eval = True
    path = folder / f"{training}.py"
    path.write_text(cfg.pretty_text)
    return path


def in_two_processes(steps: int, out: Path, configs: list[Path]) -> None:
    """Run the worker as two gloo processes; both must end well within the limit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = []
    for rank in (0, 1):
        env = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        module = [sys.executable, "-m", "tests.r3cnn.distributed_worker"]
        log = open(out / f"rank{rank}.log", "w")  # noqa: SIM115 - as long as the process runs
        workers.append(
            subprocess.Popen(
                [*module, str(steps), str(out), *map(str, configs)],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
            )
        )
    try:
        codes = [worker.wait(timeout=500) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert codes == [0, 0], "\n".join((out / f"rank{r}.log").read_text()[-3000:] for r in (0, 1))


@pytest.mark.parametrize("training", ["mask_1x", "r3_advanced"])
def test_two_processes_equal_one_that_averages_both_halves(training, shapes, tmp_path):
    from tests.r3cnn.distributed_worker import trained

    config = written(training, shapes, tmp_path, per_pass=2, norm_eval=True)
    one = trained(config, tmp_path / "one", steps=1)
    in_two_processes(1, tmp_path, [config])
    first, second = (torch.load(tmp_path / f"{training}.rank{r}.pt") for r in (0, 1))
    assert first["objects"] + second["objects"] == one["objects"]
    assert first["objects"] != second["objects"]  # unequal halves, else nothing is shown
    assert torch.equal(first["counts"] + second["counts"], one["counts"])
    losses = [json.loads(found["log"]) for found in (one, first)]
    for name, value in losses[0].items():
        if "loss" in name:
            assert losses[1][name] == pytest.approx(value, rel=2e-5, abs=2e-6), name
    assert one["momentum"].keys() == first["momentum"].keys()
    for name, gradient in one["momentum"].items():
        for found in (first, second):
            off = (found["momentum"][name] - gradient).norm() / (gradient.norm() + 1e-12)
            assert off <= 2e-3 or gradient.norm() < 1e-6, name


def test_no_training_leaves_a_parameter_without_gradient(shapes, tmp_path):
    """DistributedDataParallel notices it in the forward pass of the next step."""
    configs = [written(id_, shapes, tmp_path, per_pass=1, norm_eval=False) for id_ in tiny.IDS]
    in_two_processes(2, tmp_path, configs)
    assert len(list(tmp_path.glob("*.rank0.pt"))) == 17
