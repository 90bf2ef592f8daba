"""Check whether this machine can run a scale; each finding has a remedy."""

import importlib
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UserError
from ..core.layout import project_file
from .finding import BROKEN, NOTE, OK, Finding
from .gpu import computes, device
from .operators import WITHOUT_COMPILED, operators

if TYPE_CHECKING:  # a half-filled environment must be able to import this file
    from ..catalogue.scales import Scale

CONSTRAINTS = project_file("constraints.txt")
MODULES = ("torch", "cv2", "mmcv.ops", "mmdet.models", "pycocotools.mask", "snakemake")
INSTALL = "run `make setup` again"
ADVICE = {
    "cv2": f"pip uninstall -y opencv-python opencv-python-headless, then {INSTALL}",
    "mmcv.ops": f"mmcv's compiled operators were built for another torch: {WITHOUT_COMPILED}",
}
PYTHONS = ((3, 11), (3, 14))  # from, and below
SAME_FOLDER = "opencv-python"  # its files lie where those of opencv-python-headless do
OPTIONAL = {"torchvision"}  # a GPU wants it; r3cnn/ops does without
SHARED_MEMORY = Path("/dev/shm")
GIB = 2**30
BYTES_A_DETECTION = 400  # a line of a predictions file, its mask included
BYTES_A_PIXEL = 3.5  # a generated image, and some for its annotations


def examine(
    scale: str | None = None, data: Path | None = None, gpu: bool = False
) -> Iterator[Finding]:
    """All findings. scale: the name or file of what is to be run; data: a folder in COCO's layout.

    gpu: there must be one that computes.
    """
    yield from versions()
    found = list(imports())
    yield from found
    if any(finding.state == BROKEN for finding in found):
        return  # what follows needs them
    from ..catalogue.scales import load_scale

    settings = load_scale(scale) if scale else None
    yield from device()
    if gpu:
        yield from computes()
    yield from operators()
    if settings:
        yield from cost_without_gpu(settings)
        yield shared_memory(settings)
        yield disk(settings)
    yield from data_folder(settings, data)


def versions(constraints: Path | None = CONSTRAINTS) -> Iterator[Finding]:
    """Python's version, and the installed packages against the pinned ones."""
    python = platform.python_version()
    if not PYTHONS[0] <= sys.version_info < PYTHONS[1]:
        remedy = "remove .venv, then make setup PYTHON=python3.12"
        yield Finding(BROKEN, "python", f"{python}, expected 3.11, 3.12 or 3.13", remedy)
    if constraints is None or not constraints.is_file():
        yield Finding(NOTE, "versions", "no constraints.txt", "run the doctor in a checkout")
        return
    lines = (
        line.split("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines()
    )
    pins = dict(line.split("==") for line in lines if line)
    sound = True
    for name, pinned in pins.items():
        found = _installed(name)
        if found is None and name in OPTIONAL:
            continue
        if found != pinned:
            sound = False
            yield Finding(BROKEN, name, f"{found or 'not installed'}, expected {pinned}", INSTALL)
    if _installed(SAME_FOLDER):
        sound = False
        yield Finding(
            BROKEN, SAME_FOLDER, "installed together with opencv-python-headless", ADVICE["cv2"]
        )
    if sound:
        yield Finding(OK, "versions", f"Python {python}, {len(pins)} packages as pinned")


def _installed(name: str) -> str | None:
    """The version of a package without its local label (+cpu, +cu130), which tells the build."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def imports(modules: tuple[str, ...] = MODULES) -> Iterator[Finding]:
    """What does not import; a line of one state for those that do."""
    sound = []
    for module in modules:
        try:
            importlib.import_module(module)
            sound.append(module)
        # a broken installation raises anything: another numpy a ValueError
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            yield Finding(BROKEN, f"import {module}", reason, ADVICE.get(module, INSTALL))
    yield Finding(OK, "imports", ", ".join(sound))


def cost_without_gpu(scale: "Scale") -> Iterator[Finding]:
    """A note if the paper's network is to be trained, and this machine has no GPU."""
    import torch

    from ..catalogue.trainings import load_catalogue
    from .estimate import gpu_hours

    if scale.network is None and not torch.cuda.is_available():
        found = f"about {gpu_hours(load_catalogue(), scale):,.0f} GPU-hours, and no GPU here"
        remedy = "use machines with GPUs (docs/cluster.md), or a small scale such as `quick`"
        yield Finding(NOTE, "cost", found, remedy)


def shared_memory(scale: "Scale") -> Finding:
    """Loader processes hand their batches over through /dev/shm."""
    if scale.workers == 0 or not SHARED_MEMORY.is_dir():
        return Finding(OK, "shared memory", "not used")
    images = scale.per_pass * scale.workers * 3  # two batches ahead, one in use
    need = images * 3 * scale.images[0] * scale.images[1] * 2  # masks about as much as pixels
    free = shutil.disk_usage(SHARED_MEMORY).free
    found = f"{free / GIB:.2f} GiB free in {SHARED_MEMORY}, {need / GIB:.2f} GiB a process needed"
    if free >= need:
        return Finding(OK, "shared memory", found)
    remedy = (
        "start the container with more (docker run --shm-size), or set `workers: 0` in the scale"
    )
    return Finding(BROKEN, "shared memory", found, remedy)


def disk(scale: "Scale", folder: Path = Path()) -> Finding:
    """Space for the results of the whole paper at a scale, under `results/` of this folder."""
    need = needed_bytes(scale)
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free in {folder.resolve()}, {need / GIB:.1f} GiB needed"
    if free >= need:
        return Finding(OK, "disk", found)
    return Finding(
        BROKEN, "disk", found, "make space, or use `--config results=DIR` on another disk"
    )


def needed_bytes(scale: "Scale") -> int:
    """Bytes that all trainings and evaluations of the paper leave behind."""
    from ..catalogue.costs import CHECKPOINTS, COCO_IMAGES
    from ..catalogue.trainings import load_catalogue
    from ..config.resolve import resolve
    from ..weights.size import checkpoint_size

    catalogue = load_catalogue()
    sizes: dict[tuple, int] = {}
    total = 0
    for training in catalogue.trainings.values():
        kind = training.model, training.mixins
        if kind not in sizes:
            sizes[kind] = checkpoint_size(resolve(training, scale, seed=0))["tensor_bytes"]
        total += CHECKPOINTS * sizes[kind]
    shapes = scale.data.get("shapes")
    validated = shapes["val"] if shapes else COCO_IMAGES["val"]
    detections = scale.network["detections"] if scale.network else 100
    evaluations = sum(len(loops) for loops in catalogue.evaluations.values())
    total += evaluations * validated * detections * BYTES_A_DETECTION
    total *= len(scale.seeds)
    if shapes:
        total += int(
            (shapes["train"] + shapes["val"]) * shapes["width"] * shapes["height"] * BYTES_A_PIXEL
        )
    return total


def data_folder(scale: "Scale | None", data: Path | None) -> Iterator[Finding]:
    """The check of the data folder that a scale reads, or of the one given."""
    from ..data.check import check

    if data is None and scale and "folder" in scale.data:
        data = Path(scale.data["folder"])
    if data is None:
        if scale:
            yield Finding(OK, "data", "generated by the scale")
        return
    try:
        splits = check(data)["splits"]
    except UserError as error:
        yield Finding(BROKEN, "data", str(error))
        return
    counts = ", ".join(f"{split['image_count']} images to {name}" for name, split in splits.items())
    yield Finding(OK, "data", f"{data}: {counts}")
