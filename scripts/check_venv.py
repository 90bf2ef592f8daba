"""Checks a finished environment and says in one line what to do about what is wrong."""

import importlib
import importlib.metadata
import sys
from pathlib import Path

REBUILD = "run: pip cache remove onedl_mmcv; pip uninstall -y onedl-mmcv (both in the environment)"
MODULES = ("torch", "cv2", "mmcv.ops", "mmdet.models", "pycocotools.mask", "snakemake")
ADVICE = {
    "cv2": "a system library is missing; opencv-python-headless must be installed last",
    "mmcv.ops": f"mmcv has no operators, or those of another torch; {REBUILD}, then set-up",
}


def read_pins(path: Path) -> dict[str, str]:
    """Versions by package name of a constraints file."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def check_versions(pins: dict[str, str]) -> list[str]:
    """One line for each package whose installed version is not the pinned one."""
    faults = []
    for name, pinned in pins.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            faults.append(f"{name}: not installed, expected {pinned}; run set-up again")
            continue
        # A local label (+cpu, +cu130) tells the build, not the version.
        if found.split("+")[0] != pinned:
            faults.append(f"{name}: found {found}, expected {pinned}; run set-up again")
    return faults


def check_imports(modules: tuple[str, ...] = MODULES) -> list[str]:
    """One line for each module that does not import."""
    faults = []
    for module in modules:
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            faults.append(f"import {module}: {error}; {ADVICE.get(module, 'run set-up again')}")
    return faults


def check_cuda_operators() -> list[str]:
    """A line if torch sees a GPU and mmcv was built for the CPU only."""
    import torch
    from mmcv.ops import get_compiling_cuda_version

    if torch.cuda.is_available() and get_compiling_cuda_version() == "not available":
        return [f"mmcv.ops: built for the CPU, but there is a GPU; {REBUILD}, then set-up"]
    return []


def main() -> int:
    """Prints every fault of the environment; returns 1 if there is one."""
    faults = check_versions(read_pins(Path(sys.argv[1])))
    broken = check_imports()
    faults += broken or check_cuda_operators()
    for fault in faults:
        print(f"setup: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
