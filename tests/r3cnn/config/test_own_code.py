"""A head in a file of the user's own: found, checked, and the same one wherever the config is read."""

import sys
from pathlib import Path

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import MODELS, load_catalogue
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

HEAD = """\
from mmdet.registry import MODELS
from r3cnn.models import R3MaskHead


@MODELS.register_module(name="{name}")
class Own(R3MaskHead):
    def __init__(self, steps: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps
"""
ENTRY = """\
trainings:
  own:
    model: r3_naive
    iou: [0.5, 0.6]
    code: {stem}.py
    options: {{model.roi_head.mask_head.type: {name}, model.roi_head.mask_head.steps: 3}}
"""


@pytest.fixture
def own(tmp_path, request):
    """A catalogue and a head beside it; name and module of its own for each test."""
    stem = f"own_{abs(hash(request.node.name))}"
    name = stem.title()
    (tmp_path / f"{stem}.py").write_text(HEAD.format(name=name))
    (tmp_path / "mine.yaml").write_text(ENTRY.format(stem=stem, name=name))
    yield tmp_path / "mine.yaml", tmp_path / f"{stem}.py"
    sys.modules.pop(stem, None)


def resolved(catalogue: Path):
    return resolve(load_catalogue(catalogue).trainings["own"], load_scale("smoke"), 0)


def test_the_network_has_the_head(own):
    head = build_detector(resolved(own[0]), "meta").roi_head.mask_head
    assert type(head).__name__ == "Own"
    assert head.steps == 3


def test_a_model_file_may_name_the_code_of_its_row(own, tmp_path):
    catalogue, code = own
    (tmp_path / "model.py").write_text(
        f"_base_ = ['{MODELS / 'r3_naive.py'}']\n"
        f"custom_imports = dict(imports=['r3cnn.models', '{code.stem}'])\n"
    )
    catalogue.write_text(catalogue.read_text().replace("model: r3_naive", "model: model.py"))
    assert code.stem in resolved(catalogue).custom_imports.imports


def test_the_config_says_which_code(own, tmp_path):
    cfg = load_config(tiny.written(resolved(own[0]), tmp_path))
    assert cfg.r3cnn.training == "own"
    assert cfg.r3cnn.code.file == str(own[1])
    assert len(cfg.r3cnn.code.sha256) == 64
    assert cfg.custom_imports.imports == ["r3cnn.models", own[1].stem]


def test_code_beside_the_config_will_do(own, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = tiny.written(resolved(own[0]), folder)
    own[1].rename(folder / own[1].name)
    sys.modules.pop(own[1].stem)
    from mmdet.registry import MODELS

    MODELS.module_dict.pop(own[1].stem.title())
    assert load_config(path).r3cnn.training == "own"
    assert sys.modules[own[1].stem].__file__ == str(folder / own[1].name)


def test_changed_code_is_refused(own, tmp_path):
    path = tiny.written(resolved(own[0]), tmp_path)
    with open(own[1], "a") as file:
        file.write("# changed\n")
    with pytest.raises(UserError, match=r"\.py: has changed since .*config\.py was made"):
        load_config(path)
    own[1].unlink()
    with pytest.raises(UserError, match=r"\.py: no such file, but .*config\.py needs it"):
        load_config(path)


def test_an_edit_is_an_input_of_its_training(own):
    files = load_catalogue(own[0]).trainings["own"].config_files()
    assert own[1] in files


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import no_such_module", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = (", "line 1: SyntaxError: "),
        ("\nx = undefined", "line 2: NameError: "),
        ("raise RuntimeError('no')", "line 1: RuntimeError: no"),
        ("\n\nassert not 1, 'so'", "line 3: AssertionError: so"),
        ("open('no/such/file')", "line 1: FileNotFoundError: "),
        ("raise SystemExit(3)", "line 1: SystemExit: 3; fix it"),
        ("raise RuntimeError('a\\n b')", "line 1: RuntimeError: a b; fix it"),
        ("assert 0", "line 1: AssertionError; fix it"),
        (
            "from mmdet.registry import DATASETS\nDATASETS.register_module('CocoDataset')(dict)",
            "line 2: KeyError: 'CocoDataset is already registered",
        ),
        (HEAD.format(name="FCNMaskHead"), "line 5: KeyError: 'FCNMaskHead is already registered"),
    ],
)
def test_faults_of_the_code_are_named_with_their_line(own, line, expected):
    own[1].write_text(line)
    with pytest.raises(UserError) as caught:
        resolved(own[0])
    assert str(caught.value).startswith(f"{own[1]}, {expected}")


def test_a_name_that_is_taken(own):
    taken = own[1].with_name("json.py")
    taken.write_text("")
    own[0].write_text(f"trainings:\n  own: {{model: mask_rcnn, code: {taken.name}}}\n")
    with pytest.raises(UserError, match=r"json\.py: 'json' is not a valid module name"):
        resolved(own[0])


def test_a_file_that_python_would_find_anyway(own, monkeypatch):
    monkeypatch.syspath_prepend(str(own[1].parent))
    assert resolved(own[0]).r3cnn.code.file == str(own[1])


def test_no_such_file(own):
    own[1].unlink()
    with pytest.raises(UserError, match=r"trainings\.own\.code: no file 'own_\d+\.py'"):
        load_catalogue(own[0])
