"""What the architecture's tests look for, as functions of one file's text."""

import ast
import re
from collections.abc import Set

SMK_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#;]+)"
    r"|import[ \t]+(?P<modules>[^\n#;]+))",
    re.MULTILINE,
)
DATA_CALLS = {"dict", "list", "tuple"}
DATA_STATEMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Expr)

# Written so that this file does not match itself. PyTorch's index of wheels is public and may be named.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/~*})\]-])/(?:home|root|work)(?:/|\b)")
PYTORCH = r"[= ]\"?https://download\.pytorch\.org/whl/"
PACKAGE_INDEX = re.compile(
    rf"(?<!no-emit-)index[-_]url(?!{PYTORCH})|find[-_]links|://[^\s\"'<>]*p[y]pi|p[y]thonhosted",
    re.I,
)


def within(name: str, modules: Set[str]) -> bool:
    """Whether the dotted name is one of the modules or lies inside one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def smk_imports(source: str) -> list[str]:
    """Dotted names that a Snakefile imports, read from its import lines."""
    names = []
    for match in SMK_IMPORT.finditer(source):
        for part in (match["names"] or match["modules"]).strip("() \n").split(","):
            if words := part.split("#")[0].split():
                names.append(f"{match['module']}.{words[0]}" if match["module"] else words[0])
    return names


def forbidden_imports(
    names: list[str], forbidden: set[str], allowed: Set[str] = frozenset()
) -> list[str]:
    """The imported names that lie in a forbidden module and in no allowed one."""
    return [n for n in names if within(n, forbidden) and not within(n, allowed)]


def code_in_data(source: str) -> list[str]:
    """What makes a config more than assignments: one `line N: kind` each."""
    tree = ast.parse(source)
    faults = [(s.lineno, type(s).__name__) for s in tree.body if not isinstance(s, DATA_STATEMENTS)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            faults.append((node.lineno, "Lambda"))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") not in DATA_CALLS:
            faults.append((node.lineno, f"call of {ast.unparse(node.func)}"))
        elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant | ast.Call):
            faults.append((node.lineno, "Expr"))
    return [f"line {line}: {kind}" for line, kind in sorted(faults)]


def local_names(text: str) -> list[str]:
    """Lines that name a path of one machine or the host of a package index."""
    return [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if ABSOLUTE_PATH.search(line) or PACKAGE_INDEX.search(line)
    ]
