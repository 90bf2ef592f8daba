"""One training from its config to its published results."""

import contextlib
import logging
from pathlib import Path

from mmengine import dist
from mmengine.config import Config

from ..core.files import sha256_of
from . import distributed, lease
from .publishing import publish
from .stopping import CHECKPOINT_MINUTES, StopRequest
from .trainer import Trainer

log = logging.getLogger(__name__)


def train(
    config: Path,
    cfg: Config,
    out: Path,
    state: Path,
    launcher: str = "none",
    minutes: float = CHECKPOINT_MINUTES,
    stop: StopRequest | None = None,
) -> None:
    """Train `cfg` (read from `config`) and write its results to `out`; `state` survives a stop.

    launcher: `none` for one process, `pytorch` under torchrun, `slurm` under srun; minutes: the longest time
    between two checkpoints; stop: who listens for signals already. A config has its own part of `state`:
    an edited one starts from scratch.
    """
    if stop is None:
        stop = StopRequest()
        stop.listen()
    distributed.start(launcher)
    first = dist.get_rank() == 0
    with lease.hold(state) if first else contextlib.nullcontext() as owned:
        dist.barrier()
        digest = sha256_of(config)
        own = state / digest[:12]
        if first:
            _tell_of_other_configs(state, own)
        trainer = Trainer(cfg, own, stop)
        trainer.resume()
        trainer.run(owned, minutes * 60)
        if first:
            owned.require()
            publish(trainer.finished(), digest, out)


def _tell_of_other_configs(state: Path, own: Path) -> None:
    others = [path.name for path in state.iterdir() if path.is_dir() and path != own]
    if others and not own.exists():
        log.warning(
            "%s: the config has changed, the training starts from scratch in %s; the files of other configs in %s "
            "are kept until you remove them",
            state, own.name, ", ".join(sorted(others)),
        )  # fmt: skip
