"""The chain of bases of a model config, read without running it."""

import ast
import os
import sys
from pathlib import Path

from ..core.errors import UserError
from ..core.schema import shown


def config_chain(path: Path) -> list[Path]:
    """A model config and the project's own files among its bases, itself first.

    Reads `_base_` without running the file; bases of a package (`mmdet::...`) are left out.
    Raises UserError where a base is missing or a file is no Python.
    """
    chain: dict[Path, None] = {}
    waiting = [Path(path)]
    while waiting:
        file = waiting.pop(0)
        if file in chain:
            continue
        chain[file] = None
        for base in _bases(file):
            base_file = Path(os.path.normpath(file.parent / base))
            if not base_file.is_file():
                raise UserError(
                    f"{shown(file)}: _base_: no file {base!r}; "
                    "expected a path relative to this file, or mmdet::..."
                )
            waiting.append(base_file)
    return list(chain)


def _bases(file: Path) -> list[str]:
    """The `_base_` entries of a config that are files."""
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except UnicodeDecodeError:
        raise UserError(f"{shown(file)}: expected Python in UTF-8; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(file)}: cannot be read: {error}") from None
    except SyntaxError as error:
        line = f"line {error.lineno or '?'}: invalid Python: {error.msg}"
        raise UserError(f"{shown(file)}: {line}") from None
    _require_assignments(file, body)
    values = [node.value for node in body if isinstance(node, ast.Assign) and _is_base(node)]
    bases: list[ast.expr] = values[-1:]
    if bases and isinstance(bases[0], ast.List | ast.Tuple):
        bases = bases[0].elts
    names = [base.value for base in bases if isinstance(base, ast.Constant)]
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) < len(bases):
        raise UserError(f"{shown(file)}: _base_: expected a string or a list of strings")
    return [name for name in texts if "::" not in name]


def _require_assignments(file: Path, body: list[ast.stmt]) -> None:
    """mmengine's pure-Python style (imports, read_base) has classes where names are expected here."""
    for node in body:
        imported = node.names[0].name if isinstance(node, ast.Import) else None
        if isinstance(node, ast.ImportFrom):
            imported = node.module
        if imported and imported.partition(".")[0] not in sys.stdlib_module_names:
            raise UserError(
                f"{shown(file)}: line {node.lineno}: imports {imported}; expected a config of assignments alone, "
                'with bases such as _base_ = "mmdet::..."; name own classes in a file that `code` names'
            )


def _is_base(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "_base_" for target in node.targets)
