"""Which implementation of the operators this process uses."""

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version

from ..core.errors import UserError
from .finder import BACK_ENDS, COMPILED, NAME, PLAIN, SUBSTITUTE, TORCHVISION, VARIABLE, forced

GET = {
    COMPILED: "build mmcv's operators with `OPS=compiled make setup`, or install a prebuilt mmcv",
    TORCHVISION: "install the torchvision that belongs to the installed torch",
}


class OperatorError(UserError):
    """An operator or back end that cannot be had here, and how to get it.

    No ImportError: mmdet catches that one and goes on without operators.
    """


def has_torchvision() -> bool:
    """Whether torchvision imports; a build for another torch does not."""
    try:
        importlib.import_module("torchvision.ops")
    except (ImportError, RuntimeError, OSError):
        return False
    return True


def is_compiled() -> bool:
    """Whether mmcv._ext is mmcv's own.

    Raises OperatorError if it does not load, or if R3CNN_OPS names what cannot be had.
    """
    _wanted()
    try:
        spec = importlib.util.find_spec(NAME)
    except ModuleNotFoundError as error:
        raise OperatorError("mmcv is not installed; run `make setup`") from error
    if spec is None or spec.origin == str(SUBSTITUTE):
        return False
    try:
        importlib.import_module(NAME)
    except ImportError as error:
        reason = str(error).splitlines()[0]
        raise OperatorError(
            f"mmcv's compiled operators do not load ({reason}): they were built for another torch; "
            f"build them again with `OPS=compiled make setup`, or set {VARIABLE}={PLAIN}"
        ) from error
    return True


def substitute() -> str:
    """The back end of the substitute: torchvision if it works, else plain PyTorch.

    Raises OperatorError if R3CNN_OPS asks for another one: then that is not there.
    """
    wanted = _wanted()
    if wanted == COMPILED:
        raise OperatorError(
            f"{VARIABLE}={COMPILED}: mmcv has no compiled operators; {GET[COMPILED]}"
        )
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
