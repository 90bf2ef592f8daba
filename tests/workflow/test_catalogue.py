"""The catalogue and the scales: what the paper's say, and the line that each mistake gets."""

from pathlib import Path

import pytest

from r3cnn.catalogue import trainings as catalogue
from r3cnn.catalogue.chains import config_chain
from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.core.errors import UserError
from r3cnn.core.layout import EXPERIMENTS

SCALES = ("smoke", "quick", "mini", "mini_trial", "paper", "paper-pilot")
INC = (0.5, 0.6, 0.7)
TINY = """
seeds: [0]
data: {shapes: {train: 8, val: 4, width: 64, height: 64, classes: 6, seed: 0}}
images: [64, 64]
batch: 4
per_pass: 4
workers: 0
lr: 0.005
warmup: {iterations: 8, factor: 0.1}
schedules: {1x: {epochs: 2, drops: []}, 3x: {epochs: 4, drops: [3]}}
network: {depth: 14, base_channels: 16, channels: 64, fc: 128, rois: 64, proposals: 100,
  anchor_scale: 4, detections: 20}
"""


def write(folder: Path, text: str, name: str = "own.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def row(text: str) -> str:
    """A catalogue of one training."""
    return f"trainings:\n  mine: {text}\n"


def test_the_papers_catalogue():
    paper = load_catalogue()
    assert len(paper.trainings) == 17
    assert sum(len(loops) for loops in paper.evaluations.values()) == 21
    # PAPER.md's thresholds; L_e = L_t but for Table 2.
    assert paper.trainings["r3_naive_inc"].iou == INC
    assert paper.trainings["r3_naive_dec"].iou == INC[::-1]
    assert paper.trainings["r3_4loops"].iou == (*INC, 0.8)
    assert paper.trainings["mask_3x"].schedule == "3x"
    assert {t.schedule for id_, t in paper.trainings.items() if id_ != "mask_3x"} == {"1x"}
    assert paper.evaluations["r3_naive_inc"] == (1, 2, 3, 4, 5)
    assert paper.evaluations["htc_dcn"] == (3,)
    assert paper.evaluations["r3_2loops"] == (2,)
    assert paper.evaluations["gcnet"] == (1,)
    assert paper.tables == catalogue.TABLES


def test_only_the_looped_models_have_thresholds():
    trainings = load_catalogue().trainings
    assert {id_ for id_, t in trainings.items() if t.iou} == {
        id_ for id_, t in trainings.items() if t.model.startswith("r3_")
    }


def test_the_catalogue_fits_a_screen():
    assert len(catalogue.PAPER.read_text().splitlines()) <= 45


@pytest.mark.parametrize("name", SCALES)
def test_scales(name):
    scale = load_scale(name)
    assert scale.name == name
    assert scale == load_scale(EXPERIMENTS / "scales" / f"{name}.yaml")
    assert (scale.network is None) == name.startswith("paper")


def test_the_paper_scale_is_the_papers_schedule():
    scale = load_scale("paper")
    assert (scale.batch, scale.lr, scale.images) == (16, 0.02, (1333, 800))
    assert scale.schedules["1x"] == {"epochs": 12, "drops": [8, 11]}
    assert scale.schedules["3x"] == {"epochs": 36, "drops": [28, 34]}
    assert scale.warmup == {"iterations": 500, "factor": 0.001}


def test_settings_leave_out_what_changes_no_training():
    mine, other = load_scale("mini"), load_scale("mini")
    object.__setattr__(other, "seeds", (0, 1))
    object.__setattr__(other, "workers", mine.workers + 3)
    object.__setattr__(other, "schedules", {**mine.schedules, "3x": {"epochs": 99, "drops": []}})
    assert repr(mine.settings("1x")) == repr(other.settings("1x"))
    assert repr(mine.settings("3x")) != repr(other.settings("3x"))


def test_a_users_row_stands_beside_the_papers(tmp_path):
    write(tmp_path, "_base_ = 'mmdet::some.py'\n", "mine.py")
    file = write(
        tmp_path,
        "tables: tables.yaml\n"
        "trainings:\n  mine: {model: mine.py, with: [groie, dcn], iou: [0.6, 0.7]}\n"
        "evaluations:\n  mine: {loops: [3, 1]}\n  r3_naive_dec: {loops: [2, 3]}\n",
    )
    write(tmp_path, "tables: {}", "tables.yaml")
    merged = load_catalogue(file)
    assert len(merged.trainings) == 18
    assert merged.evaluations["mine"] == (1, 3)
    assert merged.evaluations["r3_naive_dec"] == (2, 3)
    assert merged.tables == tmp_path / "tables.yaml"
    mine = merged.trainings["mine"]
    assert mine.mixins == ("groie", "dcn")
    assert mine.config_files() == [
        tmp_path / "mine.py",
        catalogue.MIXINS / "groie.py",
        catalogue.MIXINS / "dcn.py",
    ]
    assert (mine.catalogue, merged.trainings["htc"].catalogue) == (file, catalogue.PAPER)


SWEEP = "sweep: {trainings: [%s], rates: {half: 0.5, double: 2}}\n"


def test_a_sweep_adds_each_training_at_each_rate(tmp_path):
    swept = load_catalogue(write(tmp_path, SWEEP % "mask_1x, htc"))
    added = [id_ for id_ in swept.trainings if id_ not in load_catalogue().trainings]
    assert added == ["mask_1x_half", "mask_1x_double", "htc_half", "htc_double"]
    assert swept.evaluations["htc_half"] == (3,)
    half, plain = (swept.trainings[id_].settings() for id_ in ("htc_half", "htc"))
    assert half == {**plain, "rate": 0.5}
    assert "rate" not in plain


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SWEEP % "mask_1", "mask_1x"),
        (
            SWEEP % "mine"
            + row(
                "{{model: htc, weights: {{address: 'http://a/b', sha256: {}}}}}".format(
                    repr("a" * 64)
                )
            ),
            "mine",
        ),
        ("sweep: {trainings: [htc], rates: {same: 1}}\n", "same"),
        ("sweep: {trainings: [htc], rates: {gcnet: 0.5}}\n", "htc_gcnet"),
        ("sweep: {trainings: [htc], rates: {}}\n", "rates"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(tmp_path, text, named):
    with pytest.raises(UserError, match=named) as error:
        load_catalogue(write(tmp_path, text))
    assert "sweep" in str(error.value)


def test_a_catalogue_may_extend_nothing(tmp_path):
    own = load_catalogue(write(tmp_path, "extends: nothing\n" + row("{model: htc}")))
    assert list(own.trainings) == ["mine"]
    assert own.tables is None


def test_the_papers_file_by_name_is_the_papers_catalogue():
    assert load_catalogue(catalogue.PAPER) == load_catalogue()


def test_equal_lines_have_equal_settings(tmp_path):
    one = "{model: htc, options: {a.b: {x: 1, y: 2}, c: 3}}"
    two = "{options: {c: 3, a.b: {y: 2, x: 1}}, model: htc, schedule: 1x}"
    first = load_catalogue(write(tmp_path, row(one))).trainings["mine"].settings()
    second = load_catalogue(write(tmp_path, row(two))).trainings["mine"].settings()
    assert repr(first) == repr(second)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (row("{modle: htc}"), "trainings.mine.modle: unknown key; expected one of model, schedule"),
        (row("{modle: htc}"), "(did you mean model?)"),
        (row("{}"), "trainings.mine: model is missing; expected a training"),
        (row(""), "trainings.mine: found null; expected a training, such as {model: r3_naive"),
        ("training: {}", "training: unknown key; expected one of extends, tables, trainings"),
        (row("{model: r3_naiv}"), "trainings.mine.model: unknown model 'r3_naiv'; expected one of"),
        (row("{model: r3_naiv}"), "(did you mean r3_naive?)"),
        (row("{model: gone.py}"), "trainings.mine.model: no file 'gone.py'; expected a path"),
        (row("{model: htc, with: dcm}"), "trainings.mine.with: unknown mixin 'dcm'; expected one"),
        (row("{model: htc, with: [dcn, dcm]}"), "unknown mixin 'dcm'"),
        (row("{model: htc, with: [dcn, dcn]}"), 'trainings.mine.with: found ["dcn", "dcn"]'),
        (row("{model: htc, schedule: 2x}"), 'schedule: found "2x"; expected 1x or 3x'),
        (row("{model: r3_naive, iou: [0.5, 1.0]}"), "iou: found 1.0; expected an IoU threshold ab"),
        (row("{model: r3_naive, iou: [0]}"), "iou: found 0; expected an IoU threshold above 0 and"),
        (row("{model: r3_naive, iou: [.nan]}"), "line 2: .nan is not a finite number"),
        (row("{model: r3_naive, iou: []}"), "iou: found []; expected one IoU threshold for each"),
        (row("{model: r3_naive, iou: 0.5}"), "iou: found 0.5; expected one IoU threshold for each"),
        (row("{model: htc, weights: {file: zoo.pth}}"), "weights: found"),
        (
            row(f"{{model: htc, weights: {{file: a, address: 'http://b', sha256: '{'0' * 64}'}}}}"),
            "weights: found",
        ),
        (
            row("{model: htc, weights: {file: a, sha256: 0f3b}}"),
            'weights.sha256: found "0f3b"; expe',
        ),
        (
            row(f"{{model: htc, weights: {{file: gone.pth, sha256: '{'0' * 64}'}}}}"),
            "trainings.mine.weights.file: no file 'gone.pth'; expected a path relative to",
        ),
        (
            row(f"{{model: htc, weights: {{address: ftp://x, sha256: '{'0' * 64}'}}}}"),
            'weights.address: found "ftp://x"; expected a checkpoint\'s address',
        ),
        (
            row("{model: htc, trained_as: htk}"),
            "trained_as: unknown training 'htk'; expected one of",
        ),
        (row("{model: htc, trained_as: mine}"), "mine.trained_as: unknown training 'mine'"),
        (row("{model: htc}\n  mine: {model: htc}"), "line 3: 'mine' is here twice"),
        (row("{model: htc, model: htc}"), "line 2: 'model' is here twice"),
        ("trainings:\n  htc: {model: htc}", "trainings.htc: this id is also in"),
        ("evaluations:\n  htc: {loops: [1]}", "evaluations.htc: this id is also in"),
        ("evaluations:\n  htk: {loops: [1]}", "evaluations.htk: unknown training 'htk'; expected"),
        ("evaluations:\n  groie: {loops: [0]}", "groie.loops: found 0; expected whole numbers"),
        ("evaluations:\n  groie: {loops: [1.0]}", "groie.loops: found 1.0; expected whole numbers"),
        ("evaluations:\n  groie: {loops: [true]}", "groie.loops: found true; expected whole num"),
        ("evaluations:\n  groie: {loops: ['2']}", 'groie.loops: found "2"; expected whole num'),
        ("evaluations:\n  groie: {loops: [2, 2]}", "groie.loops: found [2, 2]; expected a list of"),
        ("evaluations:\n  groie: {loops: []}", "groie.loops: found []; expected a list of"),
        ("evaluations:\n  groie: {loops: 2}", "groie.loops: found 2; expected a list of"),
        ("evaluations:\n  groie: {loop: [1]}", "evaluations.groie.loop: unknown key; expected one"),
        ("trainings:\n  My-Row: {model: htc}", 'trainings: found "My-Row"; expected an id of the'),
        ("trainings:\n  1: {model: htc}", "line 2: key '1' is not text; put it in quotes"),
        ("extends: all", 'extends: found "all"; expected paper'),
        ("extends: nothing", "trainings: empty; expected at least one"),
        ("tables: gone.yaml", "tables: no file 'gone.yaml'; expected a path relative to"),
        ("trainings: {mine: {model: htc}", "line 1: expected ',' or '}'"),
        ("trainings:\n\tmine: {}", "line 2: found character '\\t' that cannot start any token"),
        ("", "the file: found null; expected a mapping with the keys trainings"),
        ("\x00", "invalid YAML:"),
    ],
)
def test_a_mistake_in_a_catalogue_gets_one_line(tmp_path, text, expected):
    file = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        load_catalogue(file)
    line = str(error.value)
    assert line.startswith(f"{file}: ")
    assert expected in line
    assert "\n" not in line


