"""mmdet's model zoo: its metafiles, what accepts a checkpoint, and the names of its tensors."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.catalogue.zoo import zoo_folder, zoo_model
from r3cnn.cli.main import main
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.layout import CHECKOUT
from r3cnn.core.schema import read_yaml
from r3cnn.weights.building import build_detector
from r3cnn.weights.loading import load_detector
from r3cnn.weights.older_names import with_present_names
from tests.r3cnn import tiny

ZOO = CHECKOUT / "experiments" / "zoo.yaml"
TABLE = CHECKOUT / "reports" / "zoo.yaml"
ADDRESS = "https://download.openmmlab.com/mmdetection/v2.0"
METAFILE = """\
Collections: [{Name: Some}]
Models:
  - Name: some_r50
    Config: configs/some/some_r50.py
    Results:
      - {Task: Object Detection, Dataset: COCO, Metrics: {box AP: 40.1}}
    Weights: https://x.org/some_r50-0a1b2c3d.pth
  - Name: other_r50
    Config: configs/some/other_r50.py
    Weights: https://x.org/other_r50.pth
"""


def names_of_the_catalogue() -> dict[str, str]:
    """The zoo's name of each row."""
    return {id_: line["weights"]["zoo"] for id_, line in read_yaml(ZOO)["trainings"].items()}


# ------------------------------------------------------------------------- metafiles


def test_a_checkpoint_of_mmdets_own_metafiles():
    found = zoo_model("mask-rcnn_r50_fpn_1x_coco")
    assert found.config == "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
    assert (found.box_ap, found.mask_ap, found.sha256) == (38.2, 34.7, "d4b0c5d6")
    assert found.address == (
        f"{ADDRESS}/mask_rcnn/mask_rcnn_r50_fpn_1x_coco/mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth"
    )


def test_a_metafile(tmp_path):
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "metafile.yml").write_text(METAFILE)
    found = zoo_model("some_r50", tmp_path)
    assert (found.config, found.box_ap, found.mask_ap) == ("some/some_r50.py", 40.1, None)
    with pytest.raises(UserError, match=r"other_r50: Weights: found 'https://x.org/other_r50.pth'"):
        zoo_model("other_r50", tmp_path)
    with pytest.raises(UserError, match=r"some_r05: no checkpoint .*\(did you mean some_r50\?\)"):
        zoo_model("some_r05", tmp_path)


def test_the_catalogue_reads_them_without_mmdet(tmp_path):
    code = (
        "import sys; from r3cnn.catalogue import load_catalogue;"
        f"found = load_catalogue({str(ZOO)!r}).trainings['zoo_dcn'].weights;"
        "assert found.source.endswith('-4d9ad43b.pth') and found.sha256 == '4d9ad43b', found;"
        "assert not {'mmdet', 'torch', 'mmengine'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "{zoo: mask-rcnn_r50_fpn_1x}",
            "trainings.mine.weights.zoo: mask-rcnn_r50_fpn_1x: no check",
        ),
        ("{zoo: a, sha256: b}", "trainings.mine.weights"),
        ("{}", "trainings.mine.weights: found {}"),
    ],
)
def test_a_mistake_in_the_catalogue(tmp_path, entry, expected):
    file = tmp_path / "own.yaml"
    file.write_text(f"trainings:\n  mine: {{model: mask_rcnn, weights: {entry}}}\n")
    with pytest.raises(UserError) as caught:
        load_catalogue(file)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_numbers_beside_ours_are_mmdets_and_the_papers():
    def rows(name: str) -> list[dict[str, str]]:
        with open(CHECKOUT / "reports" / "published" / name, encoding="utf-8") as file:
            return list(csv.DictReader(file))

    names = names_of_the_catalogue()
    stated = {row["row"]: row for row in rows("zoo.csv")}
    paper = {row["method"]: row for row in rows("table4.csv")} | {
        "Mask (1x)": rows("table1.csv")[0]
    }
    shown = read_yaml(TABLE)["tables"]["zoo"]["rows"]
    assert [row["training"] for row in shown] == list(names)
    for row in shown:
        number, model = stated[str(row["published"])], zoo_model(names[row["training"]])
        assert number["name"] == model.name
        assert (float(number["bbox_AP"]), float(number["segm_AP"])) == (model.box_ap, model.mask_ap)
        of_paper = paper[row["label"].removesuffix(" with SyncBN")]
        assert row["constants"] == {
            "bbox_paper": of_paper["bbox_AP"],
            "segm_paper": of_paper["segm_AP"],
        }


