"""A user's own pictures: every kind is read as a person sees it, and a broken one is named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from r3cnn.core.errors import UserError
from r3cnn.viewing.pictures import beside, drawn, find, read

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def two() -> Image.Image:
    """4 x 2 pixels: the left half red, the right half green."""
    image = Image.new("RGB", (4, 2), RED)
    image.paste(GREEN, (2, 0, 4, 2))
    return image


def png(rows: np.ndarray, kind: int, depth: int = 16) -> bytes:
    """A PNG of big-endian samples (H, W, C); kind: its colour type."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, kind, 0, 0, 0)
    data = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_colours(two, tmp_path):
    two.save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png")
    assert pixels.shape == (2, 4, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].tolist() == list(RED)
    assert pixels[1, 3].tolist() == list(GREEN)


@pytest.mark.parametrize(
    ("orientation", "shape", "left_top"), [(1, (2, 4), RED), (3, (2, 4), GREEN), (6, (4, 2), RED)]
)
def test_a_turned_photograph_is_upright(two, tmp_path, orientation, shape, left_top):
    exif = Image.Exif()
    exif[0x0112] = orientation
    two.save(tmp_path / "a.png", exif=exif)
    pixels = read(tmp_path / "a.png")
    assert pixels.shape[:2] == shape
    assert pixels[0, 0].tolist() == list(left_top)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey(tmp_path, mode):
    Image.new(mode, (3, 2), 1 if mode == "1" else 90).save(tmp_path / "a.png")
    assert set(read(tmp_path / "a.png").ravel().tolist()) == {255 if mode == "1" else 90}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(tmp_path, mode):
    bands = 4 if mode == "RGBA" else 2
    Image.new(mode, (2, 2), (0,) * bands).save(tmp_path / "a.png")
    assert set(read(tmp_path / "a.png").ravel().tolist()) == {255}


def test_half_transparent_palette(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert read(tmp_path / "a.png").tolist() == [[[255, 255, 255], [10, 20, 30]]]


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3)])
def test_sixteen_bits(tmp_path, kind, channels):
    """Half of the full range, not clipped to white."""
    (tmp_path / "a.png").write_bytes(png(np.full((2, 2, channels), 0x8000), kind))
    assert set(read(tmp_path / "a.png").ravel().tolist()) <= {127, 128}


def test_sixteen_bits_of_a_tiff(tmp_path):
    Image.fromarray(np.full((2, 3), 0x4000, np.uint16)).save(tmp_path / "a.tif")
    assert set(read(tmp_path / "a.tif").ravel().tolist()) == {63}


def test_a_sixteen_bit_picture_is_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(tmp_path / "a.png", exif=exif)
    assert read(tmp_path / "a.png").shape == (3, 2, 3)


def test_cmyk(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = read(tmp_path / "a.jpg")[4, 4].tolist()
    assert red > 230
    assert max(green, blue) < 25


def test_the_first_of_several_frames(tmp_path):
    frames = [Image.new("L", (2, 2), value) for value in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert set(read(tmp_path / "a.gif").ravel().tolist()) == {0}


# -------------------------------------------------------------------------- broken ones


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp"])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5])
def test_a_picture_that_is_cut_off_is_named(tmp_path, suffix, kept):
    whole, cut = tmp_path / f"a.{suffix}", tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UserError, match=rf"cut\.{suffix}: ") as caught:
        read(cut)
    assert "\n" not in str(caught.value)


def test_other_files_are_named(tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"notes\.jpg: not an image"):
        read(tmp_path / "notes.jpg")
    with pytest.raises(UserError, match=r"none\.jpg: .*No such file"):
        read(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="Is a directory"):
        read(tmp_path)


def test_floating_point_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="floating-point"):
        read(tmp_path / "a.tif")


def test_a_picture_that_claims_to_be_gigantic_is_refused(tmp_path):
    data = bytearray(png(np.zeros((1, 1, 1)), 0))
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png: more than 1000 million pixels"):
        read(tmp_path / "a.png")


# ------------------------------------------------------------------------- which, and where to


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(given: list[Path], out: Path) -> dict[str, str]:
    return {str(source): str(name.relative_to(out)) for source, name in find(given, out)}


def test_a_folder_gives_its_pictures_and_its_subfolders_in_order(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "sub/c.webp", "notes.txt", ".hidden.jpg", ".git/d.jpg")
    found = find([tmp_path], tmp_path / "out")
    assert [str(source.relative_to(tmp_path)) for source, _ in found] == [
        "a.png",
        "b.JPG",
        "sub/c.webp",
    ]
    assert drawn(found[2][1]) == tmp_path / "out" / "sub" / "c.jpg"
    assert beside(found[2][1]) == tmp_path / "out" / "sub" / "c.json"


def test_what_was_drawn_before_is_not_drawn_again(tmp_path):
    touch(tmp_path, "a.jpg", "drawn/a.jpg")
    assert list(names([tmp_path], tmp_path / "drawn").values()) == ["a"]


def test_names_stay_different(tmp_path):
    touch(tmp_path, "a.jpg", "a.png", "a-2.png", "x/a.jpg", "b.c.jpg")
    given = [tmp_path / name for name in ("a.jpg", "a.png", "a-2.png", "x/a.jpg", "b.c.jpg")]
    found = list(names(given, tmp_path / "out").values())
    assert found == ["a", "a-2", "a-2-2", "a-3", "b.c"]
    assert drawn(Path("b.c")) == Path("b.c.jpg")


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path):
    assert list(names([tmp_path / "scan"], tmp_path / "out").values()) == ["scan"]


def test_the_pictures_themselves_are_not_overwritten(tmp_path):
    touch(tmp_path, "a.jpg")
    with pytest.raises(UserError, match=r"--out .*: .*a\.jpg is one of the input images"):
        find([tmp_path / "a.jpg"], tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="no images in this folder"):
        find([tmp_path], tmp_path / "out")
