"""Read an image, with a clear error for a bad one; no image is skipped."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from PIL import Image

from ..core.errors import UserError
from .headers import Header, header, orientation_of, size_fault

# EXIF's orientation: whether left and right change places, then quarters counterclockwise.
TURNS = {
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2),
    5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip
# the kinds of file that some versions of OpenCV turn by EXIF's orientation and others do not
TURNED_HERE = (b"WEBP", b"avif", b"avis")


@TRANSFORMS.register_module()
class LoadCheckedImage(BaseTransform):
    """Reads an image as mmdet's LoadImageFromFile does: (H, W, 3), uint8, BGR.

    Grey, CMYK and palette images are read in colours, and turned as EXIF says. Raises UserError where the
    file is missing, cut off or no image, where it has more than 8 bits a channel, or another size than its
    annotation says.
    """

    def transform(self, results: dict) -> dict:
        """Add `img` and its shapes to a sample."""
        path = Path(results["img_path"])
        image = read_image(path)
        expected = results.get("width"), results.get("height")
        shown = image.shape[1::-1]
        if None not in expected and shown != expected:
            found = header(path, whole=True)
            if found is None or found.shown != shown:
                found = Header(shown, 1)
            raise UserError(size_fault(path, found, expected))
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results


class NamingPipeline:
    """A data set's pipeline; the picture that OpenCV refuses in it is named by a UserError."""

    def __init__(self, pipeline: Callable[[dict], dict | None]) -> None:
        self.pipeline = pipeline

    @property
    def transforms(self) -> list[Callable]:
        """Its steps, as those of mmengine's Compose."""
        return self.pipeline.transforms

    def __call__(self, sample: dict) -> dict | None:
        """The sample, transformed."""
        path, sides = sample.get("img_path"), (sample.get("width"), sample.get("height"))
        try:
            return self.pipeline(sample)
        except cv2.error as error:
            raise UserError(
                f"{path}: OpenCV cannot resize this image of {sides[0]} x {sides[1]} pixels "
                f"({_reason(error)}); cut it into pieces, or leave it out"
            ) from error


def read_image(path: Path) -> np.ndarray:
    """Pixels (H, W, 3) of an image file: uint8, BGR. Raises UserError where it is not one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}), expected an image; check the data folder "
            "with `python -m r3cnn data check`"
        ) from error
    if not data:
        raise UserError(f"{path}: 0 bytes found, expected an image; fetch it again")
    # ANYDEPTH: what has more than 8 bits is to be seen, not silently cut to 8
    flag = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    if turned_here := data[8:12] in TURNED_HERE:
        flag |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = mmcv.imfrombytes(data, flag=flag)
    except (cv2.error, MemoryError) as error:
        raise UserError(
            f"{path}: OpenCV cannot decode this image ({_reason(error)}); make it smaller, or convert it to JPEG "
            "or PNG of 8 bits"
        ) from error
    if image is None:
        raise UserError(
            f"{path}: cut off or not an image ({len(data)} bytes found); fetch it again, or convert it to JPEG or "
            "PNG if other programs can open it"
        )
    if image.dtype != np.uint8:
        raise UserError(
            f"{path}: {image.dtype} pixels found, expected 8 bits a channel; convert the image"
        )
    return _turned(image, data) if turned_here else image


def _turned(image: np.ndarray, data: bytes) -> np.ndarray:
    """An image turned by the EXIF orientation of its file."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            orientation = orientation_of(opened)
    except Exception:  # OpenCV has read it, so it counts as upright
        return image
    flip, quarter = TURNS[orientation]
    image = np.rot90(image[:, ::-1] if flip else image, quarter)
    return np.ascontiguousarray(image)


def _reason(error: Exception) -> str:
    """Without the place in OpenCV's sources, on one line."""
    return " ".join(str(getattr(error, "err", "") or error or "no memory").split())