@pytest.mark.parametrize(
    "id_", ["zoo_mask_1x", "zoo_groie", "zoo_dcn", "zoo_gcnet", "zoo_gcnet_syncbn"]
)
def test_each_row_has_the_network_of_its_checkpoint(id_):
    """As mmdet's own config of the checkpoint builds it, tensor by tensor."""
    training = load_catalogue(ZOO).trainings[id_]
    ours = resolve(training, load_scale("paper"), 0, backbone="random")
    theirs = Config.fromfile(zoo_folder() / zoo_model(names_of_the_catalogue()[id_]).config)
    theirs.r3cnn = {}
    shapes = [
        {
            name: tuple(value.shape)
            for name, value in build_detector(cfg, "meta").state_dict().items()
        }
        for cfg in (ours, theirs)
    ]
    assert shapes[0] == shapes[1]
    for key in ("rpn", "rcnn"):
        assert ours.model.test_cfg[key] == theirs.model.test_cfg[key]


# ------------------------------------------------------------------------- checkpoints


@pytest.fixture(scope="module")
def config(shapes: dict, tmp_path_factory) -> Path:
    """A small Mask R-CNN with deformable convolutions, whose names changed most."""
    path = tmp_path_factory.mktemp("zoo") / "config.py"
    cfg = resolve(tiny.entry("dcn"), load_scale("smoke"), 0, shapes)
    path.write_text(cfg.pretty_text)
    return path


@pytest.fixture(scope="module")
def weights(config: Path) -> dict[str, torch.Tensor]:
    return build_detector(load_config(config), "cpu", seed=5).state_dict()


def of_mmdet_2(weights: dict, classes: list) -> dict:
    """As mmdet 2's zoo has it: mmcv's old names, the classes in capitals, what mmcv's runner adds."""
    names = {name: name.replace(".conv_offset.", "_offset.") for name in weights}
    assert any("conv2_offset.weight" in name for name in names.values())
    meta = {
        "CLASSES": tuple(classes),
        "epoch": 12,
        "config": "model = dict()",
        "mmdet_version": "2.0",
    }
    return {"meta": meta, "state_dict": {names[n]: value for n, value in weights.items()}}


def of_mmdet_3(weights: dict, classes: list) -> dict:
    """As mmengine's runner writes it, with what a training goes on from."""
    state = dict(weights)
    state["data_preprocessor.mean"] = torch.tensor([[[123.675]], [[116.28]], [[103.53]]])
    state["data_preprocessor.std"] = torch.tensor([[[58.395]], [[57.12]], [[57.375]]])
    meta = {"dataset_meta": {"classes": tuple(classes), "palette": None}, "epoch": 12}
    return {
        "meta": meta,
        "state_dict": state,
        "message_hub": {"log_scalars": {}},
        "optimizer": {"state": {}},
        "param_schedulers": [{"last_step": 3}],
    }


def take(config: Path, source: Path, sha256: str, out: Path):
    words = ["weights", "--config", str(config), "--source", str(source), "--sha256", sha256]
    return CliRunner().invoke(main, [*words, "--out", str(out)])


