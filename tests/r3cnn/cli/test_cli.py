"""The command line: help at once, mistakes in one line, exit codes."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from r3cnn.cli.main import main
from reports.__main__ import cli
from tests.r3cnn import tiny


def commands(group: click.Group = main, path: tuple = ()):
    """All (words, command), groups too."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands())


def run(*arguments: object):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def mistake(*arguments: object) -> str:
    """The one line on the error stream of a command that a user got wrong."""
    done = run(*arguments)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert not done.stdout
    return line.removeprefix("error: ")


def misuse(*arguments: object) -> str:
    """What click says of arguments that it cannot read; its exit code is 2."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    return done.stderr


@pytest.mark.parametrize("group", [main, cli], ids=["r3cnn", "reports"])
def test_a_caller_may_ask_for_the_exception(group):
    """Both values of click's standalone_mode."""
    with pytest.raises(click.UsageError):
        group.main(["absent"], standalone_mode=False)
    with pytest.raises(SystemExit) as ended:
        group.main(["absent"], standalone_mode=True)
    assert ended.value.code == 2


# --------------------------------------------------------------------------------- help


def test_every_command_is_here():
    names = {" ".join(path) for path in EVERY}
    expected = {"", "data", "data shapes", "data check", "resolve", "train", "predict", "score"}
    assert names >= expected | {"measure", "sources"}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_says_what_and_shows_an_example(path, flag):
    done = run(*path, flag)
    assert done.exit_code == 0
    command = " ".join(("python -m r3cnn", *path))
    if path == ("report",):  # the help is the reports' own
        command = "python -m reports"
    group = isinstance(EVERY[path], click.Group)
    assert "Commands:" in done.stdout or not group
    if path != ("data",):  # its two commands have their own
        example = done.stdout.partition("Example")[2].partition("Options:")[0]
        assert command in example
        for option in EVERY[path].params:
            if option.required and isinstance(option, click.Option):
                assert option.opts[0] in example, f"the example lacks {option.opts[0]}"


@pytest.mark.parametrize("path", [path for path in EVERY if isinstance(EVERY[path], click.Group)])
def test_summaries_are_whole_and_in_the_order_of_the_work(path):
    listed = run(*path, "--help").stdout.partition("Commands:\n")[2].splitlines()
    names = [name for name, one in EVERY[path].commands.items() if not one.hidden]
    assert [line.split()[0] for line in listed] == names
    assert not [line for line in listed if line.endswith("...")]


@pytest.mark.parametrize("path", [path for path in EVERY if path != ("report",)], ids=" ".join)
def test_examples_are_not_wrapped(path):
    shown = re.sub(r"\s+\n", "\n", run(*path, "--help").stdout)
    for example in re.findall(r"^ *(python -m r3cnn .*)$", EVERY[path].help, re.MULTILINE):
        assert f" {example}\n" in shown


@pytest.mark.parametrize("command", ["predict", "measure"])
def test_the_help_says_that_loops_take_several_values(command):
    assert re.search(r"--loops N\.\.\. .*one or\s+several", run(command, "-h").stdout, re.DOTALL)


def test_the_version_is_printed():
    assert run("--version").stdout.endswith(f"version {version('r3cnn')}\n")


@pytest.mark.parametrize("path", [path for path in EVERY if path], ids=" ".join)
def test_every_option_has_a_help_or_speaks_for_itself(path):
    for option in EVERY[path].params:
        if isinstance(option, click.Option):
            assert option.help or option.name in {"seed", "launcher"}


