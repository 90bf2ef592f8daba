"""What is kept of a run makes the same report, and names no place on the machine that it ran on."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.claims.spec import load_claims
from reports.page.html import build_report
from reports.results.keep import EVERY, keep, keep_packed
from reports.results.load import load_results
from reports.tables.spec import load_spec
from tests.reports.folders import SOURCES, ResultFolder


def line(step: int) -> dict:
    return {"epoch": 1, "iteration": step, "loss": 1 / step}


@pytest.fixture
def run(tmp_path: Path) -> ResultFolder:
    """A finished training, and one that has not ended."""
    folder = ResultFolder(tmp_path / "results" / "mini", "mini")
    folder.data()
    folder.train("mask_1x", loops_trained=1)
    folder.score("mask_1x", 1, 0.3, 0.2)
    folder.resample("mask_1x", 1, 0.3)
    folder.errors("mask_1x", 1, 0.02, 0.01)
    folder.histogram("mask_1x", 1)
    folder.measure("mask_1x")
    folder.write("trainings/mask_1x/seed0/config.py", "root = 'results/mini/data'\n")
    folder.write("trainings/mask_1x/seed0/checkpoint.pth", "weights")
    folder.write("predictions/mask_1x/seed0.parquet", "predictions")
    lines = [line(step) for step in range(1, 3 * EVERY + 4)]
    log = "".join(json.dumps(one) + "\n" for one in lines)
    folder.write("trainings/mask_1x/seed0/train.jsonl", log)
    folder.write("trainings/htc/seed0/config.py", "")
    return folder


@pytest.mark.parametrize("keep", [keep, keep_packed])
def test_the_report_of_what_was_kept_is_that_of_the_run(
    keep: Callable[[Path, Path], list[Path]], run: ResultFolder, tmp_path: Path
) -> None:
    out = tmp_path / "measured" / "mini"
    keep(run.path, out)
    one, other = (
        build_report(load_spec(), load_claims(), load_results(folder), SOURCES)
        for folder in (run.path, out)
    )
    shown = [
        [row.cells for table in report.tables for row in table.rows] for report in (one, other)
    ]
    assert shown[0] == shown[1]
    assert one.claims == other.claims
    assert one.series["histograms"] == other.series["histograms"]
    assert other.command == "snakemake --profile workflow/profiles/local --config scale=mini"


def test_a_training_of_another_config_replaces_nothing(run: ResultFolder, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    keep(run.path, out)
    keep(run.path, out)  # the same again
    before = (out / "scores/mask_1x/seed0/loops1.json").read_bytes()
    run.train("mask_1x", loops_trained=1, config_sha256="f" * 64)
    run.score("mask_1x", 1, 0.9, 0.9)
    with pytest.raises(UserError, match=r"mask_1x.*config_sha256: trained with another config"):
        keep(run.path, out)
    assert (out / "scores/mask_1x/seed0/loops1.json").read_bytes() == before


def test_only_small_files_of_what_has_ended_are_kept(run: ResultFolder, tmp_path: Path) -> None:
    files = keep(run.path, tmp_path / "kept")
    assert {path.name for path in files} == {
        "data.json",
        "config.py",
        "manifest.json",
        "iou_histogram.csv",
        "train.jsonl",
        "loops1.json",
        "loops1.bootstrap.parquet",
        "loops1.errors.json",
        "mask_1x.json",
    }
    assert not (tmp_path / "kept" / "trainings" / "htc").exists()


def test_a_log_is_thinned(run: ResultFolder, tmp_path: Path) -> None:
    keep(run.path, tmp_path / "kept")
    text = (tmp_path / "kept/trainings/mask_1x/seed0/train.jsonl").read_text()
    steps = [json.loads(one).get("iteration") for one in text.splitlines()]
    assert steps == [1, EVERY, 2 * EVERY, 3 * EVERY, 3 * EVERY + 3]


def test_what_was_kept_before_stays(run: ResultFolder, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    keep(run.path, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    (run.path / "trainings/mask_1x/seed0/manifest.json").unlink()
    keep(run.path, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("root = '/elsewhere/mine/data'", "/elsewhere/mine/data"),
        ("root = '/elsewhere/John Doe/data'", "/elsewhere/John"),
        ("command = 'python /elsewhere/mine/foo.py --x'", "/elsewhere/mine/foo.py"),
        ("command = 'a --root=/elsewhere/mine'", "/elsewhere/mine"),
        ("a = 'file:///elsewhere/mine'", "/elsewhere/mine"),
        ("a = 'host:/elsewhere/mine'", "/elsewhere/mine"),
        ("a = 'text\\n/elsewhere/mine'", "/elsewhere/mine"),
    ],
)
def test_a_path_of_the_machine_is_refused(run: ResultFolder, tmp_path: Path, text, path) -> None:
    run.write("trainings/mask_1x/seed0/config.py", text + "\n")
    with pytest.raises(UserError, match=rf"config.py: holds the path {path} of this machine"):
        keep(run.path, tmp_path / "kept")


@pytest.mark.parametrize(
    "text",
    [
        "a = 'https://one.org/two/three'",
        "a = 's3://one/*/two/three'",
        "a = 'one/two/three'",
        "a = 'one (copy)/two/three'",
        "a = '*/seed0/train.jsonl'",
        "a = '{id}/seed0/x.json'",
        "a = '(train|val)/images/x'",
        "a = 1 / 2 / 3",
        "a = '/'",
    ],
)
def test_what_only_looks_like_a_path_may_stand(run: ResultFolder, tmp_path: Path, text) -> None:
    run.write("trainings/mask_1x/seed0/config.py", text + "\n")
    assert keep(run.path, tmp_path / "kept")


@pytest.mark.parametrize("inside", [".", "kept"])
def test_a_run_is_not_kept_inside_itself(run: ResultFolder, inside) -> None:
    log = run.path / "trainings/mask_1x/seed0/train.jsonl"
    before = log.read_text()
    with pytest.raises(UserError, match=r"--out .*: is inside the run "):
        keep(run.path, run.path / inside)
    assert log.read_text() == before


def test_a_broken_data_json_is_not_kept(run: ResultFolder, tmp_path: Path) -> None:
    run.write("data.json", "{")
    with pytest.raises(UserError, match=r"data\.json"):
        keep(run.path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_results_on_other_data_are_refused(run: ResultFolder, tmp_path: Path) -> None:
    keep(run.path, tmp_path / "kept")
    run.data(splits={"train": {"sha256": "other"}})
    with pytest.raises(UserError, match=r"data.json: splits: results on other data"):
        keep(run.path, tmp_path / "kept")
    with pytest.raises(UserError, match=r"no data.json"):
        keep(tmp_path, tmp_path / "kept")


def test_one_file_holds_all_and_the_same_run_makes_the_same(
    run: ResultFolder, tmp_path: Path
) -> None:
    out = tmp_path / "measured" / "mini"
    (packed,) = keep_packed(run.path, out)
    assert [path.name for path in out.iterdir()] == ["kept.zip"]
    first = packed.read_bytes()
    keep(run.path, tmp_path / "kept")
    plain = {
        p.relative_to(tmp_path / "kept") for p in (tmp_path / "kept").rglob("*") if p.is_file()
    }
    held = load_results(out).folder
    assert {p.relative_to(held) for p in held.rglob("*") if p.is_file()} == plain
    keep_packed(run.path, out)
    assert packed.read_bytes() == first


def test_resamples_are_rounded_far_below_what_is_shown(run: ResultFolder, tmp_path: Path) -> None:
    keep_packed(run.path, tmp_path / "kept")
    one, other = (
        load_results(folder).resamples["mask_1x", 0, 1] for folder in (run.path, tmp_path / "kept")
    )
    assert one.pairing == other.pairing
    left_out = {name for name in one.frame if ".AR" in name}
    assert set(one.frame) - set(other.frame) == left_out != set()
    mine = one.frame.drop(columns=list(left_out))
    assert list(mine) == list(other.frame)
    assert (mine.isna() == other.frame.isna()).all().all()
    assert (mine != other.frame).any().any()  # they are rounded
    assert (mine - other.frame).abs().max().max() <= 0.5e-4 + 1e-12


def test_another_training_is_added_to_what_is_packed(run: ResultFolder, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    keep_packed(run.path, out)
    for training in ("htc", "htc_dcn"):
        run.train(training, loops_trained=3)
        run.score(training, 3, 0.4, 0.3)
        keep_packed(run.path, out)
        shutil.rmtree(run.path / "trainings" / training)
    with zipfile.ZipFile(out / "kept.zip") as archive:
        names = archive.namelist()
    kept = {name.split("/")[1] for name in names if name.startswith("trainings/")}
    assert kept == {"mask_1x", "htc", "htc_dcn"}


def test_a_broken_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "kept.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"kept\.zip: not a file of kept results") as caught:
        load_results(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_the_run_was_told_is_kept_without_its_folder(smoke: ResultFolder, tmp_path) -> None:
    told = {"scale": "my scale.yaml", "seeds": "0,1", "trainings": ["htc"]}
    smoke.write("settings.json", told | {"results": "/elsewhere/on this machine"})
    keep(smoke.path, tmp_path / "kept")
    text = (tmp_path / "kept" / "settings.json").read_text(encoding="utf-8")
    assert json.loads(text) == told
