"""The rooms of a package, the floors they stand on, and the imports between them.

python scripts/floors.py            prints them
"""

import ast
import graphlib
import sys
from collections.abc import Collection, Mapping, Sequence, Set
from pathlib import Path

# Rooms of a line may not know one another; a room knows those of the lines before it alone.
FLOORS = {
    "r3cnn": (
        ("core",),
        ("data", "catalogue"),
        ("models", "ops"),
        ("config",),
        ("weights",),
        ("evaluation", "runs"),
        ("training", "viewing"),
        ("measuring", "bench"),
        ("cli",),
    ),
    "reports": (("results",), ("tables",), ("figures",), ("claims",), ("page",)),
}
OWN_FILES = {"__main__", "building"}  # beside the rooms; `building` is an old name


def python_imports(source: str, package: str = "") -> list[str]:
    """Dotted names that Python source imports anywhere; relative ones are resolved in package."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            names += [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            argument = getattr(node.args[0], "value", None)
            if called in ("import_module", "__import__") and isinstance(argument, str):
                names.append(argument)
    return names


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a Python file below `root`; a package for its __init__.py."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_graph(package: Path) -> dict[str, set[str]]:
    """Each module of a package with the package's modules that it imports anywhere."""
    root = package.parent
    modules = {module_of(path, root): path for path in sorted(package.rglob("*.py"))}
    return {
        name: {
            found
            for imported in python_imports(
                path.read_text(encoding="utf-8"), ".".join(path.relative_to(root).parent.parts)
            )
            if (found := _module(imported, modules)) not in (None, name)
        }
        for name, path in modules.items()
    }


def _module(name: str, modules: Collection[str]) -> str | None:
    """The module that a dotted name of an import lies in."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        if (found := ".".join(parts[:depth])) in modules:
            return found if depth > 1 else None
    return None


def room_of(module: str) -> str | None:
    """The room that a module stands in; None for the package's own files."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] not in OWN_FILES else None


def arrows(graph: Mapping[str, Set[str]]) -> dict[tuple[str, str], list[str]]:
    """The imports between rooms: (importer, imported) -> `module -> module` lines."""
    found: dict[tuple[str, str], list[str]] = {}
    for module, imported in graph.items():
        for target in sorted(imported):
            pair = room_of(module), room_of(target)
            if None not in pair and pair[0] != pair[1]:
                found.setdefault(pair, []).append(f"{module} -> {target}")
    return found


def uphill(
    found: Mapping[tuple[str, str], list[str]], floors: Sequence[Sequence[str]]
) -> list[str]:
    """The imports that run up, or along a floor; rooms that stand on no floor are named."""
    level = {room: number for number, rooms in enumerate(floors) for room in rooms}
    faults = [
        f"{room}: stands on no floor"
        for room in sorted({r for pair in found for r in pair} - level.keys())
    ]
    for (importer, imported), lines in sorted(found.items()):
        if level.get(importer, 0) <= level.get(imported, -1):
            faults += lines
    return faults


def cycles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle."""
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        return [error.args[1]]
    return []


def described(package: Path, floors: Sequence[Sequence[str]]) -> str:
    """Rooms by floor from the top, the arrows between them, imports that run up, and circles."""
    graph = module_graph(package)
    found = arrows(graph)
    lines = [
        f"{package.name}: {len(graph)} files, {sum(map(len, floors))} rooms, {len(floors)} floors"
    ]
    for rooms in reversed(floors):
        for room in rooms:
            below = sorted(target for source, target in found if source == room)
            files = sum(room_of(module) == room for module in graph)
            lines.append(f"  {room:12} {files:3} files  -> {', '.join(below) or '-'}")
    up = uphill(found, floors)
    lines.append(
        f"  {len(found)} arrows between rooms, {len(up)} upward, {len(cycles(graph))} circles"
    )
    return "\n".join([*lines, *up])


def main() -> None:
    """Print every package; exit code 1 if an import runs up."""
    root = Path(__file__).resolve().parents[1]
    texts = [described(root / name, floors) for name, floors in FLOORS.items()]
    print("\n\n".join(texts))
    sys.exit(any(" -> " in text.splitlines()[-1] for text in texts))


if __name__ == "__main__":
    main()
