"""Images are read as mmdet reads them; those that are not what they should be are named."""

import io

import numpy as np
import pytest
from PIL import Image

from r3cnn.core.errors import UserError
from r3cnn.data.transforms import LoadCheckedImage, read_image

PIXELS = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)


def encoded(image: Image.Image, format: str) -> bytes:
    data = io.BytesIO()
    image.save(data, format)
    return data.getvalue()


RGB = Image.fromarray(PIXELS)
SIXTEEN = Image.fromarray((np.arange(48 * 64, dtype=np.uint16) * 20).reshape(48, 64))
PNG, JPEG = encoded(RGB, "PNG"), encoded(RGB, "JPEG")

# Each: the file's bytes, then what the message must name: cause and remedy.
BROKEN = {
    "zero bytes": (b"", ["0 bytes found, expected an image", "fetch it again"]),
    "half a JPEG": (JPEG[: len(JPEG) // 2], ["cut off or not an image", "fetch it again"]),
    "a JPEG but its last bytes": (JPEG[:-9], ["cut off or not an image", "fetch it again"]),
    "half a PNG": (PNG[: len(PNG) // 2], ["cut off or not an image", "fetch it again"]),
    "a header alone": (JPEG[:100], ["cut off or not an image (100 bytes found)", "fetch it again"]),
    "a web page": (b"<html>404</html>", ["cut off or not an image", "fetch it again"]),
    "16 bits": (encoded(SIXTEEN, "PNG"), ["uint16 pixels found, expected 8 bits", "convert"]),
    "another size": (
        encoded(RGB.resize((48, 64)), "PNG"),
        ["48 x 64 pixels found, expected the annotation's 64 x 48", "fetch the image again"],
    ),
}


def load(path) -> np.ndarray:
    results = {"img_path": str(path), "height": 48, "width": 64}
    return LoadCheckedImage()(results)["img"]


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_image_is_named(tmp_path, case):
    data, parts = BROKEN[case]
    path = tmp_path / "000000000001.jpg"
    path.write_bytes(data)
    message = message_of(path)
    assert message.startswith(f"{path}: ")
    assert all(part in message for part in parts), message


def test_an_image_that_is_missing_or_a_folder_is_named(tmp_path):
    assert "none.png: cannot be read (No such file" in message_of(tmp_path / "none.png")
    assert "cannot be read (Is a directory)" in message_of(tmp_path)
    assert "python -m r3cnn data check" in message_of(tmp_path)


# Kinds of image that COCO and users have: read in colours, within what JPEG loses.
KINDS = {
    "colours": (RGB, "PNG", RGB, 0),
    "JPEG": (RGB, "JPEG", RGB, 24),
    "grey": (RGB.convert("L"), "PNG", RGB.convert("L").convert("RGB"), 0),
    "grey JPEG": (RGB.convert("L"), "JPEG", RGB.convert("L").convert("RGB"), 8),
    "CMYK": (RGB.convert("CMYK"), "JPEG", RGB, 24),
    "palette": (RGB.quantize(64), "PNG", RGB.quantize(64).convert("RGB"), 0),
    "transparent": (RGB.convert("RGBA"), "PNG", RGB, 0),
    "black and white": (RGB.convert("1"), "PNG", RGB.convert("1").convert("RGB"), 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_are_read_in_colours(tmp_path, kind):
    image, format, expected, tolerance = KINDS[kind]
    path = tmp_path / "image"
    path.write_bytes(encoded(image, format))
    found = load(path)
    assert found.shape == (48, 64, 3)
    assert found.dtype == np.uint8
    off = np.abs(found[..., ::-1].astype(int) - np.asarray(expected).astype(int))
    assert off.max() <= tolerance


def test_a_sound_image_is_read_as_mmdet_reads_it(tmp_path):
    from mmcv.transforms import LoadImageFromFile

    path = tmp_path / "image.jpg"
    path.write_bytes(JPEG)
    theirs = LoadImageFromFile()({"img_path": str(path)})
    ours = LoadCheckedImage()({"img_path": str(path), "height": 48, "width": 64})
    assert np.array_equal(ours["img"], theirs["img"])
    assert ours["img_shape"] == theirs["img_shape"]
    assert ours["ori_shape"] == theirs["ori_shape"]
    assert np.array_equal(read_image(path), theirs["img"])
