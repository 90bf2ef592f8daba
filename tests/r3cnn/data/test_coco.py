"""Fetching COCO and the backbone's weights, from a server on this machine that misbehaves."""

import dataclasses
import hashlib
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.data import coco, download
from r3cnn.data.download import Wanted

CONTENT = bytes(range(256)) * 1000


class Server:
    """Serves a folder; `break_after` cuts that many of the next answers short, and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []  # path and Range
        self.break_off = 0  # answers that end after half of their bytes
        self.too_long = 0  # bytes by which Content-Length exceeds what is sent
        self.ranges = True
        self.status = 200
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.requests.append((request.path, asked))
        file = self.folder / request.path.lstrip("/")
        if self.status != 200 or not file.is_file():
            request.send_error(self.status if self.status != 200 else 404)
            return
        content = file.read_bytes()
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start and start >= len(content):
            request.send_error(416)
            return
        body = content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body) + self.too_long))
        request.end_headers()
        if self.break_off:
            self.break_off -= 1
            body = body[: len(body) // 2]
        request.wfile.write(body)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    (tmp_path / "served").mkdir()
    found = Server(tmp_path / "served")
    yield found
    found.http.shutdown()
    found.http.server_close()


def wanted(server: Server, content: bytes = CONTENT, size: int | None = len(CONTENT)) -> Wanted:
    (server.folder / "file").write_bytes(content)
    return Wanted(f"{server.address}/file", size, hashlib.sha256(CONTENT).hexdigest())


def test_a_file_comes_whole(server, tmp_path):
    download.download(wanted(server), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [("/file", None)]
    download.download(wanted(server), tmp_path / "file")
    assert len(server.requests) == 1, "what is there is not fetched again"


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_download_that_breaks_off_goes_on(server, tmp_path, size):
    server.break_off = 3
    download.download(wanted(server, size=size), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    halves = [None, 128_000, 192_000, 224_000]
    assert server.requests == [("/file", start and f"bytes={start}-") for start in halves]
    assert not (tmp_path / "file.part").exists()


def test_an_earlier_download_goes_on(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    download.download(wanted(server), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [("/file", "bytes=1000-")]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges, server.break_off = False, 1
    download.download(wanted(server), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_server_that_states_too_many_bytes(server, tmp_path, size):
    server.too_long = 5
    if size is None:
        # All of it came; what the server says beyond is a lie that no try makes true.
        download.download(wanted(server, size=None), tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == CONTENT
        return
    with pytest.raises(UserError, match="the server offers 256005 bytes, expected 256000"):
        download.download(wanted(server), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_server_that_always_breaks_off_is_given_up(server, tmp_path):
    server.break_off = 10_000
    with pytest.raises(
        UserError, match=r"interrupted after \d+ bytes, 5 times in a row without a new"
    ):
        download.download(wanted(server), tmp_path / "file")
    assert (tmp_path / "file.part").stat().st_size > 200_000, "what came is kept"


@pytest.mark.parametrize("other", [CONTENT[::-1], CONTENT + b"more", CONTENT[:-1], b""])
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_another_file_is_not_kept(server, tmp_path, other, size):
    with pytest.raises(UserError, match="the wrong file"):
        download.download(wanted(server, other, size), tmp_path / "file")
    assert not list(tmp_path.glob("file*"))


def test_a_download_that_went_on_in_another_file_is_not_kept(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with pytest.raises(UserError, match=r"sha256 .* found, expected"):
        download.download(wanted(server), tmp_path / "file")
    assert not list(tmp_path.glob("file*"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, r"the server answers 404"), (503, r"5 times in a row .*the server answers 503")],
)
def test_a_server_that_says_no(server, tmp_path, status, expected):
    server.status = status
    with pytest.raises(UserError, match=expected):
        download.download(wanted(server), tmp_path / "file")
    assert len(server.requests) == (1 if status == 404 else 5)


def test_no_server_at_all(server, tmp_path):
    found = wanted(server)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UserError, match=r"5 times in a row .*Connection refused"):
        download.download(found, tmp_path / "file")


@pytest.fixture
def archives(server: Server, shapes: dict, monkeypatch: pytest.MonkeyPatch) -> tuple:
    """Three zips of generated images in COCO's layout, and their sizes and checksums."""
    data = Path(shapes["root"])
    found = []
    for archive in coco.ARCHIVES:
        path = server.folder / archive.path
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{archive.members}other.txt", "not to be read")
            for source in sorted(data.rglob("*")):
                name = str(source.relative_to(data))
                if source.is_file() and name.startswith(archive.members):
                    file.write(source, name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(
            dataclasses.replace(archive, size=path.stat().st_size, sha256=digest, unpacked=1)
        )
    monkeypatch.setattr(coco, "ARCHIVES", tuple(found))
    return tuple(found)


def test_coco_is_fetched_unpacked_and_checked(server, archives, shapes, tmp_path):
    server.break_off = 2
    found = coco.fetch(tmp_path / "coco", server.address)
    for split in ("train", "val"):
        for key in ("sha256", "image_count", "image_bytes", "object_count"):
            assert found["splits"][split][key] == shapes["splits"][split][key]
    names = {path.name for path in (tmp_path / "coco").iterdir()}
    assert names == {"annotations", "train2017", "val2017"}, "no zip and nothing half unpacked"


def test_the_validation_images_alone(server, archives, shapes, tmp_path):
    words = ["data", "coco", "--to", str(tmp_path / "coco"), "--mirror", server.address]
    done = CliRunner().invoke(main, [*words, "--val-only"])
    assert done.exit_code == 0, done.output
    assert "COCO 2017, no training and 4 validation images" in done.output
    found = sorted(path.name for path in (tmp_path / "coco").glob("*"))
    assert found == ["annotations", "val2017"]
    assert [path.name for path in (tmp_path / "coco" / "annotations").iterdir()] == [
        "instances_val2017.json"
    ]
    assert "/zips/train2017.zip" not in [path for path, _ in server.requests]
    done = CliRunner().invoke(main, words)
    assert "COCO 2017, 8 training and 4 validation images" in done.output, "the rest comes later"


def test_a_zip_that_the_user_put_there_stays(server, archives, tmp_path):
    (tmp_path / "coco").mkdir()
    shutil.copy(server.folder / archives[1].path, tmp_path / "coco")
    coco.fetch(tmp_path / "coco", server.address)
    assert [path.name for path in (tmp_path / "coco").glob("*.zip")] == ["val2017.zip"]
    assert "/zips/val2017.zip" not in [path for path, _ in server.requests]


def test_what_is_there_is_used_as_it_is(server, archives, tmp_path):
    coco.fetch(tmp_path / "coco", server.address)
    shutil.rmtree(tmp_path / "coco" / "val2017")
    server.requests.clear()
    coco.fetch(tmp_path / "coco", server.address)
    assert server.requests == [("/zips/val2017.zip", None)]
    server.http.shutdown()
    coco.fetch(tmp_path / "coco", "http://127.0.0.1:9")


@pytest.mark.parametrize("flat", [False, True])
def test_a_mirror_may_be_a_folder(server, archives, tmp_path, flat):
    mirror = server.folder
    if flat:
        mirror = tmp_path / "zips"
        mirror.mkdir()
        for archive in archives:
            shutil.copy(server.folder / archive.path, mirror)
    coco.fetch(tmp_path / "coco", str(mirror))
    assert server.requests == []
    assert len(list(mirror.rglob("*.zip"))) == 3, "the mirror is left as it was"


def test_a_wrong_zip_in_a_mirrors_folder(server, archives, tmp_path):
    path = server.folder / archives[1].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"val2017.zip: sha256 \w+ found, expected"):
        coco.fetch(tmp_path / "coco", str(server.folder))
    assert not (tmp_path / "coco" / "val2017").exists()


