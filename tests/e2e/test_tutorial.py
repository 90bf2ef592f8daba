"""docs/tutorial.md, from its first command to its last, as written, in a fresh copy of the repository."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.slow
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATH_LINE = re.compile(r"# (\S+\.\w+)\n")
SET_UP = (
    "constraints.txt",
    "requirements.lock",
    "pyproject.toml",
    "setup.py",
    "scripts/setup_venv.sh",
    "scripts/check_venv.py",
)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def fresh_copy(folder: Path, results: Path) -> Path:
    """The repository as git has it, set up, with the results that `make smoke` leaves.

    The set-up and the run at scale smoke are shared with the other tests; they take half an hour.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    venv = Path(sys.prefix)
    if not (venv / ".ready").is_file():
        pytest.skip(f"{venv} was not made by `make setup`")
    (folder / ".venv").symlink_to(venv)
    for name in SET_UP:
        os.utime(folder / name, (0, 0))
    without_state = shutil.ignore_patterns("state")
    shutil.copytree(results, folder / "results" / "smoke", ignore=without_state)
    checked = folder / "results" / "smoke" / "data.json"
    times = (checked.stat().st_atime, checked.stat().st_mtime)
    checked.write_text(checked.read_text().replace(f"{results}/", "results/smoke/"))
    os.utime(checked, times)
    return folder


@pytest.fixture(scope="module")
def followed(smoke, tmp_path_factory) -> tuple[Path, str]:
    """The folder in which a user has followed the tutorial, and all that was printed."""
    folder = fresh_copy(tmp_path_factory.mktemp("tutorial") / "r3cnn", smoke.results / "smoke")
    lines = ["set -eu"]
    for language, text in blocks("docs/tutorial.md"):
        if language == "sh":
            lines += [f"cat <<'COMMANDS'\n{text}COMMANDS", text]
        else:
            path = folder / PATH_LINE.match(text)[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder.parent)}
    environment["PYTHONPATH"] = str(
        folder
    )  # set-up would have installed this clone, not the tests' one
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return folder, done.stdout


def test_nothing_of_the_paper_was_trained_again(followed):
    _, said = followed
    assert "Device: " in said
    assert re.search("^The report: file://.*/results/smoke/report/index.html$", said, re.MULTILINE)
    trained = re.findall(r"Train (\w+), seed 0", said)
    assert set(trained) == {"squeeze"}


def test_the_own_row_stands_beside_the_paper_s(followed):
    folder, _ = followed
    report = folder / "results" / "smoke" / "report"
    with open(report / "other.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if "squeeze" in "".join(row.values())]
    assert len(rows) == 1
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "squeeze" in page
    assert "../my-heads/mine.yaml" in page  # the command that makes the row again


def test_the_own_head_was_trained(followed):
    folder, _ = followed
    import torch

    place = folder / "results" / "smoke" / "trainings" / "squeeze" / "seed0"
    weights = torch.load(place / "checkpoint.pth", weights_only=True)["state_dict"]
    gate = [name for name in weights if ".mask_head.gate." in name]
    assert len(gate) == 4
    assert weights["roi_head.mask_head.gate.1.weight"].shape == (4, 32, 1, 1)  # reduction: 8
    measured = folder / "results" / "smoke" / "measurements"
    counts = [
        json.loads((measured / f"{id_}.json").read_text())["parameters"]["total"]
        for id_ in ("squeeze", "r3_naive_inc")
    ]
    assert counts[0] - counts[1] == 2 * 256 * 32 + 32 + 256


def test_pictures_were_drawn(followed):
    folder, _ = followed
    images = list((folder / "results" / "smoke" / "data" / "val2017").glob("*.png"))
    drawn = list((folder / "drawn").glob("*.jpg"))
    assert len(drawn) == len(images) > 0
    told = json.loads((folder / "drawn" / "loops" / "000000500001.json").read_text())
    assert told["training"] == "squeeze"
    assert told["loops"] == [1, 2, 3]
    assert Image.open(folder / "drawn" / "loops" / "000000500001.jpg").width > 3 * 640


def test_it_was_taken_elsewhere(followed):
    folder, said = followed
    names = {path.name for path in (folder / "taken").iterdir()} - {"__pycache__"}
    assert names == {"squeeze.pth", "squeeze.py", "squeeze.md", "squeeze_mask_head.py"}
    card = (folder / "taken" / "squeeze.md").read_text()
    assert re.search(r"^\| 3 \| [\d.]+ \[[\d.]+, [\d.]+\] \|", card, re.MULTILINE)
    assert re.search(r"\d+ detections, best score 0\.\d+", said)


def test_mmdet_s_own_scripts_ran(followed):
    folder, said = followed
    assert (folder / "plain" / "epoch_1.pth").is_file()
    assert "coco/segm_mAP" in said


def test_every_command_of_the_page_is_in_a_block_that_runs():
    """A block in another language would be passed over."""
    languages = [language for language, _ in blocks("docs/tutorial.md")]
    assert set(languages) == {"sh", "python", "yaml"}
    for language, text in blocks("docs/tutorial.md"):
        assert language == "sh" or PATH_LINE.match(text), text