def test_a_missing_catalogue(tmp_path):
    with pytest.raises(UserError, match=r"gone.yaml: cannot read this file: No such file"):
        load_catalogue(tmp_path / "gone.yaml")
    with pytest.raises(UserError, match=r"cannot read this file: Is a directory"):
        load_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seeds:", "seds:", "seds: unknown key; expected one of seeds, data, images"),
        ("seeds: [0]", "seeds: [0, 0]", "seeds: found [0, 0]; expected a list of different seeds"),
        ("batch: 4", "batch: 0", "batch: found 0; expected a whole number from 1 up"),
        ("lr: ", "lr: 1e-3 #", "YAML reads 1e-3 as text; write a number such as 0.001"),
        ("classes: 6", "clases: 6", "data.shapes.clases: unknown key; expected one of train, val"),
        ("data: {", "data: {folder: x, ", "data: found "),
        ("factor: ", "factor: 3", "warmup.factor: found 3"),
        ("drops: []", "drops: [99]", "drops: found 99; expected epochs before the last one"),
        ("3x: ", "2x: ", "schedules.2x: unknown key; expected one of 1x, 3x"),
        ("{epochs: 4,", "{epochs: 4, drop: 1,", "schedules.3x.drop: unknown key; expected one of"),
        ("seed: 0}", "seed: 0, objects: [1]}", "objects: found [1]; expected the least and the"),
        ("depth: 14", "depth: 15", "network.depth: found 15; expected the depth of the ResNet: 14"),
        (
            "seeds:",
            "validate: {every: 0}\nseeds:",
            "validate.every: found 0; expected a whole number",
        ),
        (
            "seeds:",
            "validate: {epochs: 1}\nseeds:",
            "validate.epochs: unknown key; expected one of every",
        ),
    ],
)
def test_a_mistake_in_a_scale_gets_one_line(tmp_path, old, new, expected):
    assert old in TINY
    load_scale(write(tmp_path, TINY, "sound.yaml"))
    file = write(tmp_path, TINY.replace(old, new), "tiny.yaml")
    with pytest.raises(UserError) as error:
        load_scale(file)
    line = str(error.value)
    assert line.startswith(f"{file}: ")
    assert expected in line
    assert "\n" not in line


