"""Several heads: which one runs in which loop, from R3-CNN (naive) to HTC."""

import os

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.models.loop_heads import head_of_loop, heads_of_loops
from r3cnn.weights.building import build_detector
from r3cnn.weights.size import parameters
from tests.r3cnn import tiny

CATALOGUE = load_catalogue(tiny.ROOT / "experiments" / "heads.yaml")
BOX_HEAD = 256 * 49 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 81 + 81 + 1024 * 4 + 4
MASK_HEAD = 4 * (256 * 256 * 9 + 256) + 256 * 256 * 4 + 256 + 256 * 80 + 80 + 256 * 256 + 256
NAIVE = 43_912_884  # trainable; what the paper prints as 43912


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def gradients(detector: nn.Module, terms: dict) -> dict[str, torch.Tensor]:
    detector.zero_grad()
    tiny.total(terms).backward()
    return {name: p.grad for name, p in detector.roi_head.named_parameters() if p.grad is not None}


# ------------------------------------------------------------------------ one head, HTC


def test_one_head_for_all_loops_is_the_naive_model_bit_for_bit():
    naive, named = tiny.detector("r3_naive_inc"), tiny.detector("r3_naive_inc", heads=[0, 0, 0])
    assert naive.state_dict().keys() == named.state_dict().keys()
    pictures = tiny.several()
    assert equal(tiny.losses(naive, pictures), tiny.losses(named, pictures))
    loops = [1, 2, 3, 5]
    found = [tiny.detections(one, pictures, loops) for one in (naive, named)]
    for n in loops:
        assert all(map(tiny.same, found[0][n], found[1][n]))


def htc_as_heads() -> nn.Module:
    """R3's loop with three heads, HTC's configs of them, its loss weights and its mask flow."""
    htc = tiny.config("htc", "smoke", tiny.CLASSES).model.roi_head
    return tiny.detector(
        "r3_naive_inc",
        heads=[0, 1, 2],
        loop_weights=htc.stage_loss_weights,
        mask_flow_in_training=True,
        bbox_head=htc.bbox_head,
        mask_head=htc.mask_head,
    )


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, nn.Module]:
    """mmdet's HTC, and the loop with HTC's three heads and its weights, taken by name."""
    htc, looped = tiny.detector("htc"), htc_as_heads()
    looped.load_state_dict(htc.state_dict(), strict=True)
    return htc, looped


def test_three_heads_with_htcs_settings_train_as_mmdets_htc(pair):
    htc, looped = pair
    pictures = tiny.several()
    theirs, ours = tiny.losses(htc, pictures), tiny.losses(looped, pictures)
    assert theirs.keys() == ours.keys()
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-6)
    theirs, ours = gradients(htc, theirs), gradients(looped, ours)
    assert theirs.keys() == ours.keys()
    assert {name.split(".")[1] for name in ours if "_head" in name} == {"0", "1", "2"}
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-6)


def test_three_heads_with_htcs_settings_detect_as_htc(pair):
    htc, looped = pair
    pictures = tiny.several()
    found = zip(tiny.detections(htc, pictures), tiny.detections(looped, pictures), strict=True)
    for theirs, ours in found:
        assert len(theirs) > 0
        assert torch.equal(theirs.labels, ours.labels)
        torch.testing.assert_close(ours.bboxes, theirs.bboxes, rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-5, atol=1e-6)
        assert torch.equal(torch.as_tensor(ours.masks), torch.as_tensor(theirs.masks))


# --------------------------------------------------------------------- which head, where


def test_each_head_learns_from_its_own_loops_alone():
    detector = tiny.detector("r3_naive_inc", heads=[0, 0, 1])
    terms = tiny.losses(detector, tiny.several())
    for loop, head in enumerate((0, 0, 1)):
        own = {name: value for name, value in terms.items() if name.startswith(f"s{loop}.")}
        detector.zero_grad()
        tiny.total(own).backward(retain_graph=True)
        of_heads = {
            name.split(".")[1]
            for name, p in detector.roi_head.named_parameters()
            if p.grad is not None and p.grad.abs().sum() > 0
        }
        assert of_heads == {str(head)}


def test_evaluation_runs_the_heads_in_order_and_goes_on_with_the_last():
    detector = tiny.detector("r3_naive_inc", heads=[0, 1, 1])
    ran: dict[str, list[int]] = {"bbox_head": [], "mask_head": []}
    for kind, order in ran.items():
        for i, head in enumerate(getattr(detector.roi_head, kind)):
            head.register_forward_hook(lambda *_, i=i, order=order: order.append(i))
    tiny.detections(detector, tiny.several(), [5])
    assert ran == {"bbox_head": [0, 1, 1, 1, 1], "mask_head": [0, 1, 1, 1, 1]}


def test_heads_may_name_loops_of_evaluation_beyond_those_of_training():
    heads = heads_of_loops([0, 0, 1, 0], training_loops=3)
    built = nn.ModuleList([nn.Identity(), nn.Linear(1, 1)])
    order = [head_of_loop(built, heads, loop) for loop in range(6)]
    assert [list(built).index(head) for head in order] == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    "heads", [[0, 0], [1, 1, 1], [0, 0, 2], [0, 0, 0, 1], [0, -1, 1], [0, 1.0, 1], [False] * 3, []]
)
def test_heads_that_do_not_fit_the_training_loops_are_refused(heads):
    with pytest.raises(ValueError, match="heads"):
        heads_of_loops(heads, training_loops=3)
    training = tiny.entry("r3_naive_inc", options={"model.roi_head.heads": heads})
    with pytest.raises(UserError, match=r"r3_naive_inc: options: model.roi_head.heads: \["):
        resolve(training, load_scale("smoke"), 0)


