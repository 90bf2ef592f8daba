"""Reading of an image that says what is wrong with a bad one; no image is skipped."""

from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ..core.errors import UserError


@TRANSFORMS.register_module()
class LoadCheckedImage(BaseTransform):
    """Reads an image as mmdet's LoadImageFromFile does: (H, W, 3), uint8, BGR.

    Grey, CMYK and palette images are read in colours. Raises UserError where the file is missing, cut
    off or no image, where it has more than 8 bits a channel, or another size than its annotation says.
    """

    def transform(self, results: dict) -> dict:
        """Add `img` and its shapes to a sample."""
        path = Path(results["img_path"])
        image = read_image(path)
        expected = results.get("height"), results.get("width")
        if None not in expected and image.shape[:2] != expected:
            found = "{1} x {0}".format(*image.shape)
            raise UserError(
                f"{path}: {found} pixels found, expected the annotation's {expected[1]} x {expected[0]}; "
                "fetch the image again, or correct its width and height there"
            )
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results


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
    image = mmcv.imfrombytes(data, flag=cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image is None:
        raise UserError(f"{path}: cut off or no image ({len(data)} bytes found); fetch it again")
    if image.dtype != np.uint8:
        raise UserError(
            f"{path}: {image.dtype} pixels found, expected 8 bits a channel; convert the image"
        )
    return image
