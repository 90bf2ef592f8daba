"""Words that a reader meets: plain technical English, by a list of the odd ones that were replaced."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from r3cnn.cli.main import main
from reports.__main__ import cli

ROOT = Path(__file__).resolve().parent.parent
INSTEAD = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bno valid\b": "invalid",
    r"\banew\b": "from scratch, again",
    r"\bof elsewhere\b|\bchoose a folder elsewhere\b": "external, another folder",
    r"\b(go|goes|went) on\b(?! (the|a|an|to)\b)": "continue, resume",
    r"\bstands?\b(?! for\b)": "is",
    r"\bstood\b": "was",
    r"\bbeside\b": "next to",
    r"\btrunks?\b": "backbone",
    r"\b(no|this|a|one) pictures?\b": "image",
    r"\bof a kind that\b": "an unsupported",
    r"\bwithout (it|this)\.": "default: X",
    r"\bgive yourself\b": "change its permissions",
    r"\bwhat (is|was|lies) (there|transparent)\b": "existing, transparency",
    r"\b(of|than|to) what\b": "name the thing",
    r"\b(one|others) that is of\b": "name it",
    r"(?<!there )\b(is|are|was|were) no (?!longer\b|more\b|compiled\b|annotated\b)\w+": "is not a, is invalid",
    r"\bwhere (there (is|are)|none (is|are))\b": "if",
    r"\bin place of\b": "instead of",
    r"\bsee to\b": "check",
    r"\bhangs? on\b": "depends on",
    r"\b(broke|breaks?) off\b": "was interrupted",
    r"\bgo(es)? with version\b": "will be removed in version",
    r"\bat hand\b": "this machine",
    r"\bbut for\b": "except for",
    r"\bhow far (it|they) (is|are)\b": "progress",
    r"\bwithout a word\b": "silently",
    r"\blies? (in|at|under|there)\b": "is in",
    r"\bsave it so\b": "name the format",
    r"\bone's own\b": "your own",
}
# Old spellings that users may still type, and texts that the source hashes of kept runs hold.
KEPT = {
    "data trunk is now called data backbone; the old name will be removed in version 0.3",
    "run the same command to go on",
    " to train anew",
    "give yourself the permission to read it",
    "see to the disk, the network or the memory",
}


def odd_words(text: str) -> list[str]:
    """Each odd word with its context and what to write instead; code in ticks is left out."""
    text = re.sub(r"```.*?```|`[^`\n]*`|--[a-z][a-z-]*", "``", text, flags=re.DOTALL)
    return [
        f"...{text[max(found.start() - 30, 0) : found.end() + 20]}...: write {instead}"
        for pattern, instead in INSTEAD.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


def docstrings(tree: ast.AST) -> set[int]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each string constant of more than one word that is not a docstring."""
    tree = ast.parse(source)
    left_out = docstrings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in left_out:
            continue
        if isinstance(node.value, str) and " " in node.value and node.value not in KEPT:
            yield node.lineno, node.value


def helps(group: click.Group, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """(words, help) of each command that is listed."""
    above = parent or click.Context(group, info_name="", **group.context_settings)
    for name, command in group.commands.items():
        if command.hidden:
            continue
        # click caches a command's help option, so the context has its parent's names for it
        context = click.Context(command, info_name=name, parent=above)
        yield context.command_path.strip(), command.get_help(context)
        if isinstance(command, click.Group):
            yield from helps(command, context)


def first_lines() -> Iterator[tuple[str, str]]:
    """(file, first line of its docstring): docs/architecture.md shows them."""
    for path in FILES:
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        yield str(path.relative_to(ROOT)), said.split("\n")[0]


PAGES = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
FILES = sorted(path for room in ("r3cnn", "reports") for path in (ROOT / room).rglob("*.py"))
TEMPLATES = sorted((ROOT / "reports" / "page" / "templates").glob("*.html.j2"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page(page):
    assert odd_words((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages(path):
    texts = texts_of(path.read_text(encoding="utf-8"))
    assert [f"line {line}: {odd}" for line, text in texts for odd in odd_words(text)] == []


def test_what_a_file_is():
    assert {path: odd for path, line in first_lines() if (odd := odd_words(line))} == {}


def test_the_targets_of_make():
    helps = re.findall("^[a-z-]+:.*## (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert len(helps) > 15
    assert {text: odd for text in helps if (odd := odd_words(text))} == {}


@pytest.mark.parametrize("group", [main, cli], ids=["r3cnn", "reports"])
def test_helps(group):
    found = dict(helps(group))
    assert len(found) > 5
    assert {name: odd_words(text) for name, text in found.items() if odd_words(text)} == {}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_the_page_of_the_report(path):
    shown = re.sub(r"\{[%{].*?[%}]\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    assert odd_words(shown) == []


@pytest.mark.parametrize("name", ["tables", "controls", "heads", "rates", "sweep"])
def test_captions_of_tables(name):
    assert odd_words((ROOT / "reports" / f"{name}.yaml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    ["x.py: SyntaxError; mend it", "It stands beside the trunk.", "no picture", "trained anew"],
)
def test_an_odd_word_is_found(text):
    assert odd_words(text)
    assert [odd_words(found) for _, found in texts_of(f"raise E({'a ' + text!r})")] != [[]]


def test_code_and_docstrings_are_left_out():
    assert odd_words("`--trunk` is old; `make continue` stands for it") == []
    assert not list(texts_of('"""It stands here."""\ndef f():\n    """Beside it."""'))


def test_two_pages_say_the_same_about_random_draws():
    for page in ("extending", "fidelity"):
        assert "generators of our own" in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
