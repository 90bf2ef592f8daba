"""What opens behind a cell."""

from reports.page.details import LOG_LINES, again_command, details
from reports.results.load import load_results
from tests.reports.folders import ResultFolder

CONFIG = "model = 1\nloops = {}\nextra = 3\n"


def seed0(folder: ResultFolder, training: str, parents: dict[str, str] | None = None) -> dict:
    return details(load_results(folder.path), parents or {})["trainings"][training]["seeds"]["0"]


def test_the_config_and_its_difference_from_the_parents(smoke: ResultFolder) -> None:
    smoke.config("base", CONFIG.format(1))
    smoke.config("mine", CONFIG.format(3))
    of = seed0(smoke, "mine", {"mine": "base"})
    assert of["config"] == CONFIG.format(3)
    assert of["parent"] == "base"
    assert of["difference"].splitlines()[-3:] == ["-loops = 1", "+loops = 3", " extra = 3"]
    assert "difference" not in seed0(smoke, "base", {"mine": "base"})


def test_a_row_of_ones_own_is_held_against_the_nearest_config(smoke: ResultFolder) -> None:
    smoke.config("far", "other = 1\nthings = 2\n")
    smoke.config("near", CONFIG.format(1))
    smoke.config("near", CONFIG.format(1) + "seed = 1\n", seed=1)
    smoke.config("mine", CONFIG.format(3))
    assert seed0(smoke, "mine")["parent"] == "near"


def test_files_with_their_sizes_and_the_end_of_the_log(smoke: ResultFolder) -> None:
    smoke.train("htc")
    smoke.score("htc", 3, 0.1, 0.1)
    smoke.write("trainings/htc/seed0/checkpoint.pth", "12345")
    smoke.write("logs/train/htc.seed0.log", "\n".join(f"line {n}" for n in range(100)))
    found = details(load_results(smoke.path), {})
    of = found["trainings"]["htc"]["seeds"]["0"]
    assert ("trainings/htc/seed0/checkpoint.pth", 5) in of["files"]
    assert of["log"].splitlines() == [f"line {n}" for n in range(100 - LOG_LINES, 100)]
    files = [name for name, _ in found["evaluations"]["htc|3"]["seeds"]["0"]["files"]]
    assert files == ["scores/htc/seed0/loops3.json"]
    assert of["manifest"]["world_size"] == 1


def test_a_number_is_made_again_in_a_folder_of_its_own(smoke: ResultFolder) -> None:
    results = load_results(smoke.path, catalogue="own.yaml")
    command = again_command(results, "scores/mine/seed0/loops3.json")
    assert "again/smoke/scores/mine/seed0/loops3.json" in command
    assert command.endswith("--config scale=smoke catalogue=own.yaml results=again")
