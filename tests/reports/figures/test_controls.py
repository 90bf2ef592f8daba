"""The charts of the controls: from what has run, the same for the same results, and on the page."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.claims.spec import load_claims
from reports.figures.charts import HEAT_MAP, build_charts, render
from reports.figures.histograms import evenness
from reports.page.html import build_report, write_report
from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.tables.spec import DEFAULT_TABLES, load_spec
from tests.reports.folders import SOURCES, ResultFolder

CONTROLS = DEFAULT_TABLES.with_name("controls.yaml")


def charts_of(folder: ResultFolder) -> dict:
    results = load_results(folder.path)
    return {
        one.name: one for one in build_charts(load_spec(CONTROLS), results, setting_of(results))
    }


@pytest.fixture
def run(smoke: ResultFolder) -> ResultFolder:
    """Two trainings of the grid, one of Mask R-CNN, and one that took another's weights."""
    for id_, loops in (("mask_1x", 1), ("r3_1loop", 1), ("r3_naive_inc", 3)):
        smoke.train(id_, loops_trained=loops)
        smoke.histogram(id_, loops)
        smoke.score(id_, loops, 0.1 * loops, 0.05 * loops)
    smoke.score("r3_naive_inc", 5, 0.41, 0.31)
    smoke.train("r3_flow_off", loops_trained=3, trained_as="r3_naive_inc")
    smoke.histogram("r3_flow_off", 3)
    smoke.score("r3_flow_off", 3, 0.2, 0.2)
    return smoke


def test_the_heat_map_has_a_cell_for_each_evaluation(run: ResultFolder) -> None:
    frame = charts_of(run)["loops_grid"].frame
    assert len(frame) == 20
    ran = frame.dropna(subset=["box_AP"])
    cells = set(ran[["L_t", "L_e", "box_AP", "mask_AP"]].itertuples(index=False, name=None))
    assert cells == {(1, 1, 10, 5), (3, 3, 30, 15), (3, 5, 41, 31)}
    of = frame.drop_duplicates("training").set_index("training")["L_t"]
    assert of.dropna().to_dict() == {"r3_1loop": 1, "r3_naive_inc": 3}
    assert of.index.tolist() == ["r3_1loop", "r3_2loops", "r3_naive_inc", "r3_4loops"]


def test_a_heat_map_of_trainings_with_the_same_loops(run: ResultFolder) -> None:
    run.train("r3_naive_dec", loops_trained=3)
    run.score("r3_naive_dec", 3, 0.2, 0.1)
    chart = charts_of(run)["loops_grid"]
    spec = load_spec(CONTROLS)
    ids = ["r3_naive_inc", "r3_naive_dec", "r3_4loops"]
    own = replace(spec, charts={"own": {**spec.charts["loops_grid"], "trainings": ids}})
    results = load_results(run.path)
    (found,) = build_charts(own, results, setting_of(results))
    assert found.frame["training"].unique().tolist() == ids
    drawn = render(found)
    assert drawn != render(chart)
    assert b"r3_naive_dec (3)" in drawn
    assert b"r3_4loops (not run)" in drawn


def test_a_scatter_plot_says_which_boxes(run: ResultFolder) -> None:
    charts = charts_of(run)
    assert b"from 0.5 up, sampled" in render(charts["balance"])
    assert b"from 0.5 up, candidates" in render(charts["balance_candidates"])


def test_an_ap_is_rounded_once(run: ResultFolder) -> None:
    run.score("r3_naive_inc", 2, 0.242503, 0.24)
    frame = charts_of(run)["loops_grid"].frame
    cell = frame[(frame["L_t"] == 3) & (frame["L_e"] == 2)]["box_AP"].item()
    assert f"{cell:.1f}" == "24.3"  # as the tables show it


def test_several_seeds_are_averaged(run: ResultFolder) -> None:
    run.train("r3_1loop", 1, loops_trained=1)
    run.score("r3_1loop", 1, 0.2, 0.1, seed=1)
    frame = charts_of(run)["loops_grid"].frame
    assert frame[(frame["L_t"] == 1) & (frame["L_e"] == 1)][
        ["box_AP", "mask_AP"]
    ].values.tolist() == [[15.0, 7.5]]


