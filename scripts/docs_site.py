"""What the documentation site has beside docs/*.md: the pages of the root, the commands and the modules.

A hook of mkdocs.yml; `make docs` builds the site.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from r3cnn_reports.__main__ import cli as reports

from r3cnn.cli.main import main as r3cnn

ROOT = Path(__file__).resolve().parent.parent
# index.md and a README.md would be one page of the site
OF_THE_ROOT = {
    "README.md": "start.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<to>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, and those of the reference, which the code makes."""
    made = {
        page: _moved((ROOT / name).read_text(encoding="utf-8"))
        for name, page in OF_THE_ROOT.items()
    }
    made["reference/commands.md"] = "# Commands\n\n" + "\n".join(_commands())
    for package in ("r3cnn", "reports"):
        rooms = sorted(path.parent.name for path in (ROOT / package).glob("*/__init__.py"))
        lines = [f"# The modules of {package}", *(f"::: {package}.{room}" for room in rooms)]
        made[f"reference/{package}.md"] = "\n\n".join(lines) + "\n"
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def _commands() -> Iterator[str]:
    """The help of each command, as the terminal shows it."""
    for group, name in ((r3cnn, "r3cnn"), (reports, "r3cnn report")):
        yield from _helps(group, name, None)


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent, name, max_content_width=100)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found and not found.hidden and inner != "report":  # its own help follows
                yield from _helps(found, inner, context)


def _moved(text: str) -> str:
    """A page of the root as if it were in docs/."""
    return re.sub(r"\]\(docs/", "](", text).replace('src="docs/', 'src="')


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to pages of the root stay; those to other files of the checkout become their text."""

    def mend(found: re.Match[str]) -> str:
        target = found["to"]
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        target = target.removeprefix("../")
        target = OF_THE_ROOT.get(target, target)
        if files.get_file_from_path(target) is None:
            return found["text"]
        return f"[{found['text']}]({target}{found['anchor'] or ''})"

    return markdown if page.file.src_uri.startswith("reference/") else LINK.sub(mend, markdown)