def test_a_mirror_without_the_zips(tmp_path, archives):
    with pytest.raises(
        UserError, match=r"neither .* nor .* is there; expected a folder with COCO's"
    ):
        coco.fetch(tmp_path / "coco", str(tmp_path))


def test_a_disk_that_is_too_small(server, archives, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"0.0 GB free on its disk, expected"):
        coco.fetch(tmp_path / "coco", server.address)
    assert server.requests == []


GB = 10**9
NEEDED = {  # mirror: GB that are asked for, of zips of 1, 2 and 20 GB, unpacked 2, 2 and 20
    "a folder": (False, 24),
    "a folder, zips kept": (True, 24),
    "http://mirror": (False, 44),
    "http://mirror, zips kept": (True, 47),
    "http://mirror, a part of the last is there": (False, 37),
    "http://mirror, only the first is missing": (False, 3),
}


@pytest.mark.parametrize("case", NEEDED)
def test_the_space_that_is_asked_for_is_what_will_be_written(tmp_path, monkeypatch, case):
    """A mirror's folder keeps its zips; a zip that is fetched is removed before the next one comes."""
    sizes = zip(coco.ARCHIVES, (1, 2, 20), (2, 2, 20), strict=True)
    made = [dataclasses.replace(a, size=s * GB, unpacked=u * GB) for a, s, u in sizes]
    folder = tmp_path / "coco"
    folder.mkdir()
    if "part" in case:
        with open(folder / "train2017.zip.part", "wb") as file:
            file.truncate(7 * GB)
    if "only" in case:
        (folder / "val2017").mkdir()
        (folder / "train2017").mkdir()
    monkeypatch.setattr(coco, "ARCHIVES", tuple(made))
    keep, needed = NEEDED[case]
    mirror = "http://mirror" if "http" in case else str(tmp_path)
    for free, expected in ((needed * GB - 1, f"expected {needed}.0 GB"), (needed * GB, "mirror")):
        usage = shutil.disk_usage(tmp_path)._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        monkeypatch.setattr(coco, "download", stops)
        with pytest.raises(UserError, match=expected):
            coco.fetch(folder, mirror, keep)


