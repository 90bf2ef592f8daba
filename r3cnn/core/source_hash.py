"""Hash of the code that made a result: the modules that a command imports, without what cannot affect numbers.

Scheme 2. Left out: where code lies (modules, order, imports), docstrings, comments, layout, annotations, what a
message says, names of private helpers, and the modules of QUIET, which decide when, where and whether, but no
number. A private name is replaced by the hash of what it is bound to, so a renamed helper keeps the hash and
another helper in its place changes it.
"""

import ast
import functools
import hashlib
import pickle
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from .layout import PACKAGE

SCHEME = 2
# `r3cnn.models` is named by the configs, so no import tells that a command needs it.
ENTRIES = {
    "training": ("training.run", "models"),
    "prediction": ("evaluation.predict", "models"),
    "scoring": ("evaluation.score",),
}
QUIET = {
    "core.errors",
    "core.files",
    "core.layout",
    "core.progress",
    "core.provenance",
    "core.schema",
    "core.source_hash",
    "data.content",
    "data.learnt",
    "data.segmentation",
    "data.serialised",
    "training.lease",
    "training.log",
    "training.stopping",
}
_LOGS = {"log", "_log"}
_ERRORS = {"UserError", "Interrupted"}
_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def source_hash(part: str, package: Path = PACKAGE) -> str:
    """SHA-256 of the sources behind a part of a result: training, prediction or scoring."""
    found = sorted(digest for module in modules_of(part, package) for digest in _statements(module))
    return _sha256("\n".join(found))


def modules_of(part: str, package: Path = PACKAGE) -> list[Path]:
    """The package's files that a part imports, directly or not, QUIET ones left out."""
    waiting = deque(ENTRIES[part])
    files: dict[str, Path] = {}
    seen: set[str] = set()
    while waiting:
        name = waiting.popleft()
        path = _file_of(name, package)
        if name in seen or name in QUIET or path is None:
            continue
        seen.add(name)
        files[name] = path
        waiting.extend(_imported(path, name, package))
    return [files[name] for name in sorted(files)]


def _file_of(name: str, package: Path) -> Path | None:
    path = package.joinpath(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _imported(path: Path, name: str, package: Path) -> Iterator[str]:
    """Dotted names within the package that a module imports anywhere; packages on the way included."""
    parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = parents[: len(parents) - node.level + 1]
        elif (node.module or "").split(".")[0] == package.name:
            base, node.module = [], ".".join((node.module or "").split(".")[1:])
        else:
            continue
        target = [*base, *filter(None, (node.module or "").split("."))]
        for depth in range(1, len(target) + 1):
            yield ".".join(target[:depth])
        yield from (".".join([*target, alias.name]) for alias in node.names)


def _statements(path: Path) -> list[str]:
    """One hash for each top-level statement of a module that computes."""
    return _hashes_of(path.read_text(encoding="utf-8"))


@functools.cache  # the parts share most of their modules
def _hashes_of(source: str) -> list[str]:
    tree = ast.parse(source)
    body = [_Computing().visit(node) for node in tree.body]
    body = [node for node in body if node is not None and not _lists_keys(node)]
    blank = _Renamed({}, blank=True)
    names = {
        name: _sha256(blank.text_of(node))
        for top in body
        for node in ast.walk(top)
        for name in _bound(node)
        if _private(name)
    }
    renamed = _Renamed(names)
    return [_sha256(renamed.text_of(node)) for node in body]


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _bound(node: ast.AST) -> list[str]:
    """The names that a definition or an assignment of a module or class binds."""
    if isinstance(node, _DEFINITION):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _lists_keys(node: ast.stmt) -> bool:
    """Whether a class is the type of a file's keys."""
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base) in ("TypedDict", "Provenance") for base in node.bases
    )


class _Computing(ast.NodeTransformer):
    """Removes what only a reader sees: imports, docstrings, annotations, messages."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return None if _of_log(node.value) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
            node.args, node.keywords = [], []
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """A block that held nothing else still stands."""
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


class _Renamed(ast.NodeTransformer):
    """Replaces private names by what `names` says of them, or by nothing."""

    def __init__(self, names: dict[str, str], blank: bool = False) -> None:
        self.names, self.blank = names, blank

    def text_of(self, node: ast.AST) -> str:
        """The source of a node under the new names; the node stays as it is."""
        copied = pickle.loads(pickle.dumps(node))  # much faster than a deep copy
        return ast.unparse(self.visit(copied))

    def _new(self, name: str) -> str:
        if not _private(name):
            return name
        return "_" if self.blank else self.names.get(name, name)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._new(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = self._new(node.attr)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, _DEFINITION) and _private(node.name):
            node.name = "_"
        return node


def _of_log(node: ast.expr) -> bool:
    """Whether an expression tells the log something: log.info(...)."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in _LOGS
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