def test_help_loads_no_torch():
    """All helps in one fresh process, the imports of the command line included."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from r3cnn.cli.main import main\n"
        f"for path in {[list(path) for path in EVERY]}:\n"
        "    assert CliRunner().invoke(main, [*path, '--help']).exit_code == 0\n"
        "heavy = {'torch', 'mmdet', 'mmcv', 'mmengine', 'numpy', 'pycocotools', 'pyarrow', 'cv2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# ----------------------------------------------------------------------- a user's mistakes


def test_a_process_ends_with_one_line_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "r3cnn", "resolve", "--training", "r3_nave_inc"]
    done = subprocess.run(
        [*command, "--scale", "smoke", "--out", str(tmp_path / "c.py")],
        cwd=tiny.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --training r3_nave_inc: unknown id; expected one of mask_1x, ")
    assert line.endswith("(did you mean r3_naive_inc?)")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["resolve", "measure"])
def test_an_unknown_training(tmp_path, command):
    scale = ["--scale", "smoke"] if command == "resolve" else []
    line = mistake(command, "--training", "htc_gcn", *scale, "--out", tmp_path / "x")
    assert line.startswith(
        "--training htc_gcn: unknown id; expected one of mask_1x, mask_3x, htc, "
    )
    assert line.endswith("(did you mean htc_dcn?)") or line.endswith("(did you mean htc_gcnet?)")


def test_an_unknown_scale(tmp_path):
    line = mistake("resolve", "--training", "htc", "--scale", "smok", "--out", tmp_path / "x")
    assert "unknown scale 'smok'" in line
    assert line.endswith("(did you mean smoke?)")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "expected the keys classes, root, splits"),
        ('{"root": "x"}', "expected the keys classes, root, splits"),
        ('{"root": 1, "classes": [], "splits": {}}', "root: found 1, expected a str"),
        (
            '{"root": "x", "classes": [], "splits": {"val": {}}}',
            "splits.val: expected image_bytes, image_count, sha256",
        ),
    ],
)
def test_data_that_was_not_checked(tmp_path, content, cause):
    data = tmp_path / "data.json"
    if content is not None:
        data.write_text(content)
    arguments = ["--training", "htc", "--scale", "smoke", "--data", data, "--out", tmp_path / "x"]
    line = mistake("resolve", *arguments)
    assert line.startswith(f"{data}: {cause}")
    assert line.endswith("make it with `python -m r3cnn data check`")


def test_shapes_of_a_scale_that_reads_a_folder(tmp_path):
    line = mistake("data", "shapes", "--scale", "paper", "--out", tmp_path / "x")
    assert "paper.yaml: data: reads a folder" in line


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["train", "--config", "none.py", "--out", "o", "--state", "s"], "none.py: no such config"),
        (
            ["predict", "--config", "none.py", "--checkpoint", "c", "--loops", "1", "--out", "o"],
            "none.py: no such config",
        ),
        (
            ["score", "--predictions", "n", "--loops", "1", "--annotations", "a", "--out", "o"],
            "n: no such predictions file",
        ),
        (["data", "check", "--data", "none", "--out", "o"], "none"),
        (
            ["resolve", "--training", "x", "--scale", "smoke", "--catalogue", "n", "--out", "o"],
            "n: cannot read this file",
        ),
    ],
)
def test_files_that_are_not_there(arguments, cause, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mistake(*arguments).startswith(cause)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    def fail(part):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("r3cnn.core.source_hash.source_hash", fail)
    done = run("sources")
    assert done.exit_code == 1
    assert isinstance(done.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments",
    [["resolve"], ["nothing"], ["resolve", "--trainin", "htc"], ["train", "--launcher", "mpi"]],
)
def test_arguments_that_are_none(arguments):
    said = misuse(*arguments)
    assert said.startswith("Usage: ")
    assert said.splitlines()[-1].startswith("error: ")


def test_a_config_without_its_checkpoint():
    arguments = ["--training", "htc", "--config", "c.py", "--out", "o"]
    assert "--config and --checkpoint go together" in misuse("measure", *arguments)


# -------------------------------------------------------------------------------- --loops


@pytest.fixture
def asked(monkeypatch, tmp_path) -> dict:
    """What `predict` is called with, in place of predicting."""
    found = {}

    def predict(cfg, checkpoint, loops, out, *_):
        found.update(cfg=cfg, checkpoint=str(checkpoint), loops=loops, out=str(out))
        return True  # not interrupted

    monkeypatch.setattr("r3cnn.evaluation.predict.predict", predict)
    monkeypatch.setattr("r3cnn.config.load.load_config", lambda path: str(path))
    return found


@pytest.mark.parametrize("state", [True, False])
def test_a_prediction_that_can_resume_ends_with_its_parent(asked, monkeypatch, tmp_path, state):
    called = []
    monkeypatch.setattr("r3cnn.training.stopping.end_with_parent", lambda: called.append(True))
    monkeypatch.setattr("r3cnn.training.stopping.StopRequest.listen", lambda _: None)
    resumable = ["--state", tmp_path] if state else []
    run("predict", "--config", "c", "--checkpoint", "w", "--out", "o", "--loops", "1", *resumable)
    assert called == [True] * state


@pytest.mark.parametrize(
    ("arguments", "loops"),
    [
        (["--loops", "1", "2", "3"], (1, 2, 3)),
        (["--loops", "3"], (3,)),
        (["--loops", "1", "--loops", "5", "2"], (1, 5, 2)),
        (["--loops=4"], (4,)),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_loops_take_several_numbers(asked, arguments, loops, last):
    others = ["--config", "c", "--checkpoint", "w", "--out", "o"]
    done = run("predict", *(others + arguments if last else arguments + others))
    assert done.exit_code == 0, done.output
    assert asked == {"cfg": "c", "checkpoint": "w", "loops": loops, "out": "o"}


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--loops", "1", "two"], "Invalid value for '--loops': 'two' is not a valid integer"),
        (["--loops", "two"], "Invalid value for '--loops': 'two' is not a valid integer"),
        (["--loops", "1", "0"], "Invalid value for '--loops': 0 is not in the range x>=1"),
        (["--loops", "1", "-2"], "Invalid value for '--loops': -2 is not in the range x>=1"),
        (["--loops", "1.5"], "Invalid value for '--loops': '1.5' is not a valid integer"),
        (["--loops"], "Option '--loops' requires an argument"),
        ([], "Missing option '--loops'"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_loops_that_are_no_numbers(asked, arguments, cause, last):
    others = ["--config", "c", "--checkpoint", "w", "--out", "o"]
    assert cause in misuse("predict", *(others + arguments if last else arguments + others))
    assert not asked


@pytest.mark.parametrize(("loops", "expected"), [([], (1, 2, 3, 4, 5)), (["--loops", 2], (2,))])
def test_measure_times_the_loops_of_the_evaluation(monkeypatch, tmp_path, loops, expected):
    found = []
    monkeypatch.setattr(
        "r3cnn.measuring.measure.measure",
        lambda *arguments, alone: found.append((arguments, alone)),
    )
    monkeypatch.setattr("r3cnn.config.load.load_config", lambda path: str(path))
    options = ["--config", "c", "--checkpoint", "w", "--out", "o"]
    for beside in ([], ["--beside-others"]):
        done = run("measure", "--training", "r3_naive_inc", *options, *loops, *beside)
        assert done.exit_code == 0, done.output
    assert [alone for _, alone in found] == [True, False]
    for arguments, _ in found:
        assert arguments[0] == "r3_naive_inc"
        assert arguments[1].r3cnn.scale == "paper"
        assert tuple(arguments[5]) == expected


# ------------------------------------------------------------------------- what they write


def test_resolve_writes_the_config(shapes, tmp_path):
    """The very text that this process makes: nothing depends on the process."""
    from r3cnn.catalogue.scales import load_scale
    from r3cnn.config.resolve import resolve

    data, out = tmp_path / "data.json", tmp_path / "config.py"
    data.write_text(json.dumps(shapes))
    command = [sys.executable, "-m", "r3cnn", "resolve", "--training", "r3_advanced", "--seed", "7"]
    subprocess.run(
        [*command, "--scale", "smoke", "--data", str(data), "--out", str(out)],
        cwd=tiny.ROOT,
        capture_output=True,
        check=True,
    )
    entry, scale = tiny.entry("r3_advanced"), load_scale("smoke")
    assert out.read_text() == resolve(entry, scale, 7, shapes).pretty_text


def test_resolve_checks_every_row_of_a_catalogue(tmp_path):
    catalogue = tmp_path / "mine.yaml"
    good = "one: {model: r3_naive, iou: [0.5]}"
    catalogue.write_text(
        f"trainings:\n  {good}\n  two: {{model: htc, options: {{model.nekc: 1}}}}\n"
    )
    given = ["--scale", "smoke", "--catalogue", catalogue]
    assert mistake("resolve", *given).startswith(f"{catalogue}: two: options: model.nekc: ")
    catalogue.write_text(f"trainings:\n  {good}\n")
    done = run("resolve", *given)
    assert done.exit_code == 0
    assert "rows that can be trained: 18;" in done.stdout  # the paper's and this one
    line = mistake("resolve", "--scale", "smoke")
    assert "--training" in line
    assert "--catalogue" in line
    assert [path.name for path in tmp_path.iterdir()] == [catalogue.name]
    line = mistake("resolve", *given, "--out", tmp_path / "x")
    assert line.startswith(f"--out {tmp_path / 'x'}: ")
    assert "--training" in line


def test_mmdet_is_imported_without_a_word():
    code = (
        "from r3cnn.cli.common import import_mmdet as i; i(); import mmdet.models, mmdet.datasets"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, check=True
    )
    assert "OneDL" not in str(done.stdout + done.stderr)
    code = "import mmdet.datasets"  # it still speaks by itself, or the above would show nothing
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, check=True
    )
    assert "OneDL" in str(done.stdout + done.stderr)


def test_resolve_asks_the_evaluation_too(tmp_path):
    catalogue = tmp_path / "mine.yaml"
    catalogue.write_text("trainings:\n  mine: {model: htc}\n")
    options = ["--scale", "smoke", "--catalogue", catalogue, "--out", tmp_path / "x"]
    line = mistake("resolve", "--training", "mine", *options)
    assert line == (
        f"{catalogue}: evaluations: mine: loops: missing; the model 'htc' always runs 3, expected [3]"
    )
    catalogue.write_text("evaluations:\n  mask_1x: {loops: [2]}\n")
    line = mistake("resolve", "--training", "mask_1x", *options)
    assert line.startswith(
        f"{catalogue}: evaluations: mask_1x: loops: found [2]; the model 'mask_r"
    )


def test_sources_prints_the_hash():
    from r3cnn.core.source_hash import source_hash

    lines = [line.split() for line in run("sources").stdout.splitlines()]
    assert {line[0]: line[-1] for line in lines} == {
        part: source_hash(part) for part in ("training", "prediction", "scoring")
    }


def test_shapes_and_check(tmp_path):
    scale = tmp_path / "tiny.yaml"
    text = (tiny.ROOT / "experiments" / "scales" / "smoke.yaml").read_text()
    text, changed = re.subn(r"train: \d+, val: \d+", "train: 2, val: 1", text)
    assert changed == 1
    scale.write_text(text)
    assert run("data", "shapes", "--scale", scale, "--out", tmp_path / "d").exit_code == 0
    done = run("data", "check", "--data", tmp_path / "d", "--out", tmp_path / "data.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "data.json").read_text())
    assert found["splits"]["train"]["image_count"] == 2
