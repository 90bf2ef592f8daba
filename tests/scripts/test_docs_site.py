"""The documentation site: every page and every command, without a warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from r3cnn.core.layout import CHECKOUT
from reports.__main__ import COMMANDS

pytestmark = pytest.mark.slow


def test_the_site_holds_every_page_and_command(tmp_path):
    pytest.importorskip("mkdocs", reason="no mkdocs here (make docs installs it)")
    # as make docs calls it: with -m the checkout would be found in any case
    mkdocs = Path(sys.executable).with_name("mkdocs")
    command = [mkdocs, "build", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # strict: a warning ends it
    pages = {path.stem for path in (CHECKOUT / "docs").glob("*.md")} | {"start", "CHANGELOG"}
    assert pages <= {path.stem for path in tmp_path.glob("*.html")}
    text = (tmp_path / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f"r3cnn report {name}" in text for name in COMMANDS)
    modules = (tmp_path / "reference" / "r3cnn.html").read_text(encoding="utf-8")
    assert 'id="r3cnn.models.roi_head.R3RoIHead"' in modules


def test_the_navigation_names_every_page():
    content = (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(content)["nav"]
    named = {
        page
        for part in nav
        for page in ([part] if isinstance(part, str) else next(iter(part.values())))
    }
    pages = {path.name for path in (CHECKOUT / "docs").glob("*.md")}
    assert pages <= named
