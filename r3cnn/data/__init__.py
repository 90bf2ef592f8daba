"""Data in the layout of COCO 2017: its files, a generated set, and checks."""

from pathlib import Path

SPLITS = ("train", "val")


def annotation_file(folder: Path, split: str) -> Path:
    """The annotations of a split ("train" or "val") of a data folder."""
    return Path(folder) / "annotations" / f"instances_{split}2017.json"


def image_folder(folder: Path, split: str) -> Path:
    """The folder that holds the images of a split ("train" or "val") of a data folder."""
    return Path(folder) / f"{split}2017"
