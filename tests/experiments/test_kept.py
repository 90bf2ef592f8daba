"""The kept runs are of the settings and data that their scales have now, and the pages show them."""

import dataclasses
import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import page_parts
import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import Catalogue, load_catalogue
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.layout import CHECKOUT as REPO
from r3cnn.core.layout import EXPERIMENTS
from r3cnn.training.reuse import differing_keys
from reports.page.pictures import write_costs
from reports.results.load import load_results
from reports.results.packed import unpacked

MEASURED = REPO / "measured"
KEPT = [
    name for name in ("quick", "mini", "mini_trial") if (MEASURED / name / "kept.zip").is_file()
]
CATALOGUES = ("controls", "heads", "rates", "sweep")


def trained(scale: str) -> list[Path]:
    """The folders of a kept run's trainings."""
    return sorted(
        path.parent for path in unpacked(MEASURED / scale).glob("trainings/*/seed*/manifest.json")
    )


def catalogue_of(training: str) -> Catalogue:
    """The shipped catalogue that has this row."""
    found = (load_catalogue(EXPERIMENTS / f"{name}.yaml") for name in CATALOGUES)
    return next(one for one in found if training in one.trainings)


def test_the_trials_of_mini_differ_from_it_in_images_and_rate_alone():
    mini, trial = load_scale("mini"), load_scale("mini_trial")
    assert trial.data["shapes"]["seed"] != mini.data["shapes"]["seed"]
    same = dataclasses.replace(trial, name=mini.name, path=mini.path, data=mini.data, lr=mini.lr)
    assert same == mini
    shapes = {**trial.data["shapes"], "seed": mini.data["shapes"]["seed"]}
    assert shapes == mini.data["shapes"]


def test_the_rate_of_mini_is_the_best_of_its_trials():
    trials = load_results(MEASURED / "mini_trial")
    sweep, base = load_catalogue(EXPERIMENTS / "sweep.yaml"), load_scale("mini_trial").lr
    found: dict[float, list[float]] = {}
    for id_, loops in trials.evaluations():
        rate = base * sweep.trainings[id_].rate
        found.setdefault(rate, []).append(trials.values(id_, loops, "bbox.AP")[0])
    assert {len(of_one) for of_one in found.values()} == {2}
    assert len(found) == 4
    assert max(found, key=lambda rate: sum(found[rate])) == load_scale("mini").lr


@pytest.mark.parametrize("scale", KEPT)
def test_a_kept_run_is_of_the_data_that_its_scale_asks_for(scale):
    folder, shapes = unpacked(MEASURED / scale), load_scale(scale).data["shapes"]
    data = json.loads((folder / "data.json").read_text())
    assert data["generated"] == {**shapes, "objects": list(shapes["objects"])}
    images = {
        json.loads(path.read_text())["images"] for path in folder.glob("scores/*/seed*/loops?.json")
    }
    assert images == {shapes["val"]}


def test_what_make_reproduce_shows_is_worth_looking_at():
    """Mask R-CNN and HTC reach a box AP of 15, the aim that the scale was chosen by; every row ran."""
    results = load_results(MEASURED / "quick")
    for training, loops in (("mask_1x", 1), ("htc", 3)):
        assert min(results.values(training, loops, "bbox.AP")) >= 0.15
    assert set(results.evaluations()) == {
        (id_, n) for id_, loops in load_catalogue().evaluations.items() for n in loops
    }


@pytest.mark.parametrize("scale", KEPT)
def test_a_scale_is_still_what_was_measured(scale):
    """Tuned after a row was seen, the scale would differ from what that row's config says."""
    data = json.loads((unpacked(MEASURED / scale) / "data.json").read_text())
    found = trained(scale)
    assert found
    for folder in found:
        measured, id_ = load_config(folder / "config.py"), folder.parent.name
        training = catalogue_of(id_).trainings[id_]
        now = resolve(training, load_scale(scale), measured.r3cnn.seed, data)
        assert not differing_keys(now, measured), folder


