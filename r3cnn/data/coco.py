"""Download COCO 2017 and the backbone's weights, from their publishers or a mirror, before any training."""

import logging
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UserError
from ..core.files import NO_ACCESS, NO_SPACE, replacing, writing
from . import SPLITS, annotation_file
from .check import check
from .download import Wanted, download, require_right

log = logging.getLogger(__name__)

OFFICIAL = "http://images.cocodataset.org"
BACKBONE = Wanted(
    "https://download.pytorch.org/models/resnet50-0676ba61.pth", 102_530_333, "0676ba61"
)


@dataclass(frozen=True)
class Archive:
    """A zip of COCO's and what is unpacked of it, as paths below the data folder."""

    path: str
    size: int
    unpacked: int  # bytes of the wanted members; of images, which do not shrink, those of the zip
    sha256: str
    members: str  # what the wanted members' names begin with

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


ARCHIVES = (
    Archive(
        "annotations/annotations_trainval2017.zip",
        252_907_541,
        500_000_000,
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
        "annotations/instances_",
    ),
    Archive(
        "zips/val2017.zip",
        815_585_330,
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
        "val2017/",
    ),
    Archive(
        "zips/train2017.zip",
        19_336_861_798,
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
        "train2017/",
    ),
)


def fetch(
    folder: Path, mirror: str = OFFICIAL, keep: bool = False, splits: Sequence[str] = SPLITS
) -> dict:
    """Make `folder` COCO 2017 and return what its check says; parts that are there are used as they are.

    mirror: an address or a folder that holds zips/ and annotations/, or the three zips themselves.
    keep: leave the zips that were fetched; splits: what is wanted, `val` alone where nothing is to be trained.
    Raises UserError.
    """
    wanted = [archive for archive in ARCHIVES if _members(archive, splits)]
    missing = [archive for archive in wanted if not _is_there(folder, archive, splits)]
    _require_space(folder, _space_for(folder, missing, mirror, keep))
    for archive in missing:
        source, own = _zip_of(folder, archive, mirror)
        _unpack(folder, archive, source, splits)
        if own and not keep:
            source.unlink()
    if not missing:
        log.info("%s: nothing to download, checking the existing files", folder)
    return check(folder, splits)


def fetch_backbone(path: Path, source: str | None = None) -> Path:
    """ResNet-50's ImageNet weights (torchvision's V1) at `path`, a file or a folder.

    source: another address, or a local file, which is copied. Raises UserError.
    """
    if path.is_dir():
        path = path / BACKBONE.address.rpartition("/")[2]
    local = Path(source) if source and "://" not in source else None
    if local is None:
        download(Wanted(source or BACKBONE.address, BACKBONE.size, BACKBONE.sha256), path)
    elif not local.is_file():
        raise UserError(f"{local}: no such file, expected ResNet-50's weights; check the path")
    else:
        require_right(local, BACKBONE)
        with replacing(path) as temporary:
            shutil.copyfile(local, temporary)
    return path


def _of_annotations(archive: Archive) -> bool:
    return archive.members.startswith("annotations/")


def _members(archive: Archive, splits: Sequence[str]) -> tuple[str, ...]:
    """What the names of an archive's members begin with that belong to the splits; none where it has none."""
    if _of_annotations(archive):
        return tuple(f"{archive.members}{split}" for split in splits)
    return tuple(archive.members for split in splits if archive.members.startswith(split))


def _is_there(folder: Path, archive: Archive, splits: Sequence[str]) -> bool:
    """Whether a part is unpacked already: folders appear whole, so a name is enough."""
    if _of_annotations(archive):
        return all(annotation_file(folder, split).is_file() for split in splits)
    return (folder / archive.members).is_dir()


def _space_for(folder: Path, missing: list[Archive], mirror: str, keep: bool) -> int:
    """Bytes at the fullest moment: a fetched zip goes once it is unpacked, one in a mirror's folder stays."""
    most = there = 0
    for archive in missing:
        zipped = 0
        if "://" in mirror:
            parts = (folder / archive.name, folder / f"{archive.name}.part")
            zipped = archive.size - sum(part.stat().st_size for part in parts if part.is_file())
        most = max(most, there + zipped + archive.unpacked)
        there += archive.unpacked + (zipped if keep else 0)
    return most


def _require_space(folder: Path, needed: int) -> None:
    with writing(folder, NO_ACCESS | NO_SPACE):
        folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: {free / 1e9:.1f} GB free on its disk, expected {needed / 1e9:.1f} GB at "
            "the peak of the download; free some space, or choose a folder on another disk"
        )


def _zip_of(folder: Path, archive: Archive, mirror: str) -> tuple[Path, bool]:
    """The checked zip, and whether it was fetched now: one that was there before is the user's."""
    wanted = Wanted(f"{mirror.rstrip('/')}/{archive.path}", archive.size, archive.sha256)
    if "://" in mirror:
        path = folder / archive.name
        before = path.is_file()
        if not before:
            log.info("%s: downloading %.1f GB", wanted.address, archive.size / 1e9)
        download(wanted, path)
        return path, not before
    places = [Path(mirror, archive.path), Path(mirror, archive.name)]
    for path in places:
        if path.is_file():
            require_right(path, wanted)
            return path, False
    raise UserError(
        f"--mirror {mirror}: neither {places[0]} nor {places[1]} is there; expected a folder with COCO's "
        "three zips, or an address"
    )


def _unpack(folder: Path, archive: Archive, source: Path, splits: Sequence[str]) -> None:
    """Unpack into a folder next to it, then move: a folder of images is whole or not there."""
    partial = folder / f".{archive.name}.unpacked"
    shutil.rmtree(partial, ignore_errors=True)
    log.info("%s: unpacking", source)
    try:
        with writing(partial, NO_ACCESS | NO_SPACE), zipfile.ZipFile(source) as file:
            beginnings = _members(archive, splits)
            members = [name for name in file.namelist() if name.startswith(beginnings)]
            file.extractall(partial, members)  # which compares the checksum of each
        if _of_annotations(archive):
            for split in splits:
                target = annotation_file(folder, split)
                target.parent.mkdir(exist_ok=True)
                annotation_file(partial, split).replace(target)
        else:
            (partial / archive.members).replace(folder / archive.members)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise UserError(
            f"{source}: cannot be unpacked ({error}), expected COCO's zip with {archive.members}; "
            "remove it and fetch it again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
