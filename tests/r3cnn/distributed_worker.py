"""One process of a distributed training, started by test_distributed.py with torchrun's variables.

Usage: python -m tests.r3cnn.distributed_worker STEPS OUT CONFIG...
Trains some steps of each config and writes OUT/<name>.rank<r>.pt: losses and gradients' momentum.
"""

import sys
from pathlib import Path

import torch
from mmengine import dist

from r3cnn.config.load import load_config
from r3cnn.ops.backend import back_end
from r3cnn.training import distributed
from r3cnn.training.trainer import Trainer


def trained(config: Path, state: Path, steps: int) -> dict:
    """The log, momentum (after one step: gradient + weight decay), objects a pass, IoU counts, operators."""
    trainer = Trainer(load_config(config), state)
    objects = []
    forward = trainer.detector.forward

    def counting(inputs, data_samples, mode):
        objects.append(sum(len(sample.gt_instances) for sample in data_samples))
        return forward(inputs, data_samples, mode=mode)

    trainer.detector.forward = counting
    trainer.run_steps(steps)
    names = {id(p): name for name, p in trainer.detector.named_parameters()}
    optimizer = trainer.optim.optimizer
    momentum = {
        names[id(p)]: s["momentum_buffer"]
        for p, s in optimizer.state.items()
        if "momentum_buffer" in s
    }
    log = (state / "train.jsonl").read_text() if trainer.rank == 0 else ""
    counts = trainer.taps.histogram.counts
    return {
        "momentum": momentum,
        "log": log,
        "objects": objects,
        "counts": counts,
        "operators": back_end(),
    }


def main(steps: int, out: Path, configs: list[Path]) -> None:
    """Train each config and write what came out."""
    torch.set_num_threads(1)
    distributed.start("pytorch")
    for config in configs:
        state = out / f"{config.stem}.state{dist.get_rank()}"
        found = trained(config, state, steps)
        torch.save(found, out / f"{config.stem}.rank{dist.get_rank()}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
