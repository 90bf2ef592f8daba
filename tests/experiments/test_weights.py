"""The weights that the small scales begin with: the file in the repository is the one that they name."""

import pytest
import torch

from r3cnn.catalogue.scales import SCALES, Scale, load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve
from r3cnn.core.files import sha256_of
from r3cnn.core.layout import EXPERIMENTS
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector

MOST_BYTES = 2 * 2**20
WITH = [
    scale.name
    for scale in map(load_scale, sorted(path.stem for path in SCALES.glob("*.yaml")))
    if scale.pretrained
]


@pytest.fixture(params=WITH)
def scale(request: pytest.FixtureRequest) -> Scale:
    return load_scale(request.param)


def test_quick_begins_with_the_repositorys_own():
    assert "quick" in WITH
    assert load_scale("quick").pretrained.file == EXPERIMENTS / "weights" / "shapes.pth"


def test_the_file_is_small_and_has_the_checksum_of_scale_and_card(scale):
    file = scale.pretrained.file
    assert file.stat().st_size <= MOST_BYTES
    assert sha256_of(file) == scale.pretrained.sha256
    assert scale.pretrained.sha256 in file.with_suffix(".md").read_text(encoding="utf-8")
    assert {value.dtype for value in checkpoint.load(file).values()} == {torch.float16}


def test_a_training_of_the_scale_begins_with_it(scale):
    cfg = resolve(load_catalogue().trainings["mask_1x"], scale, seed=0)
    state = build_detector(cfg, "cpu", seed=0).state_dict()
    weights = checkpoint.load(scale.pretrained.file)
    assert all(torch.equal(state[name], value.float()) for name, value in weights.items())
    assert not any(name.startswith("roi_head.") for name in weights)