@pytest.mark.parametrize("scale", KEPT)
def test_a_manifest_names_no_folder_of_the_machine_that_trained(scale):
    for folder in trained(scale):
        text = (folder / "manifest.json").read_text()
        assert not re.search(r'"/[^"]*/', text), folder
        assert not re.search(r"/(home|root|work|tmp|Users)/", text), folder
        assert not re.search("-dirty", json.loads(text)["git_commit"]), folder


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return importlib.import_module("kept_tables")


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        ("README.md", ["claims"]),
        ("docs/quick.md", ["quick_trials", "quick_rows"]),
        ("docs/mini.md", ["rows", "left"]),
        ("docs/controls.md", ["differences", "balance"]),
        ("docs/mini_settings.md", ["mini_trials", "sweep"]),
        ("docs/heads.md", ["heads"]),
    ],
)
def test_the_pages_show_what_came_out(script, page, parts):
    text = (REPO / page).read_text()
    assert list(page_parts.parts(text)) == parts
    assert script.renewed(text, script.makers()) == text, "run: python scripts/kept_tables.py"


def test_two_heads_in_three_loops_stand_between_one_and_htc(script):
    """What docs/heads.md says of its table."""
    cells = [
        line.strip("| ").split(" | ") for line in script.heads(load_results(MEASURED / "mini"))[2:]
    ]
    of = {cell[0]: [float(value) for value in cell[2:]] for cell in cells}
    for model in ("aab", "abb"):
        for column in (0, 1):  # parameters, box AP
            assert of["aaa (naive)"][column] < of[model][column] < of["HTC"][column]
    for model in ("aab", "abb", "abc"):  # mask AP
        assert of[model][2] < min(of["aaa (naive)"][2], of["HTC"][2]) - 10
    assert abs(of["aab, no mask flow"][2] - of["HTC"][2]) < 2


# what docs/controls.md says of each difference: box AP and mask AP, + and - where the interval leaves out 0
SHOWN = {
    "R3-CNN at the cost of Mask (3x)": "+0",
    "Mask at the cost of R3-CNN (1x)": "0+",
    "Mask matched (1x)": "00",
    "R3-CNN, trained with one loop": "00",
    "R3-CNN (naive)": "+0",
    "R3-CNN, shuffled thresholds": "00",
    "R3-CNN, 0.6 in all loops": "00",
    "R3-CNN, mask flow off": "0+",
    "R3-CNN, mask flow trained": "00",
    "R3-CNN, loop weights 1": "-0",
    "GC-Net with SyncBN": "-0",
    "DCN v2": "-0",
}


def test_the_page_of_controls_says_what_the_differences_show(script):
    found = {}
    for line in script.differences(load_results(MEASURED / "mini"))[2:]:
        label, *_, box, mask = line.strip("| ").split(" | ")
        ends = [
            [
                float(end)
                for end in re.findall(r"[-+]?[0-9.]+", cell.replace("\N{MINUS SIGN}", "-"))[1:]
            ]
            for cell in (box, mask)
        ]
        found[label] = "".join("+" if low > 0 else "-" if high < 0 else "0" for low, high in ends)
    assert {label: found[label] for label in SHOWN} == SHOWN


def test_at_half_the_rate_the_looped_models_are_level_and_ahead():
    """What docs/mini.md says of experiments/rates.yaml."""
    results = load_results(MEASURED / "mini")
    ap = {
        id_: 100 * results.values(f"{id_}_half", loops, "bbox.AP")[0]
        for id_, loops in (("mask_1x", 1), ("htc", 3), ("r3_naive_inc", 3), ("r3_advanced", 3))
    }
    looped = [ap.pop(id_) for id_ in ("htc", "r3_naive_inc", "r3_advanced")]
    assert max(looped) - min(looped) < 2.5
    assert min(looped) > ap["mask_1x"] + 9


def test_the_pictures_of_costs_are_those_of_the_kept_run(tmp_path):
    for drawn in write_costs(MEASURED / "mini", tmp_path):
        assert drawn.read_bytes() == (REPO / "docs" / "pictures" / drawn.name).read_bytes()


def test_a_row_of_the_pages_is_a_row_of_the_run(script):
    results = load_results(MEASURED / "quick")
    lines = [line.strip("| ").split(" | ") for line in script.rows(results)[2:]]
    assert [line[0] for line in lines] == list(load_catalogue().trainings)
    for training, *_, loops, boxes, masks in lines:
        made = load_catalogue().evaluations[training]
        assert loops == ", ".join(map(str, made))
        for metric, shown in (("bbox.AP", boxes), ("segm.AP", masks)):
            values = [results.values(training, n, metric)[0] for n in made]
            assert shown == ", ".join(f"{100 * value:.1f}" for value in values)
    assert len(script.claims({"quick": results})) == 2 + 12
