"""The logic of the rows, at small size; no time is judged."""

import json
import subprocess
import types
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from r3cnn.bench import (
    advanced,
    encoding,
    nested,
    operators,
    rows,
    scoring,
    table,
    timing,
    train_step,
)
from r3cnn.bench.models import Images, Step, config, sample_fewer
from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.ops import plain


@pytest.fixture(scope="module")
def images() -> Images:
    return Images(96, 64, 4)


def sound(row: dict) -> bool:
    return row["ratio"] > 0 and all(len(of["seconds"]) == 1 for of in row["times"].values())


# -------------------------------------------------------------------------------- the clock


def test_ways_run_in_turn_after_a_warm_up():
    ran = []
    times = timing.in_turn({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, 2)
    assert ran == ["a", "b"] * 3
    assert {name: len(of["seconds"]) for name, of in times.items()} == {"a": 2, "b": 2}


def test_preparing_is_outside_of_the_clock(monkeypatch):
    ran, clock = [], [0.0]

    def passing(name: str, seconds: float) -> None:
        ran.append(name)
        clock[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    ways = {"a": lambda: passing("a", 2), "b": lambda: passing("b", 3)}
    times = timing.in_turn(ways, 1, prepare=lambda: passing("-", 100))
    assert ran == ["-", "a", "-", "b"] * 2
    assert [of["seconds"] for of in times.values()] == [[2], [3]]


def test_a_ratio_is_that_of_the_medians():
    times = {
        "a": {"seconds": [1.0, 3.0, 100.0], "cpu_seconds": [1.0] * 3},
        "b": {"seconds": [2.0, 2.0, 2.0], "cpu_seconds": [4.0] * 3},
    }
    row = timing.row("x", "y", times, aim=0.5)
    assert (row["ratio"], row["cpu_ratio"], row["aim"]) == (1.5, 0.25, 0.5)


# ------------------------------------------------------------------------ file and table


def test_rows_are_kept_beside_each_other(tmp_path):
    out = tmp_path / "bench.json"
    plain = {"what": "x", "against": "y", "aim": 1.0, "ratio": 1.25}
    table.add(out, {"a": plain})
    content = table.add(out, {"b": {**plain, "ratio": 0.5, "found": {"more": 0.123456}}})
    assert json.loads(out.read_text()) == content
    assert content["rows"]["a"]["measured"].keys() >= {"device", "versions", "git_commit", "end"}
    text = table.render(content)
    assert "1.250" in text
    assert "missed x / y" in text
    assert "met    x / y" in text
    assert "found: more 0.1235" in text


def test_the_file_itself_makes_no_commit_dirty(tmp_path, monkeypatch):
    """`make bench` writes a file that git tracks, row after row."""
    monkeypatch.setattr(table, "PACKAGE", tmp_path / "package")
    monkeypatch.setattr(table.provenance, "PACKAGE", tmp_path / "package")
    out, source = tmp_path / "measured" / "bench.json", tmp_path / "package" / "a.py"
    for path in (out, source):
        path.parent.mkdir()
        path.write_text('{"rows": {}}')
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    row = {"what": "x", "against": "y", "ratio": 1.0}
    commits = []
    for name in "abc":
        content = table.add(out, {name: row})
        commits.append(content["rows"][name]["measured"]["git_commit"])
        if name == "b":
            source.write_text("x = 1")
    assert len(commits[0]) == 40
    assert commits == [commits[0], commits[0], f"{commits[0]}-dirty"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a file of `bench`"),
        ('{"rows', "not a file of `bench`"),
        ('{"models": {}}', "not a file of `bench`"),
        ('{"rows": {"a": {}}}', "row a: what: expected text"),
        ('{"rows": {"a": 1}}', "row a: what: expected text"),
        (
            '{"rows": {"a": {"what": "x", "against": "y", "ratio": "1"}}}',
            "row a: ratio: expected a number",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    done = CliRunner().invoke(main, ["bench", "--list", "--out", str(path)])
    assert done.exit_code == 1
    assert f"{path}: {message}" in done.output
    assert "remove" in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("ratio", "aim", "seconds", "seconds_aim", "expected"),
    [
        (1.0, None, None, None, ""),
        (1.0, 1.0, None, None, "met"),
        (1.1, 1.0, None, None, "missed"),
        (1.0, 2.0, 30.0, 30, "met"),
        (1.0, 2.0, 30.1, 30, "missed"),
        (3.0, 2.0, 1.0, 30, "missed"),
        (1.0, None, 31.0, 30, "missed"),
    ],
)
def test_every_aim_of_a_row_is_judged(ratio, aim, seconds, seconds_aim, expected):
    row = {"what": "x", "against": "y", "ratio": ratio, "aim": aim}
    row |= {"seconds_of_the_larger": seconds, "seconds_aim": seconds_aim}
    assert table.verdict(row) == expected


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(
        rows.ROWS, "score", lambda: {"what": "x", "against": "y", "ratio": 0.25, "aim": 0.1}
    )
    out = str(tmp_path / "bench.json")
    done = CliRunner().invoke(main, ["bench", "score", "--out", out])
    assert done.exit_code == 0
    assert "0.250" in done.output
    assert CliRunner().invoke(main, ["bench", "--list", "--out", out]).output == done.output
    wrong = CliRunner().invoke(main, ["bench", "scor", "--out", out])
    assert wrong.exit_code == 1
    assert "unknown row scor" in wrong.output
    assert "did you mean score?" in wrong.output


# ------------------------------------------------------------------------------- training


def test_a_step_repeats_itself_and_counts(images):
    step = Step(sample_fewer(config("r3_naive_inc", images, "smoke"), 16))
    weights = [value.clone() for value in step.detector.parameters()]
    step()
    once = step.taps.histogram.counts.clone()
    step()
    assert once.sum() > 0
    assert torch.equal(step.taps.histogram.counts, 2 * once)
    assert all(torch.equal(a, b) for a, b in zip(weights, step.detector.parameters(), strict=True))


def test_the_counting_of_a_step_is_timed_alone(images, monkeypatch):
    step = Step(sample_fewer(config("r3_naive_inc", images, "smoke"), 16))
    calls, clock, add = [], [0.0], step.taps.histogram.add_sampling

    def slow(*given) -> None:
        calls.append(given)
        clock[0] += 1
        add(*given)

    step.taps.histogram.add_sampling = slow
    run, spent = train_step.watched(step)
    monkeypatch.setattr(train_step.time, "perf_counter", lambda: clock[0])
    run()
    one = len(calls)
    clock[0] += 100
    run()
    assert one > 0
    assert spent == [one, one]
    assert step.taps.histogram.counts.sum() > 0


def test_rows_of_training(images, monkeypatch):
    built = []
    monkeypatch.setattr(
        train_step, "Step", lambda cfg, counted=True: built.append(cfg) or Step(cfg, counted)
    )
    assert sound(train_step.naive(1, images, "smoke"))
    assert built[1].model.roi_head.type == "HybridTaskCascadeRoIHead"
    assert {stage.sampler.num for stage in built[1].model.train_cfg.rcnn} == {128}
    assert built[0].model.train_cfg.rcnn.sampler.num == 128
    row = train_step.counting(1, images, "smoke")
    assert sound(row)
    assert row["counting_of_a_step"] == pytest.approx(
        row["counting_seconds"] / row["times"]["uncounted"]["seconds"][0]
    )
    assert sound(advanced.train(1, images, "smoke"))


def test_a_row_of_the_operators(images, monkeypatch):
    """Two implementations in turn, whatever is compiled here; mmcv keeps the one that it had."""
    other = types.SimpleNamespace(**vars(plain))
    users, ran = operators._users(), []
    for module, name in ((plain, "plain"), (other, "other")):
        compute = module.roi_align_forward
        watched = lambda *g, c=compute, n=name, **k: ran.append(n) or c(*g, **k)  # noqa: E731
        monkeypatch.setattr(module, "roi_align_forward", watched)
    before = [user.ext_module for user in users]
    row = operators.compare("mask_1x", other, "other", 1.1, 1, images, "smoke")
    assert sound(row)
    assert list(dict.fromkeys(ran)) == ["plain", "other"]
    assert ran.count("plain") == ran.count("other")
    assert [user.ext_module for user in users] == before


def test_a_row_without_what_it_compares_is_left_out(tmp_path, monkeypatch):
    """The other rows are measured, and the file's earlier row of that name stays."""
    monkeypatch.setattr(operators, "is_compiled", lambda: False)
    monkeypatch.setitem(rows.ROWS, "score", lambda: {"what": "x", "against": "y", "ratio": 0.25})
    out = str(tmp_path / "bench.json")
    done = CliRunner().invoke(main, ["bench", "operators-dcn", "score", "--out", out])
    assert done.exit_code == 0
    assert "operators-dcn        left out: no compiled operators" in done.output
    assert "OPS=compiled make setup" in done.output
    assert set(json.loads(Path(out).read_text())["rows"]) == {"score"}


def test_both_ways_of_counting_count_the_same():
    row = train_step.host_lists(rounds=1, times=2)
    assert row["host_lists_cost_times"] == pytest.approx(1 / row["ratio"])
    iou = torch.rand(500, generator=torch.Generator().manual_seed(0))
    lists: list[float] = []
    train_step.extend_lists(lists, iou)
    histogram = train_step.IoUHistogram(1, 1)
    histogram.add(0, 0, 0, iou)
    assert train_step.bin_lists(lists) == histogram.counts[0, 0, 0].tolist()


# ----------------------------------------------------------------------------- prediction


@pytest.mark.parametrize("pasting", [False, True])
def test_the_row_of_one_pass(pasting):
    row = nested.in_one_pass(96, 64, rounds=1, scale="smoke", pasting=pasting)
    assert sound(row)
    assert 0.2 < row["multiply_adds_allow"] < 1
    assert row["aim"] == pytest.approx(1.1 * row["multiply_adds_allow"])


def test_multiply_adds_are_counted():
    x, weight = torch.ones(1, 3, 8, 8), torch.ones(5, 3, 3, 3)
    found = nested.multiply_adds(lambda: torch.nn.functional.conv2d(x, weight) @ torch.ones(6, 7))
    assert found == 5 * 3 * 9 * 36 + 5 * 6 * 6 * 7


def test_the_row_of_the_advanced_head():
    row = advanced.predict(96, 64, count=2, rounds=1, scale="smoke")
    assert sound(row)
    assert 0 < row["largest_relative_difference"] < 2e-5
    assert row["box_head_over_direct"] > 0
    assert 0 < row["box_head_of_direct"] < 1


def test_forms_that_differ_are_an_error(monkeypatch):
    monkeypatch.setattr(advanced, "TOLERANCE", 1e-12)
    with pytest.raises(UserError, match="the two forms differ by"):
        advanced.predict(96, 64, rounds=1, scale="smoke")


@pytest.mark.parametrize("place", [0, 1])
def test_forms_that_cannot_be_compared_are_an_error(monkeypatch, place):
    seen = [torch.ones(2), torch.ones(2)]
    seen[place] = torch.tensor([1.0, float("nan")])
    monkeypatch.setattr(advanced, "_seen", lambda *_: (seen, []))
    with pytest.raises(UserError, match="the two forms differ by nan"):
        advanced.predict(96, 64, rounds=1, scale="smoke")


def test_all_forms_of_a_layer_are_the_convolution():
    row = advanced.one_layer(rois=5, channels=(6, 4), rounds=1)
    assert set(row["each_form_over_direct"]) == set(advanced.FORMS)
    assert max(row["largest_relative_error"].values()) < 2e-6


# -------------------------------------------------------------------------------- masks


def test_the_row_of_the_masks(monkeypatch):
    row = encoding.host(rounds=2, detections=4)
    assert row["ratio"] > 0
    ours, other = (of["seconds"] for of in row["times"].values())
    assert len(ours) == len(other) == 2
    assert max(ours) < 1  # the first use of a mode imports for longer than that
    monkeypatch.setattr(encoding, "mask_by_mask", lambda masks: [])
    with pytest.raises(UserError, match="predict-host: two ways"):
        encoding.host(rounds=1, detections=4)


def test_what_torch_does_is_the_devices():
    with encoding.OnDevice() as device:
        torch.zeros(1000, 1000).sum()
    assert 0 < device.seconds < 1


# -------------------------------------------------------------------------------- scoring


def test_rows_of_scoring():
    size = {"images": 6, "objects": 40, "detections": 20}
    row = scoring.score(1, **size)
    assert sound(row)
    assert row["seconds_of_all_that_score_computes"] > row["times"]["hotcoco"]["seconds"][0]
    assert row["all_that_score_computes_over_pycocotools"] > row["ratio"]
    row = scoring.bootstrap(1, resamples=5, **size)
    assert sound(row)
    assert row["what"].startswith("5 resamples")


def test_every_round_of_scoring_does_the_same_work(monkeypatch):
    """pycocotools leaves run lengths where it found polygons, which the next round would find cheaper."""
    seen: dict[str, list] = {}
    for name in ("hotcoco_metrics", "matches", "pycocotools_metrics"):
        way = getattr(scoring, name)

        def watched(truth, table, kind, name=name, way=way):
            seen.setdefault(name, []).append(json.dumps(truth["annotations"], default=str))
            return way(truth, table, kind)

        monkeypatch.setattr(scoring, name, watched)
    scoring.score(2, images=5, objects=30, detections=10)
    for name, found in seen.items():
        assert len(found) == 4, name
        assert found[:2] == found[2:], name
    assert '"segmentation": [[' in seen["pycocotools_metrics"][2]
