"""The learning rate of a step, from the config's param_scheduler (as mmdet 2.3 computed it)."""

from mmengine.config import Config
from mmengine.optim import OptimWrapper


def learning_rate(cfg: Config, step: int, steps_per_epoch: int, batch: int) -> float:
    """Learning rate of optimiser step `step` (from 0), scaled linearly to the real batch.

    Linear warm-up from start_factor over `end` steps, times gamma for each epoch of `milestones` passed.
    """
    rate = cfg.optim_wrapper.optimizer.lr * batch / cfg.auto_scale_lr.base_batch_size
    for part in cfg.param_scheduler:
        if part.type == "LinearLR" and step < part.end:
            rate *= part.start_factor + (1 - part.start_factor) * step / part.end
        elif part.type == "MultiStepLR":
            epoch = step // steps_per_epoch
            rate *= part.gamma ** sum(epoch >= milestone for milestone in part.milestones)
    return rate


def rate_factors(optim: OptimWrapper, rate: float) -> list[float]:
    """What each group's learning rate is multiplied by, as `paramwise_cfg` asks; `rate`: the optimiser's own."""
    return [group["lr"] / rate for group in optim.param_groups]
