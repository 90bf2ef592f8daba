"""A picture is turned by EXIF's orientation in the same way wherever it is read."""

import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from r3cnn.core.errors import UserError
from r3cnn.data.headers import header
from r3cnn.data.transforms import LoadCheckedImage, read_image
from r3cnn.evaluation.gallery import describe
from r3cnn.viewing.pictures import read

BLOCKS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
LYING = Image.fromarray(np.kron(BLOCKS, np.ones((8, 8, 1), np.uint8)))  # 48 x 32
KINDS = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "AVIF": {}}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(side: int) -> bytes:
    """The header of a picture of side x side pixels, and next to none of them."""
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"\0" * 99)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def in_the_gallery(path: Path) -> tuple[int, int]:
    """Width and height of the picture that the report shows."""
    height, width = read_image(path).shape[:2]
    info = {"img_id": 1, "img_path": str(path), "width": width, "height": height, "instances": []}
    jpeg = describe(info, {}, ["a"])["jpeg"]
    return Image.open(io.BytesIO(base64.b64decode(jpeg))).size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(10))
def test_training_show_and_the_gallery_turn_alike(tmp_path, kind, orientation):
    path = tmp_path / f"a.{kind.lower()}"
    LYING.save(path, kind, exif=exif(orientation), **KINDS[kind])
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(int)
    for found in (read_image(path)[..., ::-1], read(path)):
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max() < 3
    assert in_the_gallery(path) == expected.shape[1::-1] == header(path).shown


@pytest.mark.parametrize("case", ["XMP in a JPEG", "XMP in a PNG", "behind a PNG's pixels"])
def test_less_usual_places_of_the_orientation_are_read_alike(tmp_path, case):
    path = tmp_path / ("a.jpg" if "JPEG" in case else "a.png")
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP)
    if case == "XMP in a JPEG":
        LYING.save(path, xmp=XMP.encode())
    elif case == "XMP in a PNG":
        LYING.save(path, pnginfo=text)
    else:
        LYING.save(path)
        data = path.read_bytes()
        late = chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0"))
        path.write_bytes(data[:-12] + late + data[-12:])
    sides = (32, 48) if "behind" in case else (48, 32)
    assert read_image(path).shape[1::-1] == read(path).shape[1::-1] == sides
    assert header(path, whole=True).shown == in_the_gallery(path) == sides


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_before_turning_is_named_with_its_cause(tmp_path, kind):
    path = tmp_path / "a"
    LYING.save(path, kind, exif=exif(6), **KINDS[kind])
    sample = {"img_path": str(path), "width": 48, "height": 32}
    with pytest.raises(UserError) as caught:
        LoadCheckedImage()(sample)
    assert str(caught.value).startswith(
        f"{path}: 32 x 48 pixels found, expected the annotation's 48 x 32"
    )
    assert "EXIF orientation (6)" in str(caught.value)
    assert LoadCheckedImage()(sample | {"width": 32, "height": 48})["img"].shape == (48, 32, 3)


@pytest.mark.parametrize("reader", [read_image, read])
def test_a_gigapixel_picture_is_named_with_a_remedy(tmp_path, reader):
    path = tmp_path / "a.png"
    path.write_bytes(huge_png(33_000))
    with pytest.raises(UserError, match="make it smaller") as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", [*KINDS, "GIF", "JPEG2000", "BMP"])
def test_a_file_that_is_cut_off_is_named_with_a_remedy(tmp_path, kind):
    """Whatever the library of its kind raises; what it repairs is read."""
    path, data = tmp_path / "a", io.BytesIO()
    LYING.save(data, kind)
    for part in (20, len(data.getvalue()) // 2, len(data.getvalue()) - 20):
        path.write_bytes(data.getvalue()[:part])
        for reader in (read_image, read):
            try:
                assert reader(path).shape == (32, 48, 3)
            except UserError as error:
                assert str(error).startswith(f"{path}: ")  # noqa: PT017