@pytest.mark.parametrize("written", [of_mmdet_2, of_mmdet_3])
def test_a_checkpoint_of_the_zoo_is_taken_by_eight_digits(
    written, config, weights, shapes, tmp_path
):
    zoo = tmp_path / "zoo.pth"
    torch.save(written(weights, shapes["classes"]), zoo)
    digest = hashlib.sha256(zoo.read_bytes()).hexdigest()
    done = take(config, zoo, digest[:8], tmp_path / "out")
    assert done.exit_code == 0, done.output
    mine = load_detector(load_config(config), tmp_path / "out" / "checkpoint.pth").state_dict()
    assert mine.keys() == weights.keys()
    assert all(torch.equal(mine[name], value) for name, value in weights.items())
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["weights"] == {"source": str(zoo), "sha256": digest}


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("00000000", "sha256 {digest} found, expected 00000000"),
        ("", "--sha256 : expected the checksum's 64 hexadecimal digits, or the first eight"),
        ("{digest:.7}", "expected the checksum's 64 hexadecimal digits, or the first eight"),
        ("{digest}0", "expected the checksum's 64 hexadecimal digits, or the first eight"),
    ],
)
def test_other_digits_are_refused(digits, expected, config, weights, tmp_path):
    zoo = tmp_path / "zoo.pth"
    torch.save({"state_dict": weights}, zoo)
    digest = hashlib.sha256(zoo.read_bytes()).hexdigest()
    done = take(config, zoo, digits.format(digest=digest), tmp_path / "out")
    assert done.exit_code == 1
    assert expected.format(digest=digest) in done.output
    assert not (tmp_path / "out").exists()


def test_names():
    one = torch.zeros(1)
    old = {"backbone.layer2.0.conv2_offset.bias": one, "backbone.layer2.0.conv2.weight": one}
    assert list(with_present_names("zoo.pth", old)) == [
        "backbone.layer2.0.conv2.conv_offset.bias",
        "backbone.layer2.0.conv2.weight",
    ]
    present = {"backbone.layer2.0.conv2.conv_offset.bias": one, "neck.offset.weight": one}
    assert with_present_names("zoo.pth", present) == present
    with pytest.raises(
        UserError, match=r"zoo.pth: backbone.layer2.0.conv2_offset.bias: the file also has"
    ):
        with_present_names("zoo.pth", old | present)


# ------------------------------------------------------------------------- without training images


@pytest.fixture(scope="module")
def taken(weights, shapes, tmp_path_factory) -> Path:
    """A zoo checkpoint taken for data that are validation images alone: check, resolve, weights."""
    folder = tmp_path_factory.mktemp("val")
    shutil.copytree(shapes["root"], folder / "data", ignore=shutil.ignore_patterns("*train2017*"))
    zoo = folder / "zoo.pth"
    torch.save(of_mmdet_2(weights, shapes["classes"]), zoo)
    digits = hashlib.sha256(zoo.read_bytes()).hexdigest()[:8]
    data, config = str(folder / "data.json"), str(folder / "out" / "config.py")
    run("data", "check", "--val-only", "--data", str(folder / "data"), "--out", data)
    words = ["--training", "dcn", "--scale", "smoke", "--data", data]
    run("resolve", *words, "--out", config)
    run("weights", "--config", config, "--source", str(zoo), "--sha256", digits,
        "--out", str(folder / "out"))  # fmt: skip
    assert list(json.loads(Path(data).read_text())["splits"]) == ["val"]
    return folder


def run(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.output


def of(folder: Path) -> tuple[str, ...]:
    return ("--config", f"{folder}/out/config.py", "--checkpoint", f"{folder}/out/checkpoint.pth")


def test_prediction_and_score_need_no_training_images(taken, tmp_path):
    predictions, score = str(tmp_path / "p.parquet"), tmp_path / "loops1.json"
    run("predict", *of(taken), "--loops", "1", "--out", predictions)
    annotations = str(taken / "data" / "annotations" / "instances_val2017.json")
    run("score", "--predictions", predictions, "--loops", "1", "--annotations", annotations,
        "--out", str(score))  # fmt: skip
    assert json.loads(score.read_text())["images"] == 4


def test_measurement_leaves_out_the_memory_of_a_training(taken, tmp_path):
    out = tmp_path / "dcn.json"
    run("measure", "--training", "dcn", *of(taken), "--loops", "1", "--out", str(out))
    found = json.loads(out.read_text())
    assert "memory" not in found
    assert found["speed"]["1"]["images"] == 4
