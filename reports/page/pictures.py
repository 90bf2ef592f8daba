"""The images of README and docs: the page as a browser renders it, and charts of costs."""

import tempfile
from pathlib import Path

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_if_changed

from ..claims.spec import load_claims
from ..figures.cost import ap_over_cost, ap_over_parameters
from ..results.load import load_results
from ..results.provenance import present_sources
from ..results.setting import setting_of
from ..tables.spec import load_spec
from .html import build_report, write_report

WIDTH, SCALE = 1600, 2
# not of all images: those in closed parts of the page are loaded when they are opened
DECODED = "Promise.all([...document.querySelectorAll('#figure2 img')].map(image => image.decode()))"


def write_costs(results: Path, out: Path) -> list[Path]:
    """Write the charts of AP over parameters and over multiply-adds as SVG. Raises: UserError."""
    loaded = load_results(results)
    setting = setting_of(loaded)
    charts = (ap_over_parameters(loaded, setting), ap_over_cost(loaded, setting))
    return [write_if_changed(out / f"{chart.name}.svg", chart.svg()) for chart in charts]


def write_pictures(tables: Path, table: str, results: Path, out: Path) -> list[Path]:
    """Write figure2.png and <table>.png of a results folder. Raises: UserError."""
    try:
        from .chromium import Browser, find_chromium
    except ModuleNotFoundError as error:
        raise UserError(
            f"pictures need {error.name}, which is not installed; pip install playwright"
        ) from error
    path = find_chromium()
    if path is None:
        raise UserError("no Chromium on this machine; on Debian: apt-get install chromium")
    spec, loaded = load_spec(tables), load_results(results)
    if table not in spec.tables:
        raise UserError(f"--table {table}: {tables} has no such table; it has {[*spec.tables]}")
    report = build_report(spec, load_claims(), loaded, present_sources())
    wanted = {"figure2": "#figure2 figure img", table: f"#{table} .scroll table"}
    with tempfile.TemporaryDirectory() as folder:
        write_report(report, loaded, Path(folder))
        with Browser(path, WIDTH, 1000, SCALE) as browser:
            browser.open(Path(folder, "index.html"))
            browser.evaluate(DECODED)
            found = {name: browser.picture(selector) for name, selector in wanted.items()}
    return [write_if_changed(out / f"{name}.png", content) for name, content in found.items()]
