"""The networks are the authors': number for number against their implementation (reference/*.npz)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.cnn.bricks import NonLocal2d
from mmdet.models.roi_heads.mask_heads import HTCMaskHead
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve
from r3cnn.models import LargeKernelNonLocal2d, R3MaskHead
from r3cnn.ops.backend import back_end
from tests.parity import compare, inputs, port, record, weights

pytestmark = pytest.mark.slow
REFERENCE = Path(__file__).parent / "reference"
CONFIGURATIONS = sorted(p.stem for p in REFERENCE.glob("*.npz") if p.stem != "assigner")


def reference_of(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(REFERENCE / f"{name}.npz"))


def submodules_of(reference: dict[str, np.ndarray]) -> list[str]:
    prefix = "train512/gradnorm/"
    return [key.removeprefix(prefix) for key in reference if key.startswith(prefix)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The gates are for one thread: with two, sums of batch statistics move features by 6e-5."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def pair(request):
    """A reference file, the port's detector, and the port's record."""
    reference = reference_of(request.param)
    detector = port.build(request.param)
    sums = weights.checksums(detector, port.renames(detector))
    found = port.record_of(detector, float(reference["test/score_thr"]), submodules_of(reference))
    return request.param, reference, sums, found


def test_weights_are_the_reference_s(pair):
    _, reference, sums, _ = pair
    names = [str(name) for name in reference["weights/names"]]
    assert sorted(names) == sorted(sums)
    assert [sums[name][1] for name in names] == reference["weights/crc32"].tolist()
    np.testing.assert_allclose([sums[n][0] for n in names], reference["weights/sum"], rtol=1e-12)


@pytest.mark.gate
def test_every_key_is_within_its_gate(pair, record_property):
    name, reference, _, found = pair
    differences = compare.differences(reference, found)
    largest = dict.fromkeys(("outputs and losses", "gradients"), (0.0, "none"))
    for key, off in differences.items():
        what = {2e-5: "outputs and losses", 2e-3: "gradients"}.get(compare.gate(key))
        if what:
            largest[what] = max(largest[what], (off, key))
    said = ", ".join(f"{what} within {off:.1e} ({key})" for what, (off, key) in largest.items())
    record_property("largest relative differences", said)
    print(f"{name} by {back_end()}: {len(differences)} keys, {said}")
    assert compare.beyond_gates(reference, found, name) == {}


def test_the_authors_names_of_a_looped_head_with_groie():
    """They keep heads and extractors in a list by stage; GRoIE's extractors hold weights."""
    detector = port.unfilled("r3l_groie", "meta")
    renames = port.renames(detector)
    names = [weights.reference_name(own, renames) for own in detector.state_dict()]
    held = {tuple(name.split(".")[1:3]) for name in names if name.startswith("roi_head.")}
    of_stages = {"bbox_head", "mask_head", "bbox_roi_extractor", "mask_roi_extractor"}
    assert {part for part, second in held if second == "0"} == of_stages
    assert {part for part, second in held if second != "0"} == {"mask_iou_head"}
    reference = {str(n) for n in reference_of("groie")["weights/names"] if "roi_extractor" in n}
    own = {n.replace("roi_extractor.0.", "roi_extractor.") for n in names if "roi_extractor" in n}
    assert own == reference
    assert len(own) > 10


def test_every_key_is_compared_or_has_a_reason(pair):
    _, reference, _, found = pair
    left_out = {key for key in reference if compare.why_not_compared(key)}
    assert len(left_out) <= 10
    assert set(reference) - left_out <= set(found)


def assigned(assigner: dict, boxes: torch.Tensor, truth: InstanceData) -> AssignResult:
    return TASK_UTILS.build(assigner).assign(InstanceData(priors=boxes), truth)


