"""Draws docs/architecture.md's pictures and lists from the code: rooms by their imports, data flow by the rules.

python scripts/draw_architecture.py            writes them
python scripts/draw_architecture.py --check    exit code 1 where they are out of date
"""

import ast
import html
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from floors import FLOORS
from page_parts import (
    renewed,
    write,
)

from r3cnn.core.layout import CHECKOUT as ROOT

PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = tuple(
    f"{package}/{room}"
    for package, floors in FLOORS.items()
    for floor in floors
    for room in floor
    if (ROOT / package / room).is_dir()
)
LIBRARIES = (
    "torch",
    "mmdet",
    "mmcv",
    "mmengine",
    "pycocotools",
    "snakemake",
    "pandas",
    "matplotlib",
    "plotly",
    "jinja2",
)
ROW = re.compile(
    r"<b><font point-size=\"\d+\">(.*?)</font></b>|<font face=\"monospace\">(.*?)</font>"
)
EDGES_OF_SMK = re.compile(r"^(?:from|import) +([\w.]+)", re.MULTILINE)
COMMAND = re.compile(r"python -m ((?:r3cnn|reports)(?: data)? \w+)")


# ------------------------------------------------------------------------------------- rooms


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports; relative ones resolved."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".smk":
        return set(EDGES_OF_SMK.findall(source))
    parents = path.relative_to(ROOT).parent.parts
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else ()
            start = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{start}.{alias.name}" for alias in node.names}
    return names


def files_of(package: str) -> list[Path]:
    """The Python files of a package, those of its subpackages left out; `workflow`: its rules."""
    folder = ROOT / package
    return sorted(folder.rglob("*.smk" if package == "workflow" else "*.py"))


def package_of(name: str) -> str | None:
    """The package, or the library, that a dotted name belongs to; None for what is not drawn."""
    path = name.replace(".", "/")
    inside = [package for package in PACKAGES if path == package or path.startswith(f"{package}/")]
    return (
        max(inside, key=len)
        if inside
        else next((x for x in LIBRARIES if path.split("/")[0] == x), None)
    )


def rooms() -> str:
    """Which package imports which, and which libraries."""
    edges: dict[tuple[str, str], int] = defaultdict(int)
    for package in ("workflow", *PACKAGES):
        for path in files_of(package):
            for target in {package_of(name) for name in imported(path)} - {None, package}:
                edges[package, target] += 1
    used = [library for library in LIBRARIES if any(target == library for _, target in edges)]
    lines = ["flowchart LR", '  experiments["experiments/<br/>catalogue, model configs, scales"]']
    lines += [f'  {node(p)}["{p}/<br/>{len(files_of(p))} files"]' for p in ("workflow", *PACKAGES)]
    lines += ["  subgraph libraries", *(f"    {library}" for library in used), "  end"]
    lines += ['  results[("results/<br/>JSON, CSV, Parquet")]']
    lines += [f"  {node(a)} -->|{count}| {node(b)}" for (a, b), count in sorted(edges.items())]
    lines += [
        "  workflow -. runs .-> r3cnn",
        "  workflow -. runs .-> reports",
        "  experiments -. is read by .-> r3cnn",
    ]
    lines += ["  r3cnn -. writes .-> results", "  results -. are read by .-> reports"]
    return mermaid(lines)


def node(name: str) -> str:
    """A name that Mermaid takes."""
    return re.sub(r"\W", "_", name)


def mermaid(lines: list[str]) -> str:
    """A fenced drawing."""
    return "\n".join(["```mermaid", *lines, "```"])


def files() -> str:
    """Every file with the first line of its docstring or comment."""
    lines = []
    for package in (*PACKAGES, "workflow"):
        lines += [f"**`{package}/`**", "", "| file | what it holds |", "|---|---|"]
        for path in files_of(package):
            if first := first_line(path):
                lines.append(
                    f"| `{path.relative_to(ROOT / package)}` | {first.replace('|', chr(92) + '|')} |"
                )
        lines.append("")
    return "\n".join(lines).rstrip()


