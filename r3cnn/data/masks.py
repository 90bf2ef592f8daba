"""COCO's three ways of writing an object's mask, as compressed run lengths."""

from typing import Any

from pycocotools import mask as rle


def run_lengths(
    segmentation: list[Any] | dict[str, Any], height: int, width: int
) -> dict[str, Any]:
    """Compressed run lengths of polygons, of plain run lengths, or of those themselves."""
    if isinstance(segmentation, list):
        return rle.merge(rle.frPyObjects(segmentation, height, width))
    if isinstance(segmentation["counts"], list):
        return rle.frPyObjects(segmentation, height, width)
    return segmentation
