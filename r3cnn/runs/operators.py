"""mmcv's operators: which back end and device run them, and how every process finds them."""

import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ..core.files import write_atomically
from ..ops.finder import PLAIN, PTH, PTH_FILE
from .finding import BROKEN, NOTE, OK, Finding

WITHOUT_COMPILED = "pip uninstall -y onedl-mmcv, then `make setup`: mmcv without compiled operators"
SLOW_ON_A_GPU = (
    "they are written for the CPU: install the torchvision that belongs to this torch (`make setup`), or run "
    "`OPS=compiled make setup`"
)
FOR_GPUS = (
    f"{WITHOUT_COMPILED}; or, with nvcc: `OPS=compiled make setup` after the same `pip uninstall`"
)
REPAIR = "only programs that import mmdet without r3cnn miss them: python -m r3cnn doctor --repair"


def operators() -> Iterator[Finding]:
    """Which operators run on the device that trains, and whether every process finds them."""
    from ..ops.backend import OperatorError, is_compiled

    yield _run()
    try:
        compiled = is_compiled()
    except OperatorError:
        return  # said above
    if compiled:
        yield from _built_for_the_cpu()
    else:
        yield start_file()


def _run() -> Finding:
    """Compiled, torchvision's, or plain PyTorch, after one call of NMS on the device."""
    import torch
    from mmcv.ops import nms

    from ..ops.backend import OperatorError, back_end

    place = "cuda" if torch.cuda.is_available() else "cpu"
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]], device=place)
    try:
        kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=place), 0.5)[1].tolist()
        name = back_end()
    except (RuntimeError, NotImplementedError, OperatorError) as error:
        return Finding(BROKEN, "mmcv's operators", str(error).splitlines()[0], WITHOUT_COMPILED)
    found = f"{name}, run on {place}"
    if kept != [0, 2]:
        return Finding(BROKEN, "mmcv's operators", f"{found}; NMS is wrong", WITHOUT_COMPILED)
    if place == "cuda" and name.startswith(PLAIN):
        return Finding(NOTE, "mmcv's operators", found, SLOW_ON_A_GPU)
    return Finding(OK, "mmcv's operators", found)


def _built_for_the_cpu() -> Iterator[Finding]:
    """Compiled operators without CUDA next to a GPU build of torch: they fail on the node that has a GPU."""
    import torch
    from mmcv.ops import get_compiling_cuda_version

    if torch.version.cuda and get_compiling_cuda_version() == "not available":
        found = f"compiled for the CPU only, but torch {torch.__version__} is a build for GPUs"
        state = BROKEN if torch.cuda.is_available() else NOTE
        yield Finding(state, "mmcv's operators", found, FOR_GPUS)


def start_file(folders: list[str] | None = None) -> Finding:
    """The .pth file by which programs find the operators that do not import r3cnn."""
    for folder in folders or [*site.getsitepackages(), site.getusersitepackages()]:
        path = Path(folder, PTH_FILE)
        if path.is_file():
            if path.read_text(encoding="utf-8") == PTH:
                return Finding(OK, "operators found by", str(path))
            return Finding(NOTE, "operators found by", f"{path} of another version", REPAIR)
    return Finding(NOTE, "operators found by", f"import of r3cnn alone, no {PTH_FILE}", REPAIR)


def repair() -> Path:
    """Write the .pth file into the environment; uninstalling the project removes it."""
    path = Path(sysconfig.get_path("purelib"), PTH_FILE)
    write_atomically(path, PTH)
    return path