def test_a_schedule_that_a_scale_lacks_is_named(tmp_path):
    scale = load_scale(write(tmp_path, TINY, "tiny.yaml"))
    expected = (
        "tiny.yaml: schedules: no 'mask_at_r3_1x', which a training of the catalogue asks for"
    )
    with pytest.raises(UserError, match=expected):
        scale.settings("mask_at_r3_1x")


def test_an_unknown_scale_is_named_with_the_known_ones():
    with pytest.raises(
        UserError,
        match=r"'smok'; expected one of mini, mini_trial, paper, paper-pilot, quick, smoke \(did you m",
    ):
        load_scale("smok")


def test_the_chain_of_bases(tmp_path):
    naive = catalogue.MODELS / "r3_naive.py"
    assert config_chain(naive) == [naive]
    assert config_chain(naive.with_name("r3_advanced.py")) == [
        naive.with_name("r3_advanced.py"),
        naive.with_name("r3_mask_iou.py"),
        naive,
    ]
    (tmp_path / "deep").mkdir()
    low = write(tmp_path / "deep", "_base_ = ['../a.py', '../b.py', 'mmdet::x.py']\n", "low.py")
    a = write(tmp_path, "_base_ = './b.py'\nmodel = dict(x=_base_.model.x)\n", "a.py")
    b = write(tmp_path, "_base_ = ['./a.py']  # a circle must end\n", "b.py")
    assert config_chain(low) == [low, a, b]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_base_ = './gone.py'", "_base_: no file './gone.py'; expected a path relative to this"),
        ("_base_ = [name]", "_base_: expected a string or a list of strings"),
        ("_base_ = 3", "_base_: expected a string or a list of strings"),
        ("x = 1\nmodel = dict(", "line 2: invalid Python: '(' was never closed"),
    ],
)
def test_a_mistake_in_a_chain_gets_one_line(tmp_path, text, expected):
    file = write(tmp_path, text, "model.py")
    with pytest.raises(UserError) as error:
        config_chain(file)
    assert str(error.value).startswith(f"{file}: {expected}")
