"""A large data set's list of images, parsed and serialised once for each checksum of its annotation file.

mmdet parses the file in each process and keeps what it parsed: of COCO that is half a minute and gigabytes. Here a
process of its own parses it once; all processes of a machine, and their loaders, map the bytes read-only.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ..core.errors import UserError
from ..core.files import replacing
from ..core.layout import PACKAGE
from .parsing import parsed_dataset

log = logging.getLogger(__name__)
LEAST_BYTES = 8 * 2**20  # smaller files are parsed in less time than this takes
SUPPORTED = "CocoDataset"  # mmdet's own class; another may keep more than its list
LAYOUT = 1
LIBRARIES = ("onedl-mmdetection", "onedl-mmengine")
KEPT = ("cat_ids", "cat2label")


def cache_folder() -> Path:
    """Where the files lie: R3CNN_CACHE, else r3cnn in the user's cache folder. It may be local to a node."""
    chosen = os.environ.get("R3CNN_CACHE")
    return Path(chosen or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "r3cnn"))


def shared_dataset(settings: dict, checksum: str | None) -> Dataset | None:
    """The data set of a config with its list mapped from the cache, which is filled first where it must be.

    None where it is to be built as usual: a small file, one without a checksum, another class, no room.
    """
    file = Path(settings["ann_file"])
    if not checksum or settings["type"] != SUPPORTED or file.stat().st_size < LEAST_BYTES:
        return None
    folder = cache_folder() / _key(settings, checksum)
    if not _complete(folder):
        try:
            _fill(folder, settings)
        except (OSError, UserError) as error:
            log.warning("%s: not used, each process parses %s (%s)", folder, file, error)
            return None
    return _mapped(folder, settings) if _complete(folder) else None


def _key(settings: dict, checksum: str) -> str:
    """Checksum of what decides the list: the annotations, the settings except for the pipeline, the parser."""
    of_list = {name: value for name, value in settings.items() if name != "pipeline"}
    about = [LAYOUT, checksum, of_list, [version(name) for name in LIBRARIES]]
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:24]


def _files(folder: Path) -> tuple[Path, Path, Path, Path]:
    return tuple(folder / name for name in ("bytes.npy", "ends.npy", "wide.npy", "about.pickle"))


def _complete(folder: Path) -> bool:
    return all(path.is_file() for path in _files(folder))


def _fill(folder: Path, settings: dict) -> None:
    """Parse in another process, whose memory goes with it; the first of a machine does, others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / "lock"):
        if _complete(folder):
            return
        log.info("%s: serialised once, in %s", settings["ann_file"], folder)
        task = pickle.dumps((folder, {**settings, "pipeline": []}))
        # not by multiprocessing, which would run a user's unguarded script once more
        command = [sys.executable, "-c", f"from {__name__} import main; main()"]
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        code = subprocess.run(command, input=task, env=os.environ | {"PYTHONPATH": path}).returncode
    if not _complete(folder):
        raise UserError(f"the process that serialises it ended with {code}")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The only process here; on a file system without locks, one of several that write the same."""
    with open(path, "a", encoding="utf-8") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """The process that parses, told what by its input."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # Slurm's, for the training
    write(*pickle.load(sys.stdin.buffer))


def write(folder: Path, settings: dict) -> None:
    """Parse the annotations and write the list, by mmengine's serialisation."""
    dataset = parsed_dataset(settings)
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    wide = np.array([info["width"] > info["height"] for info in infos], dtype=bool)
    about = {name: getattr(dataset, name) for name in KEPT}
    data, ends, sides, rest = _files(folder)
    for path, array in ((data, dataset.data_bytes), (ends, dataset.data_address), (sides, wide)):
        with replacing(path) as temporary:
            np.save(temporary, array)
    with replacing(rest) as temporary:
        temporary.write_bytes(pickle.dumps(about))


def _mapped(folder: Path, settings: dict) -> Dataset:
    data, ends, wide, about = _files(folder)
    dataset = parsed_dataset({**settings, "lazy_init": True})
    for name, value in pickle.loads(about.read_bytes()).items():
        setattr(dataset, name, value)
    dataset.data_bytes = np.load(data, mmap_mode="r")
    dataset.data_address = np.load(ends)
    dataset.wide = np.load(wide).tolist()
    dataset._fully_initialized = True
    return dataset
