"""Weights to be taken elsewhere: plain mmdet loads them and finds the same; the card says what they are."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from r3cnn.config.load import load_config
from r3cnn.core.errors import UserError
from r3cnn.core.files import sha256_of, write_json
from r3cnn.data.loading import build_dataset, collate
from r3cnn.evaluation.predict import predict_batch
from r3cnn.weights import checkpoint, model_index
from r3cnn.weights.export import export
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny

ELSEWHERE = """\
import sys
import numpy as np
from mmdet.apis import inference_detector, init_detector
model = init_detector("taken.py", "taken.pth", device="cpu")
found = inference_detector(model, sys.argv[1]).pred_instances
keys = [k for k in ("bboxes", "scores", "labels", "masks", "mask_scores") if k in found]
np.savez("found.npz", classes=model.dataset_meta["classes"], **{k: found[k].numpy() for k in keys})
"""


def score(checkpoint_sha256: str, loops: int, ap: float) -> dict:
    metrics = {"AP": ap, "AP50": 0.5, "AP75": None}
    facts = {"checkpoint_sha256": checkpoint_sha256}
    return {"loops": loops, "images": 4, "bbox": metrics, "segm": metrics, "provenance": facts}


@pytest.fixture(scope="module")
def results(looped, tmp_path_factory) -> Path:
    """A results folder with one training, its momentum, and two scores, one of another checkpoint."""
    cfg, weights = looped
    folder = tmp_path_factory.mktemp("results") / "smoke"
    place = folder / "trainings" / "r3_advanced" / "seed0"
    place.mkdir(parents=True)
    content = checkpoint.load(weights)
    momentum = {i: value.clone() for i, value in enumerate(content["state_dict"].values())}
    checkpoint.save(place / "checkpoint.pth", {**content, "optimizer": {"state": momentum}})
    (place / "config.py").write_text(Path(cfg.filename).read_text())
    write_json(place / "manifest.json", tiny.manifest())
    scores = folder / "scores" / "r3_advanced" / "seed0"
    digest = sha256_of(place / "checkpoint.pth")
    write_json(scores / "loops3.json", score(digest, 3, 0.123))
    write_json(scores / "loops1.json", score("0" * 64, 1, 0.987))
    spread = pa.table({"bbox.AP": np.linspace(0, 0.4, 1001), "segm.AP50": [np.nan] * 1001})
    pq.write_table(spread, scores / "loops3.bootstrap.parquet")
    return folder


@pytest.fixture(scope="module")
def taken(results, tmp_path_factory) -> Path:
    """An empty folder with what was exported, and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    export(results / "trainings" / "r3_advanced" / "seed0" / "checkpoint.pth", folder / "taken.pth")
    return folder


def test_what_is_written(taken, results):
    assert {path.name for path in taken.iterdir()} == {"taken.md", "taken.py", "taken.pth"}
    whole = results / "trainings" / "r3_advanced" / "seed0" / "checkpoint.pth"
    assert (taken / "taken.pth").stat().st_size < 0.55 * whole.stat().st_size


def test_tensors_and_plain_types_only(taken, looped):
    content = torch.load(taken / "taken.pth", weights_only=True)
    assert content.keys() == {"meta", "state_dict"}
    names = ("disc", "square", "triangle", "ring", "star", "cross")
    assert content["meta"]["dataset_meta"] == {"classes": names}
    mine = checkpoint.load(looped[1])["state_dict"]
    assert content["state_dict"].keys() == mine.keys()
    assert all(torch.equal(content["state_dict"][name], value) for name, value in mine.items())


def detections(cfg, weights: Path) -> tuple[str, dict[str, np.ndarray]]:
    """What this project finds in the first validation image."""
    data = collate([build_dataset(cfg.test_dataloader)[0]])
    path = data["data_samples"][0].img_path
    loops = cfg.r3cnn.loops_trained
    found = predict_batch(load_detector(cfg, weights), data, [loops])[loops][0]
    return path, {name: value.numpy() for name, value in found.items()}


