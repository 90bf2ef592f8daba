"""Train one configuration; goes on from where an earlier attempt stopped.

The loop is our own, not mmengine's Runner: it continues in the middle of an epoch, its draws depend on
(seed, epoch, image) only, and its checkpoints hold tensors and plain types only.
"""

import logging
import math
import shutil
import signal
import time
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from . import checkpoint, provenance
from .building import build_detector, choose_device
from .data.loading import (
    KeyedDataset,
    build_dataset,
    collate,
    passes_of_epoch,
    passes_of_rank,
    steps_of_epoch,
    wide_images,
)
from .draws import SamplerTaps
from .errors import UserError
from .files import replacing, sha256_of, write_atomically, write_json
from .iou_histogram import rows_of_epoch, to_csv
from .schedule import learning_rate
from .train_log import TrainLog

log = logging.getLogger(__name__)
TO_BE_CONTINUED = 85


class Interrupted(Exception):
    """A signal asked for an end; a checkpoint was written, the same command goes on from it."""


class Trainer:
    """One training, from its config and the state folder that survives it.

    Counts are steps of the optimiser; a step runs `passes_per_step` forward passes of a few images each,
    spread over the processes.
    """

    def __init__(self, cfg: Config, state: Path) -> None:
        self.cfg, self.state = cfg, state
        self.device = choose_device()
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.seed = cfg.randomness.seed
        self.dataset = build_dataset(cfg.train_dataloader)
        if len(self.dataset) == 0:
            raise UserError(
                f"{cfg.train_dataloader.dataset.ann_file}: no image with objects to train on"
            )
        self.detector = build_detector(cfg, self.device, self.seed).train()
        self.model = self._distributed(self.detector)
        self.optim = build_optim_wrapper(self.detector, cfg.optim_wrapper)
        self.taps = SamplerTaps(self.detector, self.seed)
        self.wide = wide_images(self.dataset)
        self.per_pass = cfg.train_dataloader.batch_size
        wanted = max(1, cfg.auto_scale_lr.base_batch_size // self.per_pass)
        self.passes_per_step = math.ceil(wanted / self.world) * self.world
        self.batch = self.passes_per_step * self.per_pass
        passes = len(passes_of_epoch(self.wide, self.per_pass, self.seed, 0))
        self.steps_per_epoch = steps_of_epoch(passes, self.passes_per_step)
        self.epochs = cfg.train_cfg.max_epochs
        self.step = 0
        self.counts: list[Tensor] = []  # (L, A, 3, B) of each finished epoch, over all processes
        self.stop_signal: int | None = None
        self.log = TrainLog(state, self.rank == 0)

    def _distributed(self, detector: nn.Module) -> nn.Module:
        if self.world == 1:
            return detector
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(detector, device_ids=devices, broadcast_buffers=False)

    # ------------------------------------------------------------------ state

    def resume(self) -> None:
        """Go on from the newest readable checkpoint of the state folder, if there is one."""
        found = checkpoint.load_newest(self.state / "checkpoints")
        if found is not None:
            self.detector.load_state_dict(found["state_dict"])
            self.optim.load_state_dict(found["optimizer"])
            self.step = found["step"]
            self.counts = list(found["counts"])
            if self.rank == 0:  # the counts are those of all processes together
                self.taps.histogram.counts.copy_(found["counts_of_epoch"])
            log.info("resuming after step %d of %d", self.step, self.steps)
        self.log.begin(self.step)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    def content(self) -> dict:
        """A checkpoint's content."""
        counts = self.taps.histogram.counts
        return {
            "state_dict": self.detector.state_dict(),
            "optimizer": self.optim.state_dict(),
            "step": self.step,
            "counts": torch.stack(self.counts)
            if self.counts
            else counts.new_zeros(0, *counts.shape),
            "counts_of_epoch": counts,
        }

    def save(self) -> None:
        """Write a checkpoint of this step. Counts of an unfinished epoch are those of all processes."""
        mine = self.taps.histogram.counts
        total = mine.clone()
        dist.all_reduce(total)
        self.taps.histogram.counts = total
        if self.rank == 0:
            checkpoint.save_step(self.state / "checkpoints", self.step, self.content())
            self.log.checkpoint_written()
        self.taps.histogram.counts = mine
        dist.barrier()

    # ------------------------------------------------------------------- loop

    def run(self) -> None:
        """Train to the end. Raises Interrupted after a signal, UserError at a loss that is not finite."""
        while self.step < self.steps:
            epoch, first = divmod(self.step, self.steps_per_epoch)
            batches = iter(self._loader(epoch, first))
            for _ in range(first, self.steps_per_epoch):
                self._train_step(epoch, batches)
                if self._asked_to_stop():
                    self.save()
                    raise Interrupted(
                        f"stopped by signal {self.stop_signal} after step {self.step}"
                    )
            self._end_epoch()
            self.save()

    def run_steps(self, steps: int) -> None:
        """Train a few steps of the first epoch and keep nothing; for measuring."""
        self.log.begin(0)
        batches = iter(self._loader(0, 0))
        for _ in range(min(steps, self.steps_per_epoch)):
            self._train_step(0, batches)

    def _loader(self, epoch: int, first_step: int) -> DataLoader:
        passes = passes_of_epoch(self.wide, self.per_pass, self.seed, epoch)
        mine = passes_of_rank(
            passes, epoch, first_step, self.passes_per_step, self.rank, self.world
        )
        return DataLoader(
            KeyedDataset(self.dataset, self.seed),
            batch_sampler=list(mine),
            num_workers=self.cfg.train_dataloader.num_workers,
            collate_fn=collate,
        )

    def _train_step(self, epoch: int, batches) -> None:
        """Forward and backward of this process's passes, one step of the optimiser."""
        begin = time.perf_counter()
        rate = learning_rate(self.cfg, self.step, self.steps_per_epoch, self.batch)
        for group in self.optim.param_groups:
            group["lr"] = rate
        passes = self.passes_per_step // self.world
        totals: dict[str, Tensor] = {}
        for i in range(passes):
            data = self.detector.data_preprocessor(next(batches), True)
            ids = [sample.img_id for sample in data["data_samples"]]
            self.taps.begin(epoch, ids)
            last = i == passes - 1
            with self._no_sync(until_last=not last), self.optim.optim_context(self.model):
                loss, terms = self.detector.parse_losses(self.model(**data, mode="loss"))
                self._check_finite(terms, ids)
                self.optim.backward(loss / passes)
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.detach() / passes
        self.optim.step()
        self.optim.zero_grad()
        self.step += 1
        self._log_step(epoch, rate, totals, time.perf_counter() - begin)

    def _no_sync(self, until_last: bool):
        if until_last and self.world > 1:
            return self.model.no_sync()
        return torch.enable_grad()

    def _check_finite(self, terms: dict[str, Tensor], ids: list[int]) -> None:
        """Stop before a bad gradient touches the weights; the last good checkpoint stays."""
        if torch.isfinite(terms["loss"]):
            return
        bad = [name for name, value in terms.items() if not torch.isfinite(value)]
        raise UserError(
            f"{self.state}: iteration {self.step + 1}, images {ids}: {', '.join(bad)} not finite; the last "
            "checkpoint is kept; look at these images, or lower `lr` in the scale"
        )

    def _log_step(self, epoch: int, rate: float, totals: dict[str, Tensor], seconds: float) -> None:
        if self.world > 1:
            dist.all_reduce_dict(totals, op="mean")
        if self.rank == 0:
            values = {name: round(float(value), 6) for name, value in totals.items()}
            place = {"epoch": epoch + 1, "iteration": self.step, "lr": rate}
            self.log.write(
                {**place, **values, "seconds": round(seconds, 4)}, self.steps, self.epochs
            )

    def _asked_to_stop(self) -> bool:
        """Whether any process was sent a signal; all agree, so that all write the same step."""
        if self.world == 1:
            return self.stop_signal is not None
        flag = torch.tensor(float(self.stop_signal is not None), device=self.device)
        dist.all_reduce(flag, op="max")
        return bool(flag)

    def _end_epoch(self) -> None:
        counts = self.taps.histogram.counts
        total = counts.clone()
        dist.all_reduce(total)
        self.counts.append(total)
        counts.zero_()

    # ---------------------------------------------------------------- results

    def publish(self, config: Path, out: Path) -> None:
        """Write the results of a finished training: the manifest last."""
        rows = [row for i, counts in enumerate(self.counts, 1) for row in rows_of_epoch(i, counts)]
        write_atomically(out / "iou_histogram.csv", to_csv(rows))
        with replacing(out / "train.jsonl") as temporary:
            shutil.copyfile(self.log.path, temporary)
        checkpoint.save(out / "checkpoint.pth", self.content())
        write_json(out / "manifest.json", self.manifest(config))

    def manifest(self, config: Path) -> dict:
        """What was run, on what, by what, at what cost."""
        facts = self.cfg.r3cnn
        attempts = self.log.attempts
        return {
            **{
                key: facts[key]
                for key in ("training", "seed", "scale", "schedule", "loops_trained")
            },
            "config_sha256": sha256_of(config),
            **provenance.record(),
            "world_size": self.world,
            "batch": self.batch,
            "lr": self.cfg.optim_wrapper.optimizer.lr
            * self.batch
            / self.cfg.auto_scale_lr.base_batch_size,
            "data": facts.data,
            "iterations": self.step,
            "epochs": self.epochs,
            "start": attempts[0]["start"],
            "end": attempts[-1]["end"],
            "attempts": attempts,
            "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
        }


def train(config: Path, cfg: Config, out: Path, state: Path, launcher: str = "none") -> None:
    """Train `cfg` (read from `config`) and write its results to `out`; `state` survives a stop.

    launcher: `none` for one process, `pytorch` under torchrun, `slurm` under srun.
    """
    if launcher != "none":
        dist.init_dist(launcher, backend="nccl" if torch.cuda.is_available() else "gloo")
    trainer = Trainer(cfg, state)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda got, _frame: setattr(trainer, "stop_signal", got))
    trainer.resume()
    trainer.run()
    if trainer.rank == 0:
        trainer.publish(config, out)