def stops(wanted, path):
    raise UserError(f"the mirror was asked for {wanted.address}")


def test_an_image_that_is_missing_is_found_by_the_check(server, archives, tmp_path):
    coco.fetch(tmp_path / "coco", server.address)
    next((tmp_path / "coco" / "train2017").glob("*.png")).unlink()
    with pytest.raises(UserError, match=r"1 of 8 images of instances_train2017\.json missing"):
        coco.fetch(tmp_path / "coco", server.address)


def test_the_backbones_weights(server, tmp_path, monkeypatch):
    there = wanted(server)
    monkeypatch.setattr(coco, "BACKBONE", dataclasses.replace(there, sha256=there.sha256[:8]))
    (tmp_path / "weights").mkdir()
    assert coco.fetch_backbone(tmp_path / "weights") == tmp_path / "weights" / "file"
    local = server.folder / "file"
    coco.fetch_backbone(tmp_path / "copy.pth", str(local))
    assert (tmp_path / "copy.pth").read_bytes() == CONTENT
    local.write_bytes(CONTENT[::-1])
    with pytest.raises(UserError, match=r"sha256 .* found"):
        coco.fetch_backbone(tmp_path / "other.pth", str(local))
    with pytest.raises(UserError, match="no such file, expected ResNet-50's weights"):
        coco.fetch_backbone(tmp_path / "other.pth", str(tmp_path / "gone"))
    assert not (tmp_path / "other.pth").exists()


def test_the_commands(server, archives, tmp_path):
    words = ["data", "coco", "--to", str(tmp_path / "coco"), "--mirror", server.address, "--keep"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "COCO 2017, 8 training and 4 validation images" in done.output
    assert (tmp_path / "coco" / "train2017.zip").is_file()
    words[-2] = str(tmp_path / "gone")
    done = CliRunner().invoke(main, [*words[:3], str(tmp_path / "new"), *words[4:]])
    assert done.exit_code == 1
    assert done.output.startswith("error: --mirror ")


def test_the_official_files_are_those_of_the_publishers():
    assert [archive.name for archive in coco.ARCHIVES] == [
        "annotations_trainval2017.zip",
        "val2017.zip",
        "train2017.zip",
    ]
    assert all(len(archive.sha256) == 64 for archive in coco.ARCHIVES)
    assert coco.BACKBONE.address.endswith(f"resnet50-{coco.BACKBONE.sha256}.pth")
    assert json.dumps(coco.OFFICIAL) == '"http://images.cocodataset.org"'
