"""Train one configuration; resumes where an earlier attempt stopped.

The loop is our own, not mmengine's Runner: it continues in the middle of an epoch, its draws depend on
(seed, epoch, image) only, and its checkpoints hold tensors and plain types only.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, build_optim_wrapper
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ..core.layout import StateFolder
from ..core.steps import passes_a_step, steps_of_epoch
from ..data.learnt import require_objects
from ..data.loading import (
    KeyedDataset,
    batches,
    build_dataset,
    collate,
    passes_of_epoch,
    passes_of_rank,
    require_checked_annotations,
    wide_images,
)
from ..weights import checkpoint
from ..weights.building import build_detector
from ..weights.device import choose_device
from . import finite, lease, resuming
from .exchange import exchange
from .finite import Pass
from .log import TrainLog
from .publishing import Finished
from .sampling import SamplerTaps
from .schedule import learning_rate, rate_factors
from .stopping import Interrupted, StopRequest, heed_parent_only
from .validation import Validation

log = logging.getLogger(__name__)


class Trainer:
    """One training, from its config and the state folder that survives it.

    Counts are steps of the optimiser; a step runs `passes_per_step` forward passes of a few images each,
    spread over the processes.
    """

    def __init__(self, cfg: Config, state: Path, stop: StopRequest | None = None) -> None:
        self.cfg, self.state = cfg, StateFolder(state)
        self.stop = StopRequest() if stop is None else stop  # false until a signal comes
        self.device = choose_device()
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.seed = cfg.randomness.seed
        checksum = require_checked_annotations(cfg.train_dataloader, cfg.r3cnn.data, "train")
        self.dataset = build_dataset(cfg.train_dataloader, checksum)
        if self.rank == 0:  # it looks at every image's objects, and says how many there are
            require_objects(self.dataset, cfg.train_dataloader.dataset.ann_file)
        self.detector = build_detector(cfg, self.device, self.seed).train()
        self.model = self._distributed(self.detector)
        self.optim = build_optim_wrapper(self.detector, cfg.optim_wrapper)
        self.factors = rate_factors(self.optim, cfg.optim_wrapper.optimizer.lr)
        self.taps = SamplerTaps(self.detector, self.seed)
        self.wide = wide_images(self.dataset)
        self.per_pass = cfg.train_dataloader.batch_size
        batch = cfg.auto_scale_lr.base_batch_size
        self.passes_per_step = passes_a_step(batch, self.per_pass, self.world)
        self.batch = self.passes_per_step * self.per_pass
        passes = len(passes_of_epoch(self.wide, self.per_pass, self.seed, 0))
        self.steps_per_epoch = steps_of_epoch(passes, self.passes_per_step)
        self.epochs = cfg.train_cfg.max_epochs
        self.step = 0
        self.counts: list[Tensor] = []  # (L, A, 3, B) of each finished epoch, over all processes
        self.order: list[list[tuple[int, int]]] = []  # what this process reads in the epoch
        self.loader = self._new_loader()
        self.log = TrainLog(self.state, self.rank == 0)
        self.validation = Validation(cfg, self.state)

    def _distributed(self, detector: nn.Module) -> nn.Module:
        if self.world == 1:
            return detector
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(detector, device_ids=devices, broadcast_buffers=False)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    # ------------------------------------------------------------------ state

    def resume(self) -> None:
        """Resume from the newest readable checkpoint of the state folder, if there is one."""
        found = resuming.newest_checkpoint(self.state.checkpoints)
        if found is not None:
            resuming.require_own(found, self.state.path, self.detector, self.batch)
            self.detector.load_state_dict(found["state_dict"])
            self.optim.load_state_dict(found["optimizer"])
            self.step = found["step"]
            self.counts = list(found["counts"])
            if self.rank == 0:  # the counts are those of all processes together
                self.taps.histogram.counts.copy_(found["counts_of_epoch"])
            log.info("resuming after step %d of %d", self.step, self.steps)
        self.validation.begin(self.step // self.steps_per_epoch)
        self.log.begin(self.step, self._finished())

    def _finished(self) -> bool:
        """Whether nothing is left to be trained or validated."""
        return self.step == self.steps and not self.validation.due(self.epochs)

    def content(self) -> dict:
        """A checkpoint's content."""
        counts = self.taps.histogram.counts
        earlier = torch.stack(self.counts) if self.counts else counts.new_zeros(0, *counts.shape)
        return {
            "state_dict": self.detector.state_dict(),
            "optimizer": self.optim.state_dict(),
            "step": self.step,
            "batch": self.batch,
            "counts": earlier,
            "counts_of_epoch": counts,
        }

    def finished(self) -> Finished:
        """What is published of a training that has ended."""
        return Finished(
            cfg=self.cfg,
            state=self.state,
            content=self.content(),
            counts=tuple(self.counts),
            world_size=self.world,
            batch=self.batch,
            iterations=self.step,
            epochs=self.epochs,
            attempts=self.log.attempts,
            provenance=self.log.provenance(),
        )

    def save(self) -> None:
        """Write a checkpoint of this step. Counts of an unfinished epoch are those of all processes."""
        finite.require_finite_weights(self.state.path, self.step, self.detector.state_dict())
        mine = self.taps.histogram.counts
        self.taps.histogram.counts = self._total_counts()
        if self.rank == 0:
            self.log.before_checkpoint()
            checkpoint.save_step(self.state.checkpoints, self.step, self.content())
        self.taps.histogram.counts = mine
        dist.barrier()

    def _total_counts(self) -> Tensor:
        total = self.taps.histogram.counts.clone()
        dist.all_reduce(total)
        return total

    # ------------------------------------------------------------------- loop

    def run(self, owned: lease.Lease | None = None, seconds: float = math.inf) -> None:
        """Train to the end, with a checkpoint after every epoch and within one every so many seconds.

        Raises Interrupted after a signal; UserError at a loss that is not finite, or where the lease
        was lost.
        """
        self._validate(owned)  # where an attempt was stopped in it
        while self.step < self.steps:
            if self._stopped():
                raise Interrupted(f"a signal came; nothing trained after step {self.step}")
            epoch, first = divmod(self.step, self.steps_per_epoch)
            self._run_epoch(epoch, batches(self._loader(epoch, first)), owned, seconds)
            self._validate(owned)

    def _run_epoch(
        self, epoch: int, data: Iterator[dict], owned: lease.Lease | None, seconds: float
    ) -> None:
        """Train the rest of an epoch."""
        saved, ended = time.monotonic(), False
        while not ended:
            end = saved + seconds
            stop, due = self._train_step(epoch, data, partial(self._questions, end))
            ended = self.step % self.steps_per_epoch == 0
            if ended:
                self._end_epoch()
            if stop or due or ended:
                if owned:
                    owned.require()
                self.save()
                saved = time.monotonic()
            if stop and self.step < self.steps:
                raise Interrupted(f"a signal came; stopped after step {self.step}")

    def _questions(self, end: float) -> tuple[bool, bool]:
        """Whether to stop after this step, and whether a checkpoint is due."""
        return bool(self.stop), time.monotonic() >= end

    def _validate(self, owned: lease.Lease | None) -> None:
        """At the end of an epoch: its line of validation, where one is due."""
        epoch, begun = divmod(self.step, self.steps_per_epoch)
        if not begun and self.validation.due(epoch):
            require = owned.require if owned else lambda: None
            self.validation.run(self.detector, epoch, self._stopped, require)
            self.log.time_attempt()

    def _stopped(self) -> bool:
        return self._any(bool(self.stop))[0]

    def run_steps(self, steps: int) -> None:
        """Train a few steps of the first epoch and keep nothing; for measuring."""
        self.log.begin(0, finished=False)
        data = batches(self._loader(0, 0))
        for _ in range(min(steps, self.steps_per_epoch)):
            self._train_step(0, data)

    def _new_loader(self) -> DataLoader:
        """One for all epochs, so that its processes start once."""
        workers = self.cfg.train_dataloader.num_workers
        return DataLoader(
            KeyedDataset(self.dataset, self.seed),
            batch_sampler=self.order,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            collate_fn=collate,
            worker_init_fn=heed_parent_only,
        )

    def _loader(self, epoch: int, first_step: int) -> DataLoader:
        passes = passes_of_epoch(self.wide, self.per_pass, self.seed, epoch)
        mine = passes_of_rank(
            passes, epoch, first_step, self.passes_per_step, self.rank, self.world
        )
        self.order[:] = mine
        return self.loader

    def _train_step(
        self, epoch: int, data: Iterator[dict], ask: Callable[[], Sequence[bool]] = tuple
    ) -> list[bool]:
        """Forward and backward of this process's passes, one step of the optimiser.

        ask: questions to all processes; returns for each whether any of them says yes.
        """
        begin = time.perf_counter()
        rate = learning_rate(self.cfg, self.step, self.steps_per_epoch, self.batch)
        for group, factor in zip(self.optim.param_groups, self.factors, strict=True):
            group["lr"] = rate * factor
        done = self._passes(epoch, data)
        # before the weights change, and the only time that the host waits for the device
        means, answers = self._exchanged(done, ask())
        self.optim.step()
        self.optim.zero_grad()
        self.step += 1
        self._log_step(epoch, rate, means, time.perf_counter() - begin)
        return answers

    def _passes(self, epoch: int, data: Iterator[dict]) -> list[Pass]:
        """Forward and backward of each of this process's passes."""
        passes = self.passes_per_step // self.world
        done = []
        for i in range(passes):
            batch = self.detector.data_preprocessor(next(data), True)
            ids = [sample.img_id for sample in batch["data_samples"]]
            self.taps.begin(epoch, ids)
            last = i == passes - 1
            with self._no_sync(until_last=not last), self.optim.optim_context(self.model):
                loss, terms = self._losses(batch)
                self.optim.backward(loss / passes)
            done.append(Pass(ids, {name: value.detach() for name, value in terms.items()}))
        return done

    def _losses(self, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        return self.detector.parse_losses(self.model(**batch, mode="loss"))

    def _exchanged(
        self, done: Sequence[Pass], asked: Sequence[bool]
    ) -> tuple[dict[str, float], list[bool]]:
        """The mean loss terms over all passes and processes, and for each question whether any says yes.

        Raises UserError in all processes where a loss or gradient of any is not finite.
        """
        names = list(done[0].terms)
        totals = [sum(one.terms[name] / len(done) for one in done) for name in names]
        losses = [one.terms["loss"] for one in done]
        norm = [] if isinstance(self.optim, AmpOptimWrapper) else [finite.norm(self.detector)]
        rows = exchange([*totals, *losses, *norm], asked)
        first, size = len(totals), len(totals) + len(losses) + len(norm)
        checked = [row[first:size] for row in rows]
        bad = [rank for rank, row in enumerate(checked) if not all(map(math.isfinite, row))]
        if bad:
            finite.stop(self.state.path, self.step + 1, done, self.detector, bad)
        columns = list(zip(*rows, strict=True))
        means = dict(zip(names, (sum(c) / len(c) for c in columns), strict=False))
        return means, [any(column) for column in columns[size:]]

    def _no_sync(self, until_last: bool):
        if until_last and self.world > 1:
            return self.model.no_sync()
        return contextlib.nullcontext()

    def _log_step(self, epoch: int, rate: float, means: dict[str, float], seconds: float) -> None:
        if self.rank == 0:
            values = {name: round(value, 6) for name, value in means.items()}
            place = {"epoch": epoch + 1, "iteration": self.step, "lr": rate}
            line = {**place, **values, "seconds": round(seconds, 4)}
            self.log.write(line, self.steps, self.epochs, *self.validation.to_come())

    def _any(self, *asked: bool) -> list[bool]:
        """For each question whether any process says yes; all agree, so that all write the same step."""
        if self.world == 1:
            return list(asked)
        flags = torch.tensor(asked, dtype=torch.float32, device=self.device)
        dist.all_reduce(flags, op="max")
        return flags.bool().tolist()

    def _end_epoch(self) -> None:
        self.counts.append(self._total_counts().cpu())
        self.taps.histogram.counts.zero_()
