"""The hash of the sources follows what computes: not comments, messages, places or names of helpers."""

import re
import shutil
from pathlib import Path

import pytest

from r3cnn.core.layout import CHECKOUT as ROOT
from r3cnn.core.source_hash import ENTRIES, modules_of, source_hash

RUN = '''"""A module."""
import logging

from ..core.errors import UserError
from ..core.seeding import key
from .parts import half

log = logging.getLogger(__name__)
LIMIT = 3  # a comment


def train(x: int) -> float:
    """Twice as much."""
    # another comment
    if x > LIMIT:
        raise UserError(f"{x}: too much")
    log.info("x is %d", x)
    return _double(x) * half(key(x))


def _double(x):
    return 2 * x


def _treble(x):
    return 3 * x
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "r3cnn"
    for name, text in {
        "__init__": "",
        "training/__init__": "",
        "training/run": RUN,
        "training/parts": "def half(x):\n    return x / 2\n",
        "training/unused": "X = 1\n",
        "core/__init__": "",
        "core/errors": "class UserError(Exception):\n    pass\n",
        "core/seeding": "def key(x):\n    return x + 1\n",
        "models/__init__": "",
    }.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def hash_of(package: Path, part: str = "training") -> str:
    source_hash.cache_clear()
    return source_hash(part, package)


def replaced(package: Path, old: str, new: str, name: str = "training/run") -> str:
    path = package / f"{name}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return hash_of(package)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a comment", ""),
        ("\n\n\ndef", "\ndef"),
        ("return 2 * x", "return (2*x)"),
        ('"""A module."""', "'''Another.'''"),
        ("Twice as much.", "Two times."),
        ("too much", "more than allowed"),
        ('    log.info("x is %d", x)\n', ""),
        ("x: int) -> float", "x)"),
        ("_double", "_twice"),
    ],
)
def test_what_only_a_reader_sees_does_not_count(package, old, new):
    before = hash_of(package)
    assert replaced(package, old, new) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 2 * x", "return 4 * x"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("def train", "def learn"),
        ("return _double(x)", "return _treble(x)"),
        ("x > LIMIT", "x >= LIMIT"),
    ],
)
def test_what_computes_counts(package, old, new):
    before = hash_of(package)
    assert replaced(package, old, new) != before


def test_an_imported_module_counts_and_no_other(package):
    before = hash_of(package)
    assert replaced(package, "X = 1", "X = 2", "training/unused") == before
    assert replaced(package, "pass", "code = 1", "core/errors") == before
    assert replaced(package, "x / 2", "x / 3", "training/parts") != before


def test_code_that_moves_to_another_module_keeps_the_hash(package):
    before = hash_of(package)
    (package / "training/parts.py").rename(package / "core/parts.py")
    assert replaced(package, "from .parts", "from ..core.parts") == before


@pytest.mark.parametrize("part", ENTRIES)
def test_the_methods_own_parts(part, tmp_path):
    assert re.fullmatch("[0-9a-f]{64}", source_hash(part))
    names = {str(path.relative_to(ROOT / "r3cnn")) for path in modules_of(part)}
    rooms = {name.split("/")[0] for name in names}
    assert rooms.isdisjoint({"cli", "runs", "viewing", "bench"})
    expected = {
        "training": {"training/trainer.py", "models/roi_head.py", "data/loading.py"},
        "prediction": {"evaluation/predict.py", "models/roi_head.py", "weights/checkpoint.py"},
        "scoring": {"evaluation/score.py", "evaluation/matching.py"},
    }
    assert expected[part] <= names
    assert (part == "training") == ("training/trainer.py" in names)
    copy = tmp_path / "r3cnn"
    shutil.copytree(ROOT / "r3cnn", copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert source_hash(part, copy) == source_hash(part)
