"""The paper's claims by its own numbers and by ours; mistakes in a claims file."""

import csv
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.claims.judge import judge, write_claims
from reports.claims.outcomes import FAILS, HOLDS, NOT_JUDGED, NOT_RUN, UNDECIDED, status_of
from reports.claims.spec import DEFAULT_CLAIMS, load_claims
from reports.results.load import load_results
from reports.tables.spec import Spec, load_spec
from tests.reports.folders import ResultFolder


def judged(folder: ResultFolder, spec: Spec | None = None) -> dict:
    found = judge(load_claims(), spec or load_spec(), load_results(folder.path))
    return {item.claim.name: item for item in found}


@pytest.mark.parametrize(
    ("low", "high", "limits", "expected"),
    [
        (0.1, 0.5, (0, None), HOLDS),
        (0.0, 0.6, (0, None), HOLDS),
        (-0.1, 0.5, (0, None), UNDECIDED),
        (-0.5, -0.1, (0, None), FAILS),
        (-0.5, 0.5, (-1, 1), HOLDS),
        (-1.5, 0.5, (-1, 1), UNDECIDED),
        (1.1, 1.5, (-1, 1), FAILS),
        (-3, 3, (-1, 1), UNDECIDED),
    ],
)
def test_a_status_is_where_the_interval_lies(low, high, limits, expected) -> None:
    assert status_of(low, high, *limits) == expected


def test_the_papers_own_numbers(mini: ResultFolder) -> None:
    found = {name: item.paper for name, item in judged(mini).items()}
    assert found == {
        "C1": "holds", "C2": "holds", "C3": "undecided", "C4": "holds", "C5": "holds", "C6": "fails",
        "C7": "undecided", "C8": "holds", "C9": "holds", "C10": "undecided", "C11": "no numbers",
        "C12": "no numbers",
    }  # fmt: skip


def test_c6_shows_its_known_exception(mini: ResultFolder) -> None:
    claim = judged(mini)["C6"]
    box, mask = claim.checks
    assert (box.paper.status, mask.paper.status) == (HOLDS, FAILS)
    assert (box.paper.value, mask.paper.value) == pytest.approx((-0.3, 0.7))
    assert (mask.paper.low, mask.paper.high) == pytest.approx((0.4, 1.0))
    assert "35.4 > 34.7" in claim.claim.note
    assert mask.left_label == "Table 2: r3_naive_inc, L_e = 1"


def compared(folder: ResultFolder, better: float, *seeds: float) -> None:
    """R3-CNN that much better than Mask R-CNN of AP 0.4, in each seed by so much more."""
    for training, loops, value in (("r3_naive_inc", 3, 0.4 + better), ("mask_1x", 1, 0.4)):
        for seed, more in enumerate(seeds or (0,)):
            folder.score(training, loops, value + more, value + more, seed=seed)
            folder.resample(training, loops, value + more, seed=seed)


@pytest.mark.parametrize(
    ("better", "expected"), [(0.03, HOLDS), (0.005, UNDECIDED), (-0.03, FAILS)]
)
def test_c1_by_our_results(mini: ResultFolder, better: float, expected: str) -> None:
    compared(mini, better, 0, 0.002, 0.004)
    claim = judged(mini)["C1"]
    assert claim.ours == expected
    assert claim.verdict == f"in miniature: {expected}"
    assert claim.checks[0].ours.value == pytest.approx(better * 100)


def test_a_claim_is_corrected_for_the_number_of_claims(mini: ResultFolder) -> None:
    compared(mini, 0.005, 0, 0.002, 0.004)
    claim = judged(mini)["C1"]
    assert [checked.ours.status for checked in claim.checks] == [HOLDS, HOLDS]
    assert 0.05 / 12 < claim.decision.p < 0.05
    assert claim.corrected == pytest.approx(min(1, 12 * claim.decision.p))
    assert claim.ours == UNDECIDED


def test_a_claim_says_the_smallest_difference_that_it_could_have_seen(mini: ResultFolder) -> None:
    compared(mini, 0.005, 0, 0.002, 0.004)
    claim = judged(mini)["C1"]
    estimate = claim.checks[0].ours.estimate
    assert claim.visible == pytest.approx(float(estimate.visible(1 - 0.05 / 12)))
    # more than a difference that is just seen half of the time
    assert claim.visible > estimate.interval(1 - 0.05 / 12)[1] - estimate.value


def test_one_seed_says_so(mini: ResultFolder) -> None:
    compared(mini, 0.03)
    claim = judged(mini)["C1"]
    assert claim.checks[0].ours.single_seed
    assert "one seed, interval over images only" in claim.verdict


def test_the_papers_scale_is_no_miniature(paper: ResultFolder) -> None:
    compared(paper, 0.03)
    assert judged(paper)["C1"].verdict == "holds (one seed)"


def test_at_smoke_no_claim_is_judged(smoke: ResultFolder, tmp_path: Path) -> None:
    compared(smoke, 0.03, 0, 0.002, 0.004)
    found = judged(smoke)
    assert (found["C1"].ours, found["C1"].verdict) == (NOT_JUDGED, NOT_JUDGED)
    assert {checked.ours.status for checked in found["C1"].checks} == {NOT_JUDGED}
    assert found["C2"].ours == NOT_RUN
    with write_claims(list(found.values()), tmp_path).open() as file:
        lines = [line for line in csv.DictReader(file) if line["claim"] == "C1"]
    ours = [line for line in lines if line["numbers"] == "ours"]
    assert {(line["status"], line["claim_status"], line["p"]) for line in ours} == {
        (NOT_JUDGED, NOT_JUDGED, "")
    }


