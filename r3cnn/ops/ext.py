"""The substitute for mmcv's extension module: loaded under the name mmcv._ext by r3cnn/ops/finder.py.

The functions have mmcv's names and arguments and write into the tensors that mmcv hands them. Ends the process
with one line and exit code 1 if R3CNN_OPS asks for a back end that is not there.
"""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

from r3cnn.ops.backend import GET, OperatorError, substitute
from r3cnn.ops.finder import COMPILED, PLAIN

try:
    chosen = substitute()
except OperatorError as error:
    sys.exit(
        f"error: {error}"
    )  # an exception would be caught, or be a traceback, by what imports mmdet

if chosen == PLAIN:
    from r3cnn.ops.plain import (
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        nms,
        roi_align_backward,
        roi_align_forward,
    )
else:
    from r3cnn.ops.vision import (
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        nms,
        roi_align_backward,
        roi_align_forward,
    )

__all__ = [
    "deform_conv_backward_input",
    "deform_conv_backward_parameters",
    "deform_conv_forward",
    "get_compiler_version",
    "get_compiling_cuda_version",
    "modulated_deform_conv_backward",
    "modulated_deform_conv_forward",
    "nms",
    "roi_align_backward",
    "roi_align_forward",
]


def get_compiler_version() -> str:
    """What mmcv reports of its build."""
    return "not compiled"


get_compiling_cuda_version = get_compiler_version


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Any other operator: there when mmcv asks for it, and an error when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*args: Any, **kwargs: Any) -> NoReturn:
        raise OperatorError(f"mmcv's operator {name} is not compiled here; {GET[COMPILED]}")

    return missing