def first_line(path: Path) -> str:
    """The sentence with which a file introduces itself."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".smk":
        return text.splitlines()[0].lstrip("# ")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


# --------------------------------------------------------------------------------- data flow


def file_graph() -> dict[str, dict[str, set[str]]]:
    """What Snakemake says of each rule: {rule: {input, output: files}}."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", empty, "--filegraph"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"error: snakemake --filegraph: {done.stderr.strip()[-500:]}")
    rules: dict[str, dict[str, set[str]]] = {}
    for block in re.split(r"\n(?=\d+ \[)", done.stdout)[1:]:
        rule, part = "", ""
        for heading, file in ROW.findall(block):
            text = html.unescape(heading or file)
            if heading and ("input" in text or "output" in text):
                part = "input" if "input" in text else "output"
            elif heading:
                rule = re.sub(r"^table\d$", "table1 ... table4", text)
                rules.setdefault(rule, {"input": set(), "output": set()})
            else:
                rules[rule][part].add(pattern(text))
    return rules


def pattern(file: str) -> str:
    """A file's name with what differs between trainings left open."""
    name = file.removeprefix(f"{ROOT}/").removeprefix("results/quick/")
    if name == "<input function>":
        return "experiments/models/*.py, code of a user's own"
    for wildcard, shown in (("id", "<id>"), ("seed", "<k>"), ("loops", "<n>")):
        name = re.sub(rf"\{{{wildcard}(,[^}}]*)?\}}", shown, name)
    name = re.sub(r"^(trainings|predictions|scores)/\w+/", r"\1/<id>/", name)
    name = re.sub(r"^measurements/\w+", "measurements/<id>", name)
    name = re.sub(r"/seed\d+", "/seed<k>", re.sub(r"loops\d+", "loops<n>", name))
    name = re.sub(r"table\d\.", "table<n>.", name)
    name = re.sub(r"^reports/.*published.*", "reports/published/*.csv", name)
    return re.sub(r"^data/(train|val)2017$|^data/annotations/.*", "data/...", name)


def data_flow() -> str:
    """Rules, and the files between them; files of one rule that the same rules read are one box."""
    rules = {rule: parts for rule, parts in file_graph().items() if rule != "all"}
    readers: dict[str, frozenset[str]] = {}
    writers: dict[str, str] = {}
    for rule, parts in rules.items():
        for file in parts["input"]:
            readers[file] = readers.get(file, frozenset()) | {rule}
        writers |= dict.fromkeys(parts["output"], rule)
    boxes: dict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    for file in sorted(readers.keys() | writers.keys()):
        boxes[writers.get(file, ""), readers.get(file, frozenset())].append(file)
    lines = ["flowchart TB"]
    commands = commands_of_rules()
    lines += [f'  {node(rule)}(["{rule}{commands.get(rule, "")}"])' for rule in sorted(rules)]
    for number, ((writer, reading), inside) in enumerate(sorted(boxes.items(), key=lambda b: b[1])):
        names = "<br/>".join(name.replace("<", "&lt;").replace(">", "&gt;") for name in inside)
        lines.append(f'  f{number}["{names}"]')
        if writer:
            lines.append(f"  {node(writer)} --> f{number}")
        lines += [f"  f{number} --> {node(rule)}" for rule in sorted(reading)]
    return mermaid(lines)


def commands_of_rules() -> dict[str, str]:
    """The command line that each rule runs, as a second line of its box."""
    found = {}
    for path in files_of("workflow"):
        for block in re.split(
            r"^\s*(?=rule\b)", path.read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            name = re.match(r"rule (\w+):", block)
            if command := COMMAND.search(block):
                found[name[1] if name else "table1 ... table4"] = f"<br/>{command[1]}"
    return found


def drawn(page: str) -> str:
    """The page with all its drawn parts made anew."""
    return renewed(page, {"rooms": rooms, "flow": data_flow, "files": files})


def main() -> None:
    """Write the page, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = drawn(page)
    if "--check" in sys.argv[1:]:
        if fresh != page:
            sys.exit(
                f"{PAGE.relative_to(ROOT)} is out of date; run: python scripts/draw_architecture.py"
            )
    elif fresh != page:
        write(PAGE, fresh)


if __name__ == "__main__":
    main()
