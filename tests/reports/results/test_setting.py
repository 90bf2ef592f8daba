"""Conditions in words, and the command that runs what is missing."""

import json
import shlex

import pytest

from reports.results.load import load_results
from reports.results.setting import PROFILE, measured_on, run_command, setting_of
from tests.reports.folders import ResultFolder


def test_scale_data_device_and_seeds(smoke: ResultFolder) -> None:
    smoke.train("htc", 0)
    smoke.train("htc", 1, world_size=8, device="GPU A")
    setting = setting_of(load_results(smoke.path))
    assert setting.line == (
        "Scale: smoke. Data: generated shapes (48 train images, 16 val images, 6 classes). "
        "Trained on: 8 x GPU A; CPU, Some Processor, 2 threads. Seeds: 0, 1."
    )
    assert setting.meaningless
    assert not setting.comparable


def test_speeds_measured_beside_other_jobs_are_called_so(smoke: ResultFolder) -> None:
    smoke.measure("htc", alone=False)
    smoke.measure("mask_1x", alone=True)
    smoke.measure("mask_3x")  # an older file
    smoke.measure("groie", scale=None)
    counted = smoke.path / "measurements" / "groie.json"  # its parameters alone
    content = json.loads(counted.read_text())
    del content["speed"], content["memory"]
    counted.write_text(json.dumps(content))
    cpu = "CPU, Some Processor, 2 threads (scale smoke"
    words = measured_on(load_results(smoke.path), ["htc", "mask_1x", "mask_3x", "groie"])
    assert words == f"{cpu}, with other jobs running): htc; {cpu}): mask_1x, mask_3x"


def test_only_the_papers_scale_on_coco_compares(paper: ResultFolder) -> None:
    assert setting_of(load_results(paper.path)).comparable
    paper.train("htc", scale="mini")
    setting = setting_of(load_results(paper.path))
    assert not setting.comparable
    assert "not with the paper's numbers" in setting.meaning


def test_one_smoke_result_makes_the_whole_meaningless(paper: ResultFolder) -> None:
    paper.train("htc")
    paper.train("mask_1x", scale="smoke")
    assert setting_of(load_results(paper.path)).meaningless


@pytest.mark.parametrize("name", ["smoke", "smoke-coco"])
def test_a_folder_without_trainings_is_known_by_its_name(tmp_path, name: str) -> None:
    folder = ResultFolder(tmp_path / "results" / name)
    assert setting_of(load_results(folder.path)).scale == "smoke"


def test_the_command_names_the_users_data_and_folder(tmp_path) -> None:
    folder = ResultFolder(tmp_path / "my runs" / "smoke-coco tiny")
    folder.data(coco=True, root="data/coco tiny")
    parts = shlex.split(run_command(load_results(folder.path), "report/index.html"))
    assert parts == [
        "snakemake",
        "--profile",
        PROFILE,
        f"{tmp_path}/my runs/smoke-coco tiny/report/index.html",
        "--config",
        "scale=smoke",
        "data=data/coco tiny",
        f"results={tmp_path}/my runs",
    ]


SETTINGS = {
    "scale": "my scales/own.yaml",
    "data": "my data",
    "catalogue": "own.yaml",
    "backbone": "random",
    "seeds": "3,4",
    "trainings": ["mine"],
}


def told(folder: ResultFolder, *names: str, **options: str) -> dict[str, str]:
    """The --config of the command that makes these files."""
    parts = shlex.split(run_command(load_results(folder.path), *names, **options))
    return dict(part.split("=", 1) for part in parts[parts.index("--config") + 1 :])


def test_the_command_says_what_the_run_was_told(tmp_path) -> None:
    folder = ResultFolder(tmp_path / "runs" / "own-my_data")
    folder.data(root="elsewhere")
    folder.write("settings.json", SETTINGS | {"results": str(tmp_path / "runs")})
    wanted = {key: value for key, value in SETTINGS.items() if key != "trainings"}
    name = "scores/mine/seed3/loops2.json"
    assert told(folder, name) == wanted | {"results": str(tmp_path / "runs")}
    assert told(folder) == wanted | {"results": str(tmp_path / "runs")}
    assert told(folder, name, into="again") == wanted | {"results": "again"}


def test_a_training_that_the_catalogue_has_not_is_the_papers(tmp_path) -> None:
    folder = ResultFolder(tmp_path / "results" / "own-my_data")
    folder.write("settings.json", SETTINGS | {"results": "results"})
    for name in ("scores/htc/seed0/loops3.json", "measurements/htc.json"):
        found = told(folder, name)
        assert "catalogue" not in found
        assert found["scale"] == "my scales/own.yaml"
    assert told(folder, "measurements/mine.json")["catalogue"] == "own.yaml"


def test_a_folder_that_was_moved_is_named_where_it_is(tmp_path) -> None:
    folder = ResultFolder(tmp_path / "moved" / "own")
    folder.write("settings.json", SETTINGS | {"results": "results"})
    assert told(folder)["results"] == str(tmp_path / "moved")