def test_one_failing_check_is_enough_whatever_has_not_run(mini: ResultFolder) -> None:
    for training, loops, value in (("mask_1x", 1, 0.4), ("r3_1loop", 1, 0.3)):
        mini.score(training, loops, value, value)
        mini.resample(training, loops, value)
    found = judged(mini)
    assert (found["C9"].ours, found["C2"].ours) == (FAILS, NOT_RUN)
    assert NOT_RUN in [checked.ours.status for checked in found["C9"].checks]


def test_a_claim_may_name_rows_that_are_not_there(mini: ResultFolder) -> None:
    claim = judged(mini)["C12"]
    assert (claim.ours, claim.verdict, claim.visible) == (NOT_RUN, NOT_RUN, None)


def test_each_claim_says_what_the_paper_says_and_where() -> None:
    for claim in load_claims().claims:
        assert claim.says, claim.name
        assert claim.where, claim.name


def test_without_resamples_a_difference_is_undecided(mini: ResultFolder) -> None:
    mini.score("r3_naive_inc", 3, 0.5, 0.5)
    mini.score("mask_1x", 1, 0.1, 0.1)
    outcome = judged(mini)["C1"].checks[0].ours
    assert (outcome.status, outcome.low) == (UNDECIDED, None)
    assert "no interval" in outcome.note


def test_what_is_missing_is_named_with_its_command(mini: ResultFolder) -> None:
    mini.score("mask_1x", 1, 0.4, 0.4)
    claim = judged(mini)["C1"]
    assert claim.ours == NOT_RUN
    assert "results/mini/scores/r3_naive_inc/seed0/loops3.json" in claim.command
    assert "mask_1x" not in claim.command


def test_measurements_are_compared_as_ratios(mini: ResultFolder) -> None:
    counts = {"r3_naive_inc": 43_912_884, "htc": 77_230_846}
    for training, count in counts.items():
        speed = {"3": {"images_per_second": 10.0}}
        mini.measure(training, parameters={"trainable": count}, speed=speed)
    parameters, memory, *_, speed = judged(mini)["C3"].checks
    assert (parameters.ours.status, parameters.paper.status) == (HOLDS, HOLDS)
    assert parameters.ours.value == parameters.paper.value == pytest.approx(43912 / 77230)
    assert (memory.ours.status, speed.ours.status) == (UNDECIDED, UNDECIDED)
    assert (speed.ours.low, speed.ours.high) == pytest.approx((0.95, 1.05))


def test_c11_by_the_histograms(mini: ResultFolder) -> None:
    falling = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
    mini.counts("mask_3x", falling)
    mini.counts("r3_naive_inc", falling, falling[::-1], falling[::-1])
    mini.counts("r3_naive_dec", falling, [100] * 10, falling)
    claim = judged(mini)["C11"]
    assert claim.ours == HOLDS
    assert claim.checks[0].ours.value == pytest.approx(0)
    assert claim.checks[0].left_label == "Figure 2: r3_naive_inc, loop 1"
    mini.counts("r3_naive_inc", [100] * 10, falling[::-1], falling[::-1])
    assert judged(mini)["C11"].ours == FAILS


def test_histograms_are_sure_by_their_seeds_alone(mini: ResultFolder) -> None:
    for seed, factor in enumerate((1, 2, 3)):
        for training, loops in (("r3_naive_inc", 3), ("r3_naive_dec", 3), ("mask_3x", 1)):
            mini.histogram(training, loops, seed=seed, factor=factor)
    check = judged(mini)["C11"].checks[0].ours
    # the same shape in all seeds
    assert (check.low, check.high, check.single_seed) == (0, 0, False)


def test_claims_csv(mini: ResultFolder, tmp_path: Path) -> None:
    compared(mini, 0.01)
    found = judge(load_claims(), load_spec(), load_results(mini.path))
    lines = list(csv.DictReader(write_claims(found, tmp_path).open()))
    assert len(lines) == 2 * sum(len(item.checks) for item in found)
    assert {line["claim"] for line in lines} == {f"C{n}" for n in range(1, 13)}
    first = lines[0]
    assert (first["numbers"], first["status"], first["single_seed"]) == ("ours", "holds", "yes")
    assert (first["left_value"], first["right_value"], first["value"]) == ("41", "40", "1")
    assert lines[1]["numbers"] == "paper"
    assert lines[1]["low"] == "2.4"


def test_every_cell_of_the_claims_stands_in_the_papers_tables() -> None:
    spec = load_spec()
    for claim in load_claims().claims:
        for check in claim.checks:
            if check.table:
                rows = {(row.training, row.loops) for row in spec.tables[check.table].rows}
                assert {(s.training, s.loops) for s in (check.left, check.right)} <= rows
                columns = {column.key for column in spec.tables[check.table].columns}
                assert check.metric in columns


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("difference: [0, null]", "difference: [0]", r"claims.C1.checks.0"),
        ("difference: [0, null]", "difference: [2, 1]", r"expected the least before the most"),
        ("metrics: [bbox.AP, segm.AP]", "metrics: [speed.x]", r"measurements by their ratio"),
        (
            "metrics: [parameters.trainable]",
            "metrics: [device.name]",
            r"device.name: no number that is",
        ),
        (
            "metrics: [bbox.AP, segm.AP]",
            "metrics: [bbox.APP]",
            r"bbox.APP: unknown metric; .*mean AP",
        ),
        ("ratio: [null, 0.75]", "ratio: [null, '0.75']", r"claims.C3.checks.0"),
        ("paper_ap: 0.3", "paper_ap: -1", r"spreads.paper_ap: -1 is less than"),
        ("  C2:", "  C1:", r"'C1' is here twice"),
        ("    text: R3", "    txt: R3", r"claims.C1: .*'txt'"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(DEFAULT_CLAIMS.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=message) as caught:
        load_claims(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
