"""The LaTeX of every table compiles, hostile strings included."""

import shutil
import subprocess
from pathlib import Path

import pytest

from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.tables.build import build_tables
from reports.tables.files import write_tables
from reports.tables.spec import load_spec
from tests.reports.folders import SOURCES, ResultFolder

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DOCUMENT = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx,textcomp}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def pdflatex() -> str:
    path = shutil.which("pdflatex")
    if path is None:
        pytest.skip("no TeX on this machine (on Debian: apt-get install texlive-latex-recommended)")
    return path


def compiled(pdflatex: str, folder: Path, files: list[Path]) -> str:
    body = "\n".join(rf"\input{{{path.name}}}\clearpage" for path in files)
    (folder / "all.tex").write_text(DOCUMENT % body)
    done = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "all.pdf").read_bytes().startswith(b"%PDF")
    return done.stdout


@pytest.mark.parametrize("spec", [None, GOLDEN / "small.yaml"], ids=["paper", "hostile"])
def test_every_table_compiles(
    paper: ResultFolder, tmp_path: Path, pdflatex: str, spec: Path | None
) -> None:
    paper.train("mask_1x")
    paper.score("mask_1x", 1, 0.382, 0.347)
    for seed in (0, 1):
        paper.score("htc", 3, 0.41 + seed / 100, 0.36, seed=seed)
        paper.resample("htc", 3, 0.41, seed=seed)
    paper.score("hostile", 2, 0.1, None)
    paper.measure("mask_1x", device="GPU <A> & B_1 100% #2 ~x^y \\z {q} é")
    results = load_results(paper.path)
    tables = build_tables(
        load_spec(spec) if spec else load_spec(), results, setting_of(results), SOURCES
    )
    out = tmp_path / "tables"
    files = [path for path in write_tables(tables, out) if path.suffix == ".tex"]
    said = compiled(pdflatex, out, files)
    assert "Missing character" not in said


def test_a_fault_is_found(tmp_path: Path, pdflatex: str) -> None:
    (tmp_path / "bad.tex").write_text(r"\begin{table} a & b \end{table}")
    with pytest.raises(AssertionError):
        compiled(pdflatex, tmp_path, [tmp_path / "bad.tex"])
