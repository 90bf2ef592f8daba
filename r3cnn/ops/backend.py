"""Which implementation of the operators this process uses."""

import importlib
from importlib.metadata import PackageNotFoundError, version

from .finder import BACK_ENDS, COMPILED, NAME, PLAIN, SUBSTITUTE, TORCHVISION, VARIABLE, forced

GET = {
    COMPILED: "build mmcv's operators with `OPS=compiled make setup`, or install a prebuilt mmcv",
    TORCHVISION: "install the torchvision that belongs to the installed torch",
}


class OperatorError(ImportError):
    """An operator or back end that cannot be had here, and how to get it."""


def has_torchvision() -> bool:
    """Whether torchvision imports; a build for another torch does not."""
    try:
        importlib.import_module("torchvision.ops")
    except (ImportError, RuntimeError, OSError):
        return False
    return True


def is_compiled() -> bool:
    """Whether mmcv._ext is mmcv's own. Raises OperatorError if R3CNN_OPS names what cannot be had."""
    _wanted()
    try:
        module = importlib.import_module(NAME)
    except ImportError as error:
        raise OperatorError(
            f"{VARIABLE}={COMPILED}: mmcv has no operators; {GET[COMPILED]}"
        ) from error
    return module.__file__ != str(SUBSTITUTE)


def substitute() -> str:
    """The back end of the substitute: torchvision if it works, else plain PyTorch; R3CNN_OPS chooses."""
    wanted = _wanted()
    if wanted == PLAIN:
        return PLAIN
    if has_torchvision():
        return TORCHVISION
    if wanted == TORCHVISION:
        raise OperatorError(
            f"{VARIABLE}={TORCHVISION}: torchvision does not import; {GET[TORCHVISION]}"
        )
    return PLAIN


def back_end() -> str:
    """What computes RoIAlign, NMS and deformable convolution here, with its version."""
    if is_compiled():
        return f"{COMPILED}, mmcv {_version('onedl-mmcv', 'mmcv')}"
    name = substitute()
    return f"{name}, {'torchvision' if name == TORCHVISION else 'torch'} " + _version(
        TORCHVISION if name == TORCHVISION else "torch"
    )


def _wanted() -> str | None:
    """What R3CNN_OPS asks for. Raises OperatorError if there is no such back end."""
    wanted = forced()
    if wanted is not None and wanted not in BACK_ENDS:
        raise OperatorError(f"{VARIABLE}={wanted}: expected one of {', '.join(BACK_ENDS)}")
    return wanted


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "of unknown version"