def test_the_scatter_plot_has_a_point_for_each_training_of_its_own(run: ResultFolder) -> None:
    frame = charts_of(run)["balance"].frame.set_index("training")
    assert frame.index.tolist() == ["mask_1x", "r3_1loop", "r3_naive_inc"]
    # as folders.py counts: loop * bin number, 100 more where sampled
    bins = [sum(loop * n + 100 for loop in (1, 2, 3)) for n in range(10, 20)]
    assert frame.loc["r3_naive_inc", "evenness"] == round(evenness(bins), 4)
    assert frame.loc["r3_naive_inc", ["L_e", "box_AP", "mask_AP"]].tolist() == [3, 30.0, 15.0]
    # what sampling draws from, without the ground truth that it adds
    frame = charts_of(run)["balance_candidates"].frame.set_index("training")
    bins = [sum(loop * n for loop in (1, 2, 3)) for n in range(10, 20)]
    assert frame.loc["r3_naive_inc", "evenness"] == round(evenness(bins), 4)


def test_a_rank_correlation_is_told_from_four_points_on(run: ResultFolder) -> None:
    assert "Rank correlation" not in charts_of(run)["balance"].caption
    run.train("r3_2loops", loops_trained=2)
    run.counts_of("r3_2loops", "sampled", [1] * 10)
    run.score("r3_2loops", 2, 0.9, 0.01)
    said = charts_of(run)["balance"].caption
    assert " Rank correlation of evenness with box AP " in said
    frame = charts_of(run)["balance"].frame
    expected = frame["evenness"].rank().corr(frame["mask_AP"].rank())
    assert said.endswith(f"with mask AP {expected:.2f}.")


def test_the_key_of_a_scatter_plot_has_room_for_every_training(run: ResultFolder) -> None:
    few = charts_of(run)["balance"].size[1]
    for number in range(40):
        run.train(f"more_{number}", loops_trained=2)
        run.counts_of(f"more_{number}", "sampled", [1] * 10)
        run.score(f"more_{number}", 2, 0.9, 0.01)
    chart = charts_of(run)["balance"]
    assert chart.size[1] >= few + 20 * (40 // 6)
    figure_height = float(re.search(rb'viewBox="0 0 [0-9.]+ ([0-9.]+)"', chart.svg())[1])
    assert figure_height == pytest.approx(chart.size[1] * 0.72)  # 72 points an inch, 100 pixels
    assert charts_of(run)["loops_grid"].size[1] == 420


@pytest.mark.parametrize("empty", [True, False])
def test_the_same_data_give_the_same_drawing(
    smoke: ResultFolder, run: ResultFolder, empty, tmp_path
) -> None:
    folder = run
    if empty:
        folder = ResultFolder(tmp_path / "none" / "smoke")
    for chart in charts_of(folder).values():
        assert render(chart) == render(chart)
        assert b"<svg" in render(chart)
        changed = chart.frame.copy()
        if len(changed) and not empty:
            changed.loc[0, "box_AP"] = 77.0
            assert render(replace(chart, frame=changed)) != render(chart)


def test_the_page_shows_table_and_charts(run: ResultFolder, tmp_path: Path) -> None:
    results, out = load_results(run.path), tmp_path / "report"
    spec = load_spec(CONTROLS)
    report = build_report(spec, load_claims(), results, SOURCES)
    written = {path.name for path in write_report(report, results, out)}
    assert {f"{name}.{suffix}" for name in spec.charts for suffix in ("svg", "csv")} <= written
    text = (out / "index.html").read_text()
    for name in (*spec.charts, "controls", "table1"):
        assert f'<section id="{name}"' in text or f'id="{name}"' in text
    assert 'src="loops_grid.svg"' in text
    lines = list(csv.DictReader(io.StringIO((out / "loops_grid.csv").read_text())))
    assert len(lines) == 20
    assert {line["training"] for line in lines if line["box_AP"]} == {"r3_1loop", "r3_naive_inc"}
    assert any(chart.kind == HEAT_MAP for chart in report.charts)


def test_a_file_extends_another(tmp_path: Path) -> None:
    base, own = load_spec(), load_spec(CONTROLS)
    assert [*own.tables] == [*base.tables, "controls"]
    assert own.parents["htc"] == "mask_1x"
    assert own.parents["dcn_v2"] == "dcn"
    text = CONTROLS.read_text().replace("extends: tables.yaml", f"extends: {DEFAULT_TABLES}")
    twice = tmp_path / "twice.yaml"
    twice.write_text(text.replace("\n  controls:\n    title", "\n  table1:\n    title"))
    with pytest.raises(UserError, match=r"twice.yaml: tables.table1: .*extends; rename it"):
        load_spec(twice)
    circle = tmp_path / "circle.yaml"
    circle.write_text(text.replace(str(DEFAULT_TABLES), "circle.yaml"))
    with pytest.raises(UserError, match=r"circle.yaml: extends: leads back to this file"):
        load_spec(circle)
