"""Figure 2: the sums behind the bars, and bytes that do not change."""

import xml.etree.ElementTree as ElementTree

import pytest

from r3cnn.core.errors import UserError
from reports.figures.figure2 import Figure2, draw_figure2, figure2_data, render_figure2, summed_bars
from reports.results.load import load_histogram, load_results
from reports.results.setting import PROFILE, setting_of
from tests.reports.folders import ResultFolder


def data(folder: ResultFolder, **options: object) -> Figure2:
    results = load_results(folder.path)
    return figure2_data(results, setting_of(results), **options)


def test_bars_are_summed_over_epochs_and_seeds(smoke: ResultFolder) -> None:
    smoke.histogram("r3_naive_inc", 3, epochs=2, seed=0)
    smoke.histogram("r3_naive_inc", 3, epochs=2, seed=1, factor=10)
    panel = data(smoke).panels[2]
    # loop * bin number, over two epochs, in a seed of factor 1 and one of factor 10
    expected = [(n * 0.05, [2 * 11 * loop * n for loop in (1, 2, 3)]) for n in range(10, 20)]
    assert [counts for _, counts in panel.counts] == [counts for _, counts in expected]
    assert [low for low, _ in panel.counts] == pytest.approx([low for low, _ in expected])
    assert (panel.epochs, panel.seeds, panel.loops) == (2, (0, 1), [1, 2, 3])


def test_assignment_view_and_first_bin_are_chosen(smoke: ResultFolder) -> None:
    smoke.histogram("mask_3x", 1, epochs=1)
    frame, _ = load_histogram(smoke.path, "mask_3x")
    bars = summed_bars(frame, "mask", "positives", 0.0)
    assert bars["count"].tolist() == [n + 1000 + 50 for n in range(20)]
    assert summed_bars(frame, iou_from=0.55)["count"].tolist() == list(range(11, 20))


def test_the_drawn_bars_are_stacked(smoke: ResultFolder) -> None:
    smoke.histogram("r3_naive_dec", 2, epochs=1)
    figure = draw_figure2(data(smoke))
    first, second = figure.axes[1].containers
    assert [bar.get_height() for bar in first] == list(range(10, 20))
    assert [bar.get_y() for bar in second] == list(range(10, 20))
    assert first[0].get_x() == pytest.approx(0.5)
    assert first[0].get_width() == pytest.approx(0.05)


def test_a_missing_training_says_how_to_run_it(smoke: ResultFolder) -> None:
    smoke.histogram("mask_3x", 1)
    panels = data(smoke).panels
    assert panels[0].bars is not None
    assert panels[1].bars is None
    target = "results/smoke/trainings/r3_naive_dec/seed0/iou_histogram.csv"
    assert panels[1].command == f"snakemake --profile {PROFILE} {target} --config scale=smoke"
    texts = " ".join(text.get_text() for text in draw_figure2(data(smoke)).axes[1].texts)
    assert "not run" in texts
    assert target in texts.replace("\n", "")


def test_the_same_data_gives_the_same_bytes(smoke: ResultFolder) -> None:
    smoke.histogram("r3_naive_inc", 3)
    first, second = render_figure2(data(smoke)), render_figure2(data(smoke))
    assert first == second
    assert list(first) == ["svg", "pdf", "png"]
    ElementTree.fromstring(first["svg"])
    assert first["pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in first["pdf"]
    assert first["png"].startswith(b"\x89PNG")


def test_counts_of_zero_are_drawn(smoke: ResultFolder) -> None:
    smoke.histogram("mask_3x", 1, factor=0)
    figure = data(smoke)
    assert figure.panels[0].summary.endswith("no samples.")
    draw_figure2(figure)


def test_the_summary_says_the_shares(smoke: ResultFolder) -> None:
    smoke.histogram("r3_naive_inc", 3, epochs=1)
    summary = data(smoke).panels[2].summary
    # 6 * (10 + ... + 19) = 870, of which 6 * (14 + ... + 19) = 594
    assert "870 samples, 68 % of IoU 0.7 up; loop 1 17 %, loop 2 33 %, loop 3 50 %" in summary


def test_a_histogram_without_the_rows_is_named(smoke: ResultFolder) -> None:
    header = "epoch,loop,assignment,view,iou_low,iou_high,count"
    smoke.write(
        "trainings/mask_3x/seed0/iou_histogram.csv", f"{header}\n1,1,mask,sampled,0.5,0.55,1\n"
    )
    with pytest.raises(
        UserError, match=r"mask_3x/seed0/iou_histogram.csv: no rows of assignment box"
    ):
        data(smoke)
