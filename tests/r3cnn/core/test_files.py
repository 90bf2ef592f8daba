import hashlib
import json

import pytest

from r3cnn.core.files import replacing, sha256_of, write_atomically, write_json


def test_text_is_written_as_utf8_and_bytes_as_they_are(tmp_path):
    write_atomically(tmp_path / "new" / "text", "größe\n")
    write_atomically(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "new" / "text").read_bytes() == "größe\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_lies_beside_its_target_with_the_same_suffix(tmp_path):
    path = tmp_path / "table.parquet"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "scores.json"
    write_json(path, {"AP": None})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"AP": float("nan")})
    assert json.loads(path.read_text()) == {"AP": None}


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()