def require_same_elsewhere(folder: Path, image: str, expected: dict[str, np.ndarray]) -> None:
    """In a fresh process in another folder, by mmdet's own functions."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, image],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tiny.ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(folder / "found.npz")
    assert found["classes"].tolist()[:2] == ["disc", "square"]
    assert set(found.files) == {"classes", *expected}
    assert len(expected["scores"]) > 0
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_plain_mmdet_finds_the_same(taken, looped, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    path, expected = detections(*looped)
    torch.set_num_threads(threads)
    require_same_elsewhere(taken, path, expected)


# --------------------------------------------------------------------------------- the card


def test_the_card_says_what_it_is(taken):
    card = (taken / "taken.md").read_text()
    for line in (
        "# taken: r3_advanced at scale smoke",
        "| detector, RoI head | MaskRCNN, R3RoIHead |",
        "| classes | 6: disc, square, triangle, ring, star, cross |",
        "| image size (longest, shortest side) | 160 x 128 |",
        "| schedule | 1x, 18 iterations, 2 epochs |",
        "| IoU thresholds of the loops | [0.5, 0.6, 0.7] |",
        "| data | data, 6 classes, 8 training images |",
        "| sources, SHA-256 | `50c5` |",
    ):
        assert line in card.splitlines(), line
    assert "**Its APs mean nothing" in card
    assert "Apache-2.0" in card
    assert "no photograph is in it" in card
    assert sha256_of(taken / "taken.pth") in card
    assert "{" not in card.replace("{sha256", "")


def test_the_card_s_metrics_are_of_these_weights_with_intervals(taken, caplog):
    card = (taken / "taken.md").read_text()
    assert "| 3 | 12.3 [0.0, 35.0] | 50.0 | - | 12.3 | 50.0 | - |" in card.splitlines()
    assert "98.7" not in card  # of another checkpoint


def test_the_card_s_parameters_are_the_network_s(taken, looped):
    card = (taken / "taken.md").read_text()
    count = int(re.search(r"\| parameters \| ([\d,]+) \|", card)[1].replace(",", ""))
    assert count == sum(p.numel() for p in load_detector(*looped).parameters())


def front_matter(card: Path) -> dict:
    """The YAML between the two lines that a card begins with, as the Hub finds it."""
    found = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8"), re.DOTALL)
    return yaml.safe_load(found[1])


def test_the_card_s_metadata_are_a_model_index(taken):
    content = front_matter(taken / "taken.md")
    assert content["pipeline_tag"] == "image-segmentation"
    (model,) = content["model-index"]
    assert model["name"] == "taken"
    boxes, masks = model["results"]
    assert boxes["task"]["type"] == "object-detection"
    assert masks["task"]["type"] == "image-segmentation"
    assert boxes["dataset"]["name"] == "Shapes generated by r3cnn"
    assert boxes["dataset"]["args"]["classes"] == 6
    values = [(one["type"], one["value"], one["args"]) for one in boxes["metrics"]]
    loops = {"evaluation_loops": 3}
    assert values == [("box_AP", 12.3, loops), ("box_AP50", 50.0, loops)]  # AP75 has no objects
    assert [one["type"] for one in masks["metrics"]] == ["mask_AP", "mask_AP50"]


@pytest.mark.parametrize(
    "name", ["a: b", "# c", "- d", "---", '"e', "f\n---\ng", "{{h}}", "no", "猫"]
)
def test_metadata_survive_any_name(tmp_path, name):
    scores = [{"loops": 1, "bbox": {"AP": 0.5}, "segm": None}]
    text = model_index.front_matter(name, {"root": f"x/{name}"}, False, ["dog"], scores)
    (tmp_path / "card.md").write_text(f"{text}# card\n", encoding="utf-8")
    (model,) = front_matter(tmp_path / "card.md")["model-index"]
    assert model["name"] == model["results"][0]["dataset"]["name"] == " ".join(name.split())
    assert len(model["results"]) == 1  # no masks were scored


def test_no_scores_no_metrics(results, tmp_path):
    place = results / "trainings" / "r3_advanced" / "seed0"
    for name in ("checkpoint.pth", "config.py", "manifest.json"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    export(tmp_path / "checkpoint.pth", tmp_path / "out" / "w.pth")
    assert "None: the results folder holds no score" in (tmp_path / "out" / "w.md").read_text()
    assert "model-index" not in front_matter(tmp_path / "out" / "w.md")


@pytest.mark.parametrize(
    ("classes", "expected"),
    [(("person", "dog"), "CC BY 4.0"), (("dog", "unicorn"), "Not known to this project")],
)
def test_the_data_s_licence_follows_from_the_classes(classes, expected):
    from r3cnn.weights.model_card import _licence_of

    assert expected in _licence_of(classes)


NAMES = (
    "a|b",
    "*bold*",
    "_under_",
    "__two__",
    "`code`",
    "<img src=x>",
    "[link](http://x)",
    "x\ny",
    "A & B~",
    "猫",
)


def test_class_names_are_shown_letter_for_letter(results):
    from markdown_it import MarkdownIt

    from r3cnn.weights.model_card import _what

    cfg = load_config(results / "trainings" / "r3_advanced" / "seed0" / "config.py")
    lines = _what(cfg, NAMES, Path("my_model|x.pth"), 7)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render("\n".join(lines))
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", html)]
    shown = (
        "10: a|b, *bold*, _under_, __two__, `code`, <img src=x>, [link](http://x), x y, A & B~, 猫"
    )
    assert unescape(cells[cells.index("classes") + 1]) == shown
    assert "<h1>my_model|x: r3_advanced at scale smoke</h1>" in html


@pytest.mark.parametrize("text", ["a", "a `b` c", "``", "a|b"])
def test_code_is_shown_letter_for_letter(text):
    from markdown_it import MarkdownIt

    from r3cnn.weights.model_card import code

    table = f"| x |\n|---|\n| {code(text)} |"
    html = MarkdownIt("commonmark").enable("table").render(table)
    assert f"<code>{text}</code>" in html


# ------------------------------------------------------------------------------ what is refused


def test_without_its_manifest(looped, tmp_path):
    with pytest.raises(UserError, match=r"manifest\.json: cannot be read .* results folder"):
        export(looped[1], tmp_path / "w.pth")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["w.md", "checkpoint.pth", "config.pth"])
def test_the_checkpoint_is_not_overwritten(results, out):
    place = results / "trainings" / "r3_advanced" / "seed0"
    before = {path: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(UserError, match=r"--out .*expected a file such as"):
        export(place / "checkpoint.pth", place / out)
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_weights_of_another_network(results, plain, tmp_path):
    place = results / "trainings" / "r3_advanced" / "seed0"
    other = Path(plain[0].filename)
    with pytest.raises(UserError, match="weights of another network"):
        export(place / "checkpoint.pth", tmp_path / "w.pth", other)


def test_a_broken_manifest(results, tmp_path):
    place = results / "trainings" / "r3_advanced" / "seed0"
    for name in ("checkpoint.pth", "config.py"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    (tmp_path / "manifest.json").write_text(json.dumps({"training": "x"}))
    with pytest.raises(UserError, match=r"manifest\.json: not a manifest"):
        export(tmp_path / "checkpoint.pth", tmp_path / "out" / "w.pth")


@pytest.fixture
def with_code(results, tmp_path):
    """A training of whose config code of the user's own is a part; the code lies beside it."""
    place, stem = tmp_path / "trained", f"own_{abs(hash(str(tmp_path)))}"
    place.mkdir()
    source = results / "trainings" / "r3_advanced" / "seed0"
    for name in ("checkpoint.pth", "config.py", "manifest.json"):
        (place / name).write_bytes((source / name).read_bytes())
    code = place / f"{stem}.py"
    code.write_text("MINE = 1\n")
    with open(place / "config.py", "a") as file:
        file.write(f"\nr3cnn['code'] = dict(file={str(code)!r}, sha256={sha256_of(code)!r})\n")
    yield place, code
    sys.modules.pop(stem, None)


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_code_goes_along_and_is_not_overwritten_by_the_config(with_code, tmp_path):
    place, code = with_code
    out = tmp_path / "out"
    export(place / "checkpoint.pth", out / "taken.pth")
    assert (out / code.name).read_text() == "MINE = 1\n"
    assert "model" in (out / "taken.py").read_text()
    before = files_below(tmp_path)
    with pytest.raises(
        UserError, match=rf"--out .*{code.stem}\.pth: the code {code.name} is written"
    ):
        export(place / "checkpoint.pth", tmp_path / "other" / f"{code.stem}.pth")
    assert files_below(tmp_path) == before


def test_another_file_of_the_code_s_name_is_not_overwritten(with_code, tmp_path):
    place, code = with_code
    out = tmp_path / "out"
    out.mkdir()
    (out / code.name).write_text("PRECIOUS = 1\n")
    with pytest.raises(UserError, match=rf"{code.name}: another file than .*; move it away"):
        export(place / "checkpoint.pth", out / "taken.pth")
    assert [path.name for path in out.iterdir()] == [code.name]
    assert (out / code.name).read_text() == "PRECIOUS = 1\n"


def test_the_code_s_own_folder_may_be_the_target(with_code):
    place, code = with_code
    export(place / "checkpoint.pth", place / "taken.pth")
    assert code.read_text() == "MINE = 1\n"
    assert {"taken.py", "taken.md", "taken.pth"} <= {path.name for path in place.iterdir()}
