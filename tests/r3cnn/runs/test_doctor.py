"""The doctor finds what is wrong, says what to do, and its exit code tells."""

import dataclasses
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from r3cnn.catalogue.scales import load_scale
from r3cnn.cli.main import main
from r3cnn.runs import doctor, operators

SPACE = namedtuple("SPACE", "total used free")


def test_versions_against_the_pins(tmp_path):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# a comment\nclick==0.1  # old\nno-such-package==2.0\n")
    click, missing = doctor.versions(pins)
    assert (click.state, missing.state) == (doctor.BROKEN, doctor.BROKEN)
    assert "click: " in str(click)
    assert "expected 0.1; run `make setup` again" in str(click)
    assert "no-such-package: not installed, expected 2.0" in str(missing)
    (note,) = doctor.versions(tmp_path / "none.txt")
    assert note.state == doctor.NOTE


def test_torchvision_may_be_missing_but_not_another_one(tmp_path, monkeypatch):
    pins = tmp_path / "constraints.txt"
    pins.write_text("torchvision==0.28.0\n")
    for found, states in (
        (None, [doctor.OK]),
        ("0.28.0", [doctor.OK]),
        ("0.27.0", [doctor.BROKEN]),
    ):
        monkeypatch.setattr(doctor, "_installed", {"torchvision": found}.get)
        assert [finding.state for finding in doctor.versions(pins)] == states


def test_a_second_opencv_is_found(tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("click==8\n")
    monkeypatch.setattr(doctor, "_installed", {"click": "8", "opencv-python": "4.12"}.get)
    (found,) = doctor.versions(tmp_path / "constraints.txt")
    assert (found.state, found.what) == (doctor.BROKEN, "opencv-python")
    assert "pip uninstall -y opencv-python" in found.remedy


@pytest.mark.parametrize(
    ("version", "sound"), [((3, 10), 0), ((3, 11), 1), ((3, 13), 1), ((3, 14), 0)]
)
def test_pythons(monkeypatch, version, sound):
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 1))
    states = [finding.state for finding in doctor.versions(None)]
    assert states == [doctor.BROKEN] * (not sound) + [doctor.NOTE]


def test_the_installation_here_is_as_pinned():
    assert [finding.state for finding in doctor.versions()] == [doctor.OK]


def test_modules_that_do_not_import():
    missing, sound = doctor.imports(("json", "no_such_module"))
    assert str(missing).startswith("BROKEN import no_such_module: No module named")
    assert "make setup" in str(missing)
    assert str(sound) == "ok     imports: json"


def test_space(monkeypatch, tmp_path):
    smoke = load_scale("smoke")
    need = doctor.needed_bytes(smoke)
    assert 1e8 < need < 2e9
    assert doctor.needed_bytes(dataclasses.replace(smoke, seeds=(0, 1))) > 1.9 * need
    for free, state in ((need - 1, doctor.BROKEN), (need, doctor.OK)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SPACE(0, 0, free))
        found = doctor.disk(smoke, tmp_path)
        assert found.state == state
        assert ("--config results=DIR" in str(found)) == (state == doctor.BROKEN)


def test_shared_memory(monkeypatch):
    smoke = load_scale("smoke")
    assert doctor.shared_memory(smoke).found == "not used"
    four = dataclasses.replace(smoke, workers=4)
    monkeypatch.setattr(doctor, "SHARED_MEMORY", Path("/"))
    for free, state in ((1000, doctor.BROKEN), (1e12, doctor.OK)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SPACE(0, 0, free))
        found = doctor.shared_memory(four)
        assert found.state == state
        assert ("--shm-size" in str(found)) == (state == doctor.BROKEN)


def test_the_papers_scale_without_a_gpu_gets_its_cost(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (found,) = doctor.cost_without_gpu(load_scale("paper"))
    assert found.state == doctor.NOTE
    assert "3,700 GPU-hours" in found.found
    assert not list(doctor.cost_without_gpu(load_scale("quick")))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert not list(doctor.cost_without_gpu(load_scale("paper")))


def test_data(shapes, tmp_path):
    (found,) = doctor.data_folder(None, Path(shapes["root"]))
    assert str(found).endswith("8 images to train, 4 images to val")
    (found,) = doctor.data_folder(None, tmp_path / "none")
    assert found.state == doctor.BROKEN
    assert "no such folder" in str(found)
    assert f"data coco --to {tmp_path / 'none'}" in str(found)
    (found,) = doctor.data_folder(load_scale("smoke"), None)
    assert "generated" in str(found)


@pytest.mark.parametrize(("state", "code"), [(doctor.OK, 0), (doctor.NOTE, 0), (doctor.BROKEN, 1)])
def test_the_exit_code(monkeypatch, state, code):
    findings = [doctor.Finding(doctor.OK, "a", "fine"), doctor.Finding(state, "b", "found", "do")]
    monkeypatch.setattr(doctor, "examine", lambda scale, data, gpu: findings)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == code
    assert result.output.splitlines() == [str(finding) for finding in findings]
    assert result.output.endswith("b: found; do\n")


def test_repair_comes_before_the_findings(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "examine", lambda scale, data, gpu: [])
    monkeypatch.setattr(operators.sysconfig, "get_path", lambda _: str(tmp_path))
    result = CliRunner().invoke(main, ["doctor", "--repair"])
    assert result.exit_code == 0
    assert result.output == f"wrote  {tmp_path / operators.PTH_FILE}\n"
    assert operators.start_file([str(tmp_path)]).state == doctor.OK
