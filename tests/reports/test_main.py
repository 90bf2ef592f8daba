"""The command line: files, exit codes, and mistakes in one line."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from r3cnn.core.layout import REPORT_CHARTS
from reports.__main__ import COMMANDS, cli
from reports.tables.spec import load_spec
from tests.reports.folders import ResultFolder


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_tables_writes_every_table_in_every_format(smoke: ResultFolder, tmp_path: Path) -> None:
    result = call("tables", "--results", smoke.path, "--out", tmp_path / "new" / "out")
    assert result.exit_code == 0, result.output
    tables = ("table1", "table2", "table3", "table4", "other")
    expected = {f"{table}.{suffix}" for table in tables for suffix in ("csv", "md", "tex")}
    assert names(tmp_path / "new" / "out") == expected
    assert len(result.stdout.splitlines()) == len(expected)


def test_only_some_tables(smoke: ResultFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("tables", "--only", "table2", "--results", smoke.path, "--out", out).exit_code == 0
    assert names(out) == {"table2.csv", "table2.md", "table2.tex"}


def test_figure2_and_its_options(smoke: ResultFolder, tmp_path: Path) -> None:
    smoke.histogram("mask_3x", 1)
    out = tmp_path / "out"
    assert call("figure2", "--results", smoke.path, "--out", out).exit_code == 0
    assert names(out) == {"figure2.svg", "figure2.pdf", "figure2.png"}
    before = (out / "figure2.svg").read_bytes()
    options = ("--assignment", "mask", "--view", "sampled", "--iou-from", "0.3")
    assert call("figure2", *options, "--results", smoke.path, "--out", out).exit_code == 0
    assert (out / "figure2.svg").read_bytes() != before


def test_the_log_says_nothing_of_fonts(smoke: ResultFolder, tmp_path: Path) -> None:
    arguments = ["figure2", "--results", str(smoke.path), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "r3cnn", "report", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert (tmp_path / "figure2.pdf").is_file()
    assert "glyf" not in done.stderr


def test_html_writes_all_and_leaves_unchanged_files_alone(
    smoke: ResultFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert call("html", "--results", smoke.path, "--out", out).exit_code == 0
    tables = {f"table{n}.{suffix}" for n in (1, 2, 3, 4) for suffix in ("csv", "md", "tex")}
    figures = {"figure2.svg", "figure2.pdf", "figure2.png"}
    others = {"other.csv", "other.md", "other.tex", "claims.csv", "results.parquet"}
    charts = {f"{name}.{suffix}" for name in REPORT_CHARTS for suffix in ("svg", "csv")}
    assert names(out) == {"index.html", "plotly.min.js"} | tables | figures | charts | others
    dates = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / "index.html").unlink()
    assert call("html", "--results", smoke.path, "--out", out).exit_code == 0
    changed = {path.name for path in out.iterdir() if path.stat().st_mtime_ns != dates[path.name]}
    assert changed == {"index.html"}


def test_html_without_tables(smoke: ResultFolder, tmp_path: Path) -> None:
    smoke.score("mine", 3, 0.2, 0.1)
    out = tmp_path / "out"
    assert call("html", "--no-tables", "--results", smoke.path, "--out", out).exit_code == 0
    assert "table1.csv" not in names(out)
    assert "mine" in (out / "other.csv").read_text()


def test_claims_are_the_same_as_those_of_html(smoke: ResultFolder, tmp_path: Path) -> None:
    for command in ("claims", "html"):
        assert call(command, "--results", smoke.path, "--out", tmp_path / command).exit_code == 0
    alone, of_page = (tmp_path / command / "claims.csv" for command in ("claims", "html"))
    assert alone.read_bytes() == of_page.read_bytes()
    assert names(tmp_path / "claims") == {"claims.csv"}


def test_commands_name_the_users_catalogue(smoke: ResultFolder, tmp_path: Path) -> None:
    smoke.score("mine", 3, 0.2, 0.1)
    out = tmp_path / "out"
    arguments = ("html", "--catalogue", "my rows.yaml", "--results", smoke.path, "--out", out)
    assert call(*arguments).exit_code == 0
    assert "&#39;catalogue=my rows.yaml&#39;" in (out / "index.html").read_text()
    assert b"catalogue" not in (out / "figure2.svg").read_bytes()


@pytest.mark.parametrize("command", ["tables", "figure2", "claims", "html"])
def test_a_mistake_is_one_line_and_exit_code_1(command: str, tmp_path: Path) -> None:
    result = call(command, "--results", tmp_path / "absent", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "absent: no such folder" in line
    assert not (tmp_path / "out").exists()


def test_an_unknown_table_is_named(smoke: ResultFolder, tmp_path: Path) -> None:
    result = call("tables", "--only", "table9", "--results", smoke.path, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "--only table9" in result.stderr
    assert "table1" in result.stderr


def test_an_out_that_cannot_be_written(smoke: ResultFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    result = call("tables", "--results", smoke.path, "--out", out)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_shows_an_example_that_can_be_pasted(command: list[str], flag: str) -> None:
    result = call(*command, flag)
    assert result.exit_code == 0
    (example,) = result.output.partition("Example:\n")[2].strip().splitlines()
    words = example.removeprefix("python -m reports ").split()
    assert words[: len(command)] == command
    assert "--out" in words or "--results" in words or words[0] == "compare"


def test_summaries_are_whole_and_in_the_order_of_the_work() -> None:
    listed = call("--help").output.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == [*COMMANDS]
    assert set(COMMANDS) == set(cli.commands)
    assert not [line for line in listed if line.endswith("...")]


@pytest.mark.parametrize("arguments", [["tabls"], ["tables"], ["tables", "--only"]])
def test_unreadable_arguments_are_spelled_as_errors_are(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_help_loads_nothing_heavy(repository: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "reports", "--help"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert "python -m reports [OPTIONS]" in done.stdout
    assert "pandas" not in done.stderr
    assert "matplotlib" not in done.stderr


def test_rendering_everything_takes_at_most_15_seconds(
    smoke: ResultFolder, tmp_path: Path, repository: Path
) -> None:
    """All of the paper's evaluations, in the sizes of scale smoke; a core's seconds, of 2 x 15."""
    evaluations = sorted(load_spec().evaluations())
    for training in sorted({training for training, _ in evaluations}):
        smoke.train(training)
        smoke.measure(training)
        smoke.histogram(training, 3, epochs=4)
        smoke.curve(training, 40)
        smoke.gallery(training, 3)
        smoke.config(training, "\n".join(f"{training}_{n % 7} = {n}" for n in range(400)))
    for training, loops in evaluations:
        smoke.score(training, loops, 0.1, 0.1)
        smoke.resample(training, loops, 0.1)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "reports", "html", "--results", smoke.path, "--out", tmp_path]
    subprocess.run(command, cwd=repository, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 15
