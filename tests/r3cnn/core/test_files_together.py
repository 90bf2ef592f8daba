"""Files that are written whole, and several of them together or not at all."""

from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from r3cnn.core.files import together, write_if_changed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_get_their_names_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with together():
        write_if_changed(tmp_path / "a", "new")
        write_if_changed(tmp_path / "b", "new")
        assert (tmp_path / "a").read_text() == "old"
        assert "b" not in names(tmp_path)
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["new", "new"]
    assert names(tmp_path) == ["a", "b"]


def test_after_an_error_all_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "file").write_text("")

    def write() -> None:
        with together():
            write_if_changed(tmp_path / "a", "new")
            write_if_changed(tmp_path / "file" / "c", "new")

    with pytest.raises(UserError, match=r"file/c: cannot be written \(File exists\)"):
        write()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "file"]


def test_a_folder_in_a_files_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "a" / "full").mkdir(parents=True)
    with pytest.raises(UserError, match=r"a: cannot be written \(Is a directory\)"):
        write_if_changed(tmp_path / "a", "new")
    with pytest.raises(UserError, match=r"a: cannot be written \(Is a directory\)"), together():
        write_if_changed(tmp_path / "a", "new")
    assert names(tmp_path) == ["a"]