def test_two_configs_for_three_heads_are_refused():
    one = tiny.config("r3_naive_inc").model.roi_head.bbox_head
    with pytest.raises(ValueError, match="bbox_head: 2 configs for 3 heads"):
        tiny.detector("r3_naive_inc", heads=[0, 1, 2], bbox_head=[one, one])


# ------------------------------------------------------------------- mask loop, loop signal


def test_without_a_mask_loop_the_mask_head_runs_once_after_the_last_loop():
    detector = tiny.detector("r3_naive_inc", mask_loop=False)
    passes = []
    detector.roi_head.mask_head.register_forward_hook(lambda *_: passes.append(1))
    found = tiny.detections(detector, tiny.several(), [3])
    assert len(passes) == 1
    looped = tiny.detections(tiny.detector("r3_naive_inc"), tiny.several(), [3])
    for once, often in zip(found[3], looped[3], strict=True):
        assert torch.equal(once.bboxes, often.bboxes)
    terms = tiny.losses(detector, tiny.several())
    assert [name for name in terms if "loss_mask" in name] == ["s2.loss_mask"]


@pytest.mark.parametrize("kind", ["shift", "scale_and_shift"])
def test_a_loop_signal_starts_as_the_naive_model_and_learns_by_loop(kind):
    pictures = tiny.several()
    naive, told = tiny.detector("r3_naive_inc"), tiny.detector("r3_naive_inc", loop_signal=kind)
    signals = [name for name in told.state_dict() if "signal" in name]
    told.load_state_dict(naive.state_dict(), strict=False)
    with torch.no_grad():
        for name in signals:
            told.get_parameter(name).fill_(1.0 if name.endswith("scale") else 0.0)
    terms = tiny.losses(told, pictures)
    assert equal(tiny.losses(naive, pictures), terms)
    learnt = gradients(told, terms)
    assert {f"roi_head.{name}" for name in learnt} >= set(signals)
    for name in signals:
        assert (learnt[name.removeprefix("roi_head.")].abs().sum(1) > 0).tolist() == [True] * 3


def test_the_signal_of_a_loop_changes_it_and_later_ones_only():
    detector = tiny.detector("r3_naive_inc", loop_signal="shift")
    before = tiny.detections(detector, tiny.several(), [1, 2, 3])
    with torch.no_grad():
        detector.roi_head.bbox_signal.shift[1] += 1.0
    after = tiny.detections(detector, tiny.several(), [1, 2, 3])
    same = {n: all(map(tiny.same, before[n], after[n])) for n in (1, 2, 3)}
    assert same == {1: True, 2: False, 3: False}


def test_another_loop_signal_is_refused():
    with pytest.raises(ValueError, match="loop_signal: 'gate'"):
        tiny.detector("r3_naive_inc", loop_signal="gate")


# ------------------------------------------------------------------------- the catalogue


@pytest.mark.parametrize(
    ("id_", "heads", "more"),
    [
        ("r3_naive_inc", 1, 0),
        ("heads_aab", 2, BOX_HEAD + MASK_HEAD),
        ("heads_abc", 3, 2 * (BOX_HEAD + MASK_HEAD)),
        ("heads_aabb", 2, BOX_HEAD + MASK_HEAD),
        ("loop_shift", 1, 2 * 3 * 256),
        ("loop_scale_and_shift", 1, 2 * 3 * 256),
        ("mask_loop_off", 1, 0),
    ],
)
def test_parameters_grow_by_the_heads_that_are_added(id_, heads, more):
    found = parameters(resolve(CATALOGUE.trainings[id_], load_scale("paper"), 0))
    assert (found["heads"], found["trainable"] - NAIVE) == (heads, more)


def test_htc_has_three_heads_too():
    assert parameters(resolve(CATALOGUE.trainings["htc"], load_scale("paper"), 0))["heads"] == 3


@pytest.mark.parametrize("id_", [id_ for id_ in CATALOGUE.trainings if id_ not in tiny.IDS])
def test_each_row_of_the_catalogue_trains_every_weight(id_):
    cfg = resolve(CATALOGUE.trainings[id_], load_scale("smoke"), 0)
    detector = tiny.shaken(build_detector(cfg, "cpu", seed=0))
    detector.zero_grad()
    tiny.total(tiny.losses(detector, tiny.several())).backward()
    idle = [name for name, p in detector.roi_head.named_parameters() if p.grad is None]
    assert idle == []


# ------------------------------------------------------------------------ two processes


class _Losses(nn.Module):
    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pictures: list[tiny.Picture]) -> torch.Tensor:
        x, samples = tiny.prepared(self.detector, pictures)
        return tiny.total(self.detector.roi_head.loss(x, tiny.proposals(pictures), samples))


def _step(rank: int, address: str, out: str) -> None:
    """Two steps of heads [0, 0, 1]; the second process sees an image without objects."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    detector = tiny.detector("r3_naive_inc", heads=[0, 0, 1])
    for part in (detector.backbone, detector.neck, detector.rpn_head):
        part.requires_grad_(False)
    model = nn.parallel.DistributedDataParallel(_Losses(detector))
    pictures = [tiny.Picture(96, 64)] if rank else tiny.several()[:1]
    for _ in range(2):
        model.zero_grad()
        model(pictures).backward()
    grads = {name: p.grad for name, p in detector.roi_head.named_parameters()}
    torch.save(grads, os.path.join(out, f"{rank}.pt"))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_two_heads_though_one_sees_no_positives(tmp_path):
    address = f"file://{tmp_path / 'meet'}"
    torch.multiprocessing.spawn(_step, (address, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert equal(first, second)
    assert all(gradient.abs().sum() > 0 for name, gradient in first.items() if "fc_cls" in name)
    assert {name.split(".")[1] for name in first if "mask_head" in name} == {"0", "1"}
