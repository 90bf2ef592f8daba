"""Which images a step trains on, and with which augmentation: a function of (seed, epoch) alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from ..core.errors import UserError
from ..core.files import sha256_of
from ..core.seeding import key
from ..core.steps import steps_of_epoch
from .annotations import read as read_annotations
from .content import require_sound
from .parsing import parsed_dataset
from .seeding import seed_libraries
from .serialised import shared_dataset


class KeyedDataset(Dataset):
    """A data set whose augmentation is drawn from (seed, epoch, image id); asked for by (epoch, index)."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, at: tuple[int, int]) -> dict:
        epoch, index = at
        image_id = self.dataset.get_data_info(index)["img_id"]
        seed_libraries(self.seed, epoch, image_id, "augmentation")
        return self.dataset[index]


def build_dataset(loader_cfg: dict, checksum: str | None = None) -> Dataset:
    """mmdet's data set of a dataloader's config. Raises UserError where its annotations cannot be read.

    checksum: of the annotation file, where it was compared; a large one is then parsed once for all processes.
    """
    _existing(loader_cfg)
    settings = dict(loader_cfg["dataset"])
    return shared_dataset(settings, checksum) or parsed_dataset(settings)


def _existing(loader_cfg: dict) -> Path:
    file = Path(loader_cfg["dataset"]["ann_file"])
    if not file.is_file():
        raise UserError(f"{file}: no such annotation file; check the config's data folder")
    return file


def require_checked_annotations(loader_cfg: dict, facts: dict | None, split: str) -> str | None:
    """The annotation file's checksum, None where the config keeps none. Raises UserError for another file.

    A config that keeps none was made for data that nothing has checked: what they say is checked here.
    """
    file = _existing(loader_cfg)
    expected = (facts or {}).get(f"{split}_sha256")
    if not expected and loader_cfg["dataset"].get("type") == "CocoDataset":
        require_sound(file, read_annotations(file)[0], scored=split == "val")
    if expected and (found := sha256_of(file)) != expected:
        raise UserError(
            f"{file}: sha256 {found[:12]}... found, expected {expected[:12]}... of the data that "
            "the config was made for; put that file back, or check the data and resolve the config again"
        )
    return expected


def wide_images(dataset: Dataset) -> list[bool]:
    """For each image whether it is wider than high: a pass holds one kind, to pad less (as in mmdet)."""
    if hasattr(dataset, "wide"):
        return dataset.wide
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    return [info["width"] > info["height"] for info in infos]


def passes_of_epoch(wide: Sequence[bool], per_pass: int, seed: int, epoch: int) -> list[list[int]]:
    """All images of an epoch in passes of `per_pass` images, in the order that (seed, epoch) draws.

    The same for any number of processes. The last pass of each orientation is filled from its beginning.
    """
    generator = torch.Generator().manual_seed(key(seed, epoch, "order"))
    order = torch.randperm(len(wide), generator=generator).tolist()
    passes = []
    for kind in (True, False):
        images = [i for i in order if wide[i] is kind]
        for start in range(0, len(images), per_pass):
            passes.append([images[(start + j) % len(images)] for j in range(per_pass)])
    shuffled = torch.randperm(len(passes), generator=generator).tolist()
    return [passes[i] for i in shuffled]


def passes_of_rank(
    passes: Sequence[list[int]], epoch: int, first_step: int, per_step: int, rank: int, world: int
) -> Iterator[list[tuple[int, int]]]:
    """What one process reads from `first_step` on: in each step every `world`-th of `per_step` passes."""
    for step in range(first_step, steps_of_epoch(len(passes), per_step)):
        for i in range(rank, per_step, world):
            at = (step * per_step + i) % len(passes)  # the last step is filled from the beginning
            yield [(epoch, index) for index in passes[at]]


def collate(samples: list[dict]) -> dict[str, list]:
    """Samples as mmdet packs them, to the lists that its data preprocessor takes."""
    return {name: [sample[name] for sample in samples] for name in samples[0]}


def batches(loader: DataLoader) -> Iterator[dict[str, list]]:
    """The loader's batches; a UserError of a worker comes as its traceback, and leaves as its message."""
    try:
        yield from loader
    except UserError as error:
        last_line = str(error).rstrip().splitlines()[-1]
        raise UserError(last_line.removeprefix(f"{UserError.__module__}.UserError: ")) from error