@pytest.mark.parametrize(
    ("training", "key", "loops"),
    [("r3_4loops", "r3_exp3_row5", 4), ("mask_1x", "mask_rcnn_r50", 1)],
)
def test_assigner_and_sampler_on_crowded_ground_truth(training, key, loops, monkeypatch):
    monkeypatch.setattr(RandomSampler, "random_choice", record.first_k)
    reference = reference_of("assigner")
    cfg = resolve(load_catalogue().trainings[training], load_scale("paper"), seed=0)
    thresholds = cfg.model.roi_head.get("iou_thresholds", [0.5])
    settings = cfg.model.train_cfg.rcnn
    boxes = torch.from_numpy(reference["boxes"])
    truth = InstanceData(
        bboxes=torch.from_numpy(reference["gts"]), labels=torch.from_numpy(reference["labels"])
    )
    assert len(thresholds) == loops
    for loop, u in enumerate(thresholds):
        expected = {
            k.removeprefix(f"{key}/{loop}/"): v
            for k, v in reference.items()
            if k.startswith(f"{key}/{loop}/")
        }
        assert u == expected["thr"]
        assigner = dict(settings.assigner, pos_iou_thr=u, neg_iou_thr=u, min_pos_iou=u)
        strict = dict(assigner, match_low_quality=False)
        found = assigned(assigner, boxes, truth)
        np.testing.assert_array_equal(found.gt_inds, expected["gt_inds"])
        np.testing.assert_array_equal(found.labels, expected["labels"])
        np.testing.assert_allclose(found.max_overlaps, expected["max_overlaps"], rtol=2e-5)
        np.testing.assert_array_equal(
            assigned(strict, boxes, truth).gt_inds, expected["gt_inds_no_low_quality"]
        )
        for num in (512, 64):
            sampler = TASK_UTILS.build(dict(settings.sampler, num=num))
            drawn = sampler.sample(
                assigned(assigner, boxes, truth), InstanceData(priors=boxes), truth
            )
            for name, values in {
                "pos_inds": drawn.pos_inds,
                "neg_inds": drawn.neg_inds,
                "pos_gt": drawn.pos_assigned_gt_inds,
            }.items():
                np.testing.assert_array_equal(values, expected[f"sampler{num}/{name}"])


def test_reference_files_are_the_shared_ones(shared):
    for own in REFERENCE.glob("*.npz"):
        theirs = np.load(shared / "oracle" / own.name)
        ours = np.load(own)
        assert ours.files == theirs.files
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours.files)


def test_float_noise_alone_moves_gradients_of_a_deformable_backbone(monkeypatch):
    """Why `dcn` has limits of its own (compare.KINKS): the port differs from itself as much."""
    images, records = inputs.images(), []
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    for size in (0.0, 1e-6):
        monkeypatch.setattr(inputs, "images", lambda size=size: images * (1 + size * noise))
        records.append({})
        port.train_record(port.build("dcn"), records[-1], 32, ["backbone", "neck", "roi_head"])
    moved = compare.differences(*records)
    assert 1e-4 < moved["train32/grad/norms"] < compare.KINKS["dcn"]["train32/grad/norms"]
    assert all(d < compare.gate(key) for key, d in moved.items() if "gradnorm" in key)


# ---------------------------------------------------------------- wrong ports must be told apart


def training_losses(name: str) -> tuple[dict, dict]:
    """The reference and a training record with 512 samples."""
    reference, found = reference_of(name), {}
    detector = port.build(name)
    port.train_record(detector, found, 512, [])
    return {k: v for k, v in reference.items() if k.startswith("train512/loss/")}, found


def test_information_flow_in_training_is_noticed(monkeypatch):
    build = port.build

    def with_flow(name):
        detector = build(name)
        detector.roi_head.mask_flow_in_training = True
        return detector

    monkeypatch.setattr(port, "build", with_flow)
    reference, found = training_losses("r3_advanced")
    assert "train512/loss/s1.loss_mask" in compare.beyond_gates(reference, found)
    assert float(found["train512/loss/s1.loss_mask"]) == pytest.approx(0.7745, abs=5e-5)


def test_a_first_loop_without_the_residual_bias_is_noticed(monkeypatch):
    monkeypatch.setattr(R3MaskHead, "forward", HTCMaskHead.forward)
    reference, found = training_losses("r3_advanced")
    assert "train512/loss/s0.loss_mask" in compare.beyond_gates(reference, found)
    assert float(found["train512/loss/s0.loss_mask"]) == pytest.approx(1.0347, abs=5e-5)


def test_a_non_local_without_relu_is_noticed(monkeypatch):
    monkeypatch.setattr(LargeKernelNonLocal2d, "forward", NonLocal2d.forward)
    reference, found = training_losses("r3_advanced")
    assert "train512/loss/s0.loss_cls" in compare.beyond_gates(reference, found)
    assert float(found["train512/loss/s0.loss_cls"]) == pytest.approx(5.81, abs=5e-3)


def test_the_right_port_passes_where_the_wrong_ones_fail():
    reference, found = training_losses("r3_advanced")
    assert compare.beyond_gates(reference, found) == {}
