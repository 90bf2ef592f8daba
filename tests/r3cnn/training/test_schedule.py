"""The learning rate of a step is mmdet 2.3's, and mmengine's but for one step of the warm-up."""

import pytest
import torch
from mmengine.optim import LinearLR, MultiStepLR, build_optim_wrapper

from r3cnn.training.schedule import learning_rate, rate_factors
from tests.r3cnn import tiny


@pytest.fixture(scope="module")
def cfg():
    return tiny.config("mask_1x", "paper")


def rate(cfg, step, steps_per_epoch=7330, batch=16):
    return learning_rate(cfg, step, steps_per_epoch, batch)


def test_warm_up_is_linear_from_a_thousandth_to_the_whole_at_500(cfg):
    assert rate(cfg, 0) == pytest.approx(0.001 * 0.02)
    assert rate(cfg, 250) == pytest.approx(0.02 * (0.001 + 0.999 / 2))
    assert rate(cfg, 499) < rate(cfg, 500) == pytest.approx(0.02)
    steps = [rate(cfg, i + 1) - rate(cfg, i) for i in range(500)]
    assert steps == pytest.approx([0.02 * 0.999 / 500] * 500)


@pytest.mark.parametrize(
    ("id_", "drops", "epochs"), [("mask_1x", (8, 11), 12), ("mask_3x", (28, 34), 36)]
)
def test_drops_by_ten_at_the_beginning_of_their_epochs(id_, drops, epochs):
    cfg, per_epoch = tiny.config(id_, "paper"), 7330
    for epoch in range(1, epochs):
        expected = 0.02 * 0.1 ** sum(epoch >= drop for drop in drops)
        assert rate(cfg, epoch * per_epoch) == pytest.approx(expected)
        assert rate(cfg, (epoch + 1) * per_epoch - 1) == pytest.approx(expected)


@pytest.mark.parametrize(("batch", "factor"), [(16, 1), (8, 0.5), (32, 2), (4, 0.25)])
def test_it_scales_with_the_images_of_a_step(cfg, batch, factor):
    for step in (0, 100, 9000, 100_000):
        assert rate(cfg, step, batch=batch) == pytest.approx(factor * rate(cfg, step))


def mmengines(cfg, per_epoch: int, steps: int, end: int) -> list[float]:
    """The rates that mmengine's schedulers give, as its runner steps them."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=cfg.optim_wrapper.optimizer.lr)
    warmup, drops = cfg.param_scheduler
    by_step = LinearLR(optimizer, start_factor=warmup.start_factor, by_epoch=False, end=end)
    by_epoch = MultiStepLR(optimizer, milestones=drops.milestones, gamma=drops.gamma)
    found = []
    for step in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        by_step.step()
        if (step + 1) % per_epoch == 0:
            by_epoch.step()
    return found


@pytest.mark.parametrize("per_epoch", [70, 30])  # warm-up within the first epochs, and over a drop
def test_it_is_mmengines_with_a_warm_up_that_ends_one_step_later(cfg, per_epoch):
    """mmengine's LinearLR is at the whole rate at step end - 1, mmdet 2.3's and ours at step end."""
    steps, end = 12 * per_epoch, cfg.param_scheduler[0].end
    ours = [learning_rate(cfg, step, per_epoch, 16) for step in range(steps)]
    assert ours == pytest.approx(mmengines(cfg, per_epoch, steps, end + 1), rel=1e-9)
    assert ours != pytest.approx(mmengines(cfg, per_epoch, steps, end), rel=1e-4)


def test_groups_keep_the_factors_that_paramwise_cfg_gives_them():
    """The trainer sets every group's rate at each step; a factor must not be lost there."""
    model = torch.nn.ModuleDict({"backbone": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)})
    wrapper = {
        "optimizer": {"type": "SGD", "lr": 0.02},
        "paramwise_cfg": {"bias_lr_mult": 2.0, "custom_keys": {"backbone": {"lr_mult": 0.1}}},
    }
    optim = build_optim_wrapper(model, wrapper)
    names = [name for name, _ in model.named_parameters()]
    *found, base = rate_factors(optim, 0.02)  # mmengine adds a group for the rate without factors
    factors = dict(zip(names, found, strict=True))
    assert base == 1.0
    assert factors["backbone.weight"] == pytest.approx(0.1)
    assert (factors["head.weight"], factors["head.bias"]) == (1.0, 2.0)
    plain = build_optim_wrapper(model, {"optimizer": {"type": "SGD", "lr": 0.02}})
    assert rate_factors(plain, 0.02) == [1.0]
