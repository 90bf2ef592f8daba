"""Supplies `mmcv._ext` if mmcv was installed without compiled operators.

mmcv asks its extension module for named functions when it is imported, and mmdet binds stubs that raise if it
does not find it. So every process must know the substitute before mmdet is imported: `r3cnn/__init__.py` installs
the finder, and a .pth file of the installed package does so for programs that import mmdet alone.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

NAME = "mmcv._ext"
VARIABLE = "R3CNN_OPS"
COMPILED, TORCHVISION, PLAIN = "compiled", "torchvision", "plain"
BACK_ENDS = (COMPILED, TORCHVISION, PLAIN)
SUBSTITUTE = Path(__file__).with_name("ext.py")
STUB, STUB_FILE = "imgaug", Path(__file__).with_name("imgaug_stub.py")
PTH_FILE = "r3cnn_operators.pth"
# One line, which Python runs at its start; without effect once the package is gone. It loads this file alone
# and not the package: another checkout's r3cnn, in the working folder, must still be the one that is imported.
PTH = (
    "import importlib.util as u, os; s = u.find_spec('r3cnn'); "
    "p = s and s.submodule_search_locations and s.submodule_search_locations[0] + '/ops/finder.py'; "
    "f = p and os.path.isfile(p) and u.spec_from_file_location('_r3cnn_operators', p); "
    "m = f and u.module_from_spec(f); f and (f.loader.exec_module(m), m.install())\n"
)


class OperatorFinder(MetaPathFinder):
    """Finds the substitute under the name of mmcv's extension module, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != NAME:
            return None
        return importlib.util.spec_from_file_location(NAME, SUBSTITUTE)


def forced() -> str | None:
    """The back end that R3CNN_OPS asks for; None for the best one there is."""
    return os.environ.get(VARIABLE) or None


def install() -> None:
    """Put the finder on sys.meta_path, once: last, so that a compiled module is found before it.

    It comes first if R3CNN_OPS asks for another back end than the compiled one. The substitute refuses to be
    loaded where R3CNN_OPS asks for the compiled one, or for one that does not exist. Raises ImportError if
    mmdet was imported before, and has bound stubs instead of the operators that it did not find.
    """
    _stand_for_imaug()
    # by name: the .pth file's copy of the class is another one
    if any(type(finder).__name__ == OperatorFinder.__name__ for finder in sys.meta_path):
        return
    if "mmdet.structures" in sys.modules and NAME not in sys.modules:
        raise ImportError(
            "mmdet was imported before r3cnn, and mmcv has no operators of its own: import r3cnn first, or "
            "install it (`make setup`, or `pip install`), and the order is free"
        )
    if forced() not in (None, COMPILED):
        sys.meta_path.insert(0, OperatorFinder())
    else:
        sys.meta_path.append(OperatorFinder())


class ImaugFinder(MetaPathFinder):
    """Finds a stub under the name of the module of imaug, which mmdet imports for its lane-line transforms."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != STUB:
            return None
        return importlib.util.spec_from_file_location(
            fullname, STUB_FILE, submodule_search_locations=[]
        )


def _stand_for_imaug() -> None:
    """Put the stub's finder on sys.meta_path, once and last: an installed imaug is found before it."""
    if not any(type(finder).__name__ == ImaugFinder.__name__ for finder in sys.meta_path):
        sys.meta_path.append(ImaugFinder())
