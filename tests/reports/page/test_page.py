"""The page in a real headless Chromium."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from r3cnn.core.errors import UserError
from reports.claims.spec import load_claims
from reports.figures.histograms import bins_of, evenness
from reports.page.chromium import Browser
from reports.page.html import build_report, write_report
from reports.results.load import load_results
from reports.tables.spec import load_spec
from tests.reports.folders import PRESENT, SOURCES, ResultFolder

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=hacked()>"
RUN = "#table1 tr[data-training=mask_1x] button.open"


def fill(folder: ResultFolder) -> None:
    """A run of some trainings, one of a hostile name, and rows that have not run."""
    folder.data()
    for training, loops in (("mask_1x", 1), ("htc", 3), ("r3_naive_inc", 3), (HOSTILE, 2)):
        folder.train(training, attempts=[{}, {}])
        folder.score(training, loops, 0.4, 0.3)
        folder.resample(training, loops, 0.4)
        folder.errors(training, loops, 0.1, 0.05)
        folder.measure(training)
        folder.config(training, f"name = {training!r}\nother = '</script>'\n")
        folder.curve(training, 40)
        folder.histogram(training, loops, epochs=3)
        folder.write(f"logs/train/{training}.seed0.log", f"the end of {training}")
    line = {"epoch": 1, "loops": 3, "bbox_AP": 0.1, "segm_AP": 0.2}
    folder.write("trainings/htc/seed0/validation.jsonl", json.dumps(line))
    latency = {"mean": 0.25, "p50": 0.2, "p95": 0.5}
    speed = {"images_per_second": 5.0, "images": 8, "latency_seconds": latency}
    folder.measure("mask_1x", speed={"1": speed})
    for number in range(7):  # between htc and mask_1x, as many as there are colours
        folder.curve(f"i{number}", 4)
    folder.histogram("mask_3x", 1, epochs=5)
    folder.counts("r3_1loop", [512, 256, 128, 64, 32, 16, 8, 4, 2, 1])
    folder.train("dcn", weights={"source": f"https://zoo.org/{HOSTILE}", "sha256": "0" * 64})
    folder.histogram("dcn", 1, epochs=0)
    folder.score("dcn", 1, 0.4, 0.3)
    folder.write("trainings/dcn/seed0/train.jsonl", "")
    for training, loops, trained in (
        ("mask_1x", 1, 1),
        ("r3_naive_inc", 5, 3),
        ("r3_advanced", 3, 3),
    ):
        folder.gallery(training, loops, name=HOSTILE, loops_trained=trained)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ResultFolder]:
    """The report of `fill`, and its results."""
    folder = ResultFolder(tmp_path_factory.mktemp("page") / "results" / "smoke")
    fill(folder)
    results = load_results(folder.path)
    report = build_report(load_spec(), load_claims(), results, SOURCES)
    write_report(report, results, folder.path / "report")
    return folder.path / "report" / "index.html", folder


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with Browser(chromium) as started:
        yield started


@pytest.fixture
def page(browser: Browser, written: tuple[Path, ResultFolder]) -> Browser:
    """The page, freshly loaded."""
    browser.messages.clear()
    browser.requests.clear()
    browser.resize(1600, 1000)
    browser.open(written[0])
    return browser


def choose(page: Browser, name: str, value: object, event: str = "change") -> None:
    page.evaluate(
        f"(() => {{ const e = document.getElementById({name!r}); e.value = {json.dumps(value)};"
        f" e.dispatchEvent(new Event({event!r}, {{bubbles: true}})); }})()"
    )


def click(page: Browser, selector: str) -> None:
    page.evaluate(f"document.querySelector({json.dumps(selector)}).click()")


def traces(page: Browser, chart: str = "iou-chart-first") -> list[dict]:
    """Name, type and heights of what a chart draws."""
    return page.evaluate(
        f"document.getElementById('{chart}').data.map(t => ({{name: t.name, type: t.type, "
        "y: [...t.y]}))"
    )


def drawer(page: Browser) -> str:
    assert page.evaluate("document.getElementById('drawer').open")
    return page.evaluate("document.getElementById('drawer').innerText")


def test_nothing_is_said_and_no_request_leaves_the_machine(page: Browser) -> None:
    for name in ("iou-view", "iou-assignment", "iou-form", "iou-unit", "iou-from"):
        last = page.evaluate(f"[...document.getElementById('{name}').options].at(-1).value")
        choose(page, name, last)
    page.evaluate("document.querySelectorAll('summary').forEach(s => s.click())")
    page.evaluate(
        "document.querySelectorAll('button.open').forEach(b => { b.click(); "
        "document.getElementById('drawer').close(); })"
    )
    time.sleep(0.3)
    assert page.messages == []
    assert page.requests
    foreign = [url for url in page.requests if not url.startswith(("file:", "data:"))]
    assert foreign == []


def test_a_message_and_a_request_would_be_seen(page: Browser) -> None:
    page.evaluate("console.warn('seen')")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://192.0.2.1/x'}))")
    time.sleep(0.3)
    assert "seen" in page.messages
    assert any("Content Security Policy" in message for message in page.messages)


def test_no_name_becomes_markup(page: Browser) -> None:
    choose(page, "iou-first", HOSTILE)
    choose(page, "curve-quantity", "loss")
    page.evaluate("document.querySelectorAll('#curve-trainings input').forEach(i => i.click())")
    for selector in (f'tr[data-training="{HOSTILE}"] button.open', RUN):
        click(page, selector)
        page.evaluate("document.getElementById('drawer').close()")
    assert page.evaluate("document.querySelectorAll('img[src=x], [onerror]').length") == 0
    assert (
        page.evaluate("document.getElementById('iou-chart-first').innerText").count("onerror") == 1
    )
    assert page.messages == []


def test_the_slider_chooses_the_epoch(page: Browser) -> None:
    every = traces(page)
    assert [trace["name"] for trace in every] == ["loop 1", "loop 2", "loop 3"]
    assert every[2]["y"] == [3 * 3 * n for n in range(10, 20)]  # three epochs of 3 * bin
    choose(page, "iou-epoch", 2, "input")
    assert traces(page)[2]["y"] == [3 * n for n in range(10, 20)]
    assert page.evaluate("document.getElementById('iou-epoch-text').textContent") == "2"
    assert page.evaluate("document.getElementById('iou-epoch').max") == "5"


def test_play_runs_to_the_last_epoch_and_stops(page: Browser) -> None:
    choose(page, "iou-second", "")
    click(page, "#iou-play")
    assert page.evaluate("document.getElementById('iou-play').textContent") == "Stop"
    time.sleep(2.5)
    assert page.evaluate("document.getElementById('iou-epoch').value") == "3"
    assert page.evaluate("document.getElementById('iou-play').textContent") == "Play"


def test_loops_form_view_and_height_are_chosen(page: Browser) -> None:
    click(page, "#iou-loops input[value='2']")
    assert [trace["name"] for trace in traces(page)] == ["loop 1", "loop 3"]
    choose(page, "iou-form", "lines")
    assert {trace["type"] for trace in traces(page)} == {"scatter"}
    choose(page, "iou-view", "positives")
    assert traces(page)[0]["y"][0] == 3 * (10 + 50)
    choose(page, "iou-assignment", "mask")
    assert traces(page)[0]["y"][0] == 3 * (10 + 1050)
    choose(page, "iou-unit", "share")
    assert sum(sum(trace["y"]) for trace in traces(page)) == pytest.approx(100)
    choose(page, "iou-from", "0")
    assert len(traces(page)[0]["y"]) == 20


def test_what_was_not_recorded_says_so(page: Browser) -> None:
    choose(page, "iou-first", "r3_1loop")
    choose(page, "iou-assignment", "mask")
    assert "not recorded" in page.evaluate("document.getElementById('iou-chart-first').innerText")
    assert "nothing to show" in page.evaluate("document.getElementById('iou-evenness').innerText")


def test_the_evenness_is_that_of_the_claims(
    page: Browser, written: tuple[Path, ResultFolder]
) -> None:
    choose(page, "iou-first", "r3_1loop")
    expected = evenness(bins_of(load_results(written[1].path), "r3_1loop"))
    said = page.evaluate("document.getElementById('iou-evenness').innerText")
    assert f"r3_1loop: evenness {expected:.3f} (loop 1 {expected:.2f}), 6 % above" in said


def test_the_library_offers_no_server(page: Browser) -> None:
    titles = page.evaluate(
        "[...document.querySelectorAll('#iou-chart-first .modebar-btn')]"
        ".map(b => b.getAttribute('data-title') || b.getAttribute('aria-label'))"
    )
    assert len(titles) == 2
    assert not any(
        "share" in str(title).lower() or "chart" in str(title).lower() for title in titles
    )


def test_learning_curves_of_any_trainings(page: Browser) -> None:
    names = [trace["name"] for trace in traces(page, "curve-chart")]
    assert names == ["htc, seed 0", "mask_1x, seed 0", "r3_naive_inc, seed 0"]
    click(page, "#curve-trainings input:checked")
    assert len(traces(page, "curve-chart")) == 2
    click(page, "#curve-trainings input")
    choose(page, "curve-quantity", "segm_AP")
    click(page, "#curve-trainings label:nth-of-type(2) input")
    drawn = traces(page, "curve-chart")
    assert [(trace["name"], trace["y"]) for trace in drawn] == [
        ("htc, seed 0, L<sub>e</sub> = 3", [20])
    ]


@pytest.mark.gate
def test_a_cell_opens_its_provenance(page: Browser) -> None:
    click(page, RUN + "[data-key='bbox.AP']")
    text = drawer(page)
    for expected in (
        "Mask (1x): Box AP", "40.0; 38.8 to 41.2", "CPU, Some Processor, 2 threads", PRESENT,
        "0123456789abcdef0123456789abcdef01234567", "torch 2.13.0", "2026-01-02T03:04:05+00:00",
        "60 in 2 attempts", "again/smoke/scores/mask_1x/seed0/loops1.json", "Seed 0",
        "trainings/mask_1x/seed0/train.jsonl",
    ):  # fmt: skip
        assert expected in text, expected
    whole = page.evaluate("document.getElementById('drawer').textContent")
    assert "the end of mask_1x" in whole
    assert "name = 'mask_1x'" in whole
    click(page, "#drawer .close")
    assert not page.evaluate("document.getElementById('drawer').open")


def test_a_variants_drawer_shows_the_difference_from_its_parent(page: Browser) -> None:
    click(page, "#table1 tr[data-training=r3_naive_inc] button.open[data-key='segm.AP']")
    text = drawer(page)
    assert "the difference from htc" in text
    assert "-name = 'htc'" in text
    assert "+name = 'r3_naive_inc'" in text


def test_a_row_of_given_weights_says_so_in_its_drawer(page: Browser) -> None:
    click(page, "#table4 tr[data-training=dcn] button.open[data-key='bbox.AP']")
    text = drawer(page)
    for expected in ("Not trained here", f"https://zoo.org/{HOSTILE}", "0" * 64):
        assert expected in text
    assert "Iterations" not in text
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_a_measured_cell_opens_its_measurement(page: Browser) -> None:
    click(page, RUN + "[data-key='memory.training_gib']")
    text = drawer(page)
    assert "peak resident set" in text
    assert "again/smoke/measurements/mask_1x.json" in text
    assert "mean 250 ms, p50 200 ms, p95 500 ms over 8 images" in text


def test_a_measurement_of_an_earlier_version_opens_without_latency(page: Browser) -> None:
    click(page, "#table1 tr[data-training=htc] button.open[data-key='memory.training_gib']")
    text = drawer(page)
    assert "peak resident set" in text
    assert "Latency" not in text


def test_a_cell_not_run_opens_its_command(page: Browser) -> None:
    click(page, "#table1 tr[data-training=r3_advanced] button.open[data-key='bbox.AP']")
    text = drawer(page)
    assert "Run what is missing" in text
    assert "42.0" in text  # the paper's
    assert "results/smoke/scores/r3_advanced/seed0/loops3.json" in text


def test_a_cell_has_an_address_that_opens_it(
    page: Browser, written: tuple[Path, ResultFolder]
) -> None:
    click(page, RUN + "[data-key='bbox.AP']")
    time.sleep(0.3)
    address = page.evaluate("location.hash")
    assert address == "#cell=table1/mask_1x/1/bbox.AP"
    click(page, "#drawer .close")
    time.sleep(0.3)
    assert page.evaluate("location.hash") == ""
    page.evaluate(f"location.hash = {address!r}; location.reload()")
    opened = "document.readyState === 'complete' && document.getElementById('drawer').open"
    for _ in range(100):
        time.sleep(0.1)
        if page.evaluate(opened):
            break
    assert "Mask (1x): Box AP" in drawer(page)


def test_the_files_of_a_cell_are_links_that_lead_somewhere(
    page: Browser, written: tuple[Path, ResultFolder]
) -> None:
    click(page, RUN + "[data-key='bbox.AP']")
    links = page.evaluate("[...document.querySelectorAll('#drawer .paths a')].map(a => a.href)")
    assert len(links) >= 4
    for link in links:
        assert Path(unquote(urlsplit(link).path)).is_file(), link


def test_a_table_is_one_tab_stop_and_arrows_go_on(page: Browser) -> None:
    stops = "document.querySelectorAll('#table1 tbody button.open:not([tabindex=\"-1\"])').length"
    assert page.evaluate(stops) == 1
    key = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: '%s', bubbles: true}))"
    page.evaluate("document.querySelector('#table1 tbody button.open').focus()")
    place = "[document.activeElement.closest('tr').dataset.training, document.activeElement.dataset.key]"
    first = page.evaluate(place)
    page.evaluate(key % "ArrowRight")
    right = page.evaluate(place)
    page.evaluate(key % "ArrowDown")
    below = page.evaluate(place)
    assert first[0] == right[0] != below[0]
    assert first[1] != right[1] == below[1]
    assert page.evaluate(stops) == 1


def test_a_curve_is_smoothed_and_its_start_does_not_set_the_axis(page: Browser) -> None:
    choose(page, "curve-smooth", "1")
    raw = traces(page, "curve-chart")[0]["y"]
    choose(page, "curve-smooth", "10")
    smooth = traces(page, "curve-chart")[0]["y"]
    assert smooth[0] == pytest.approx(raw[0])
    assert smooth[4] == pytest.approx(sum(raw[:5]) / 5)
    assert smooth[30] == pytest.approx(sum(raw[21:31]) / 10)
    axis = "document.getElementById('curve-chart').layout.yaxis.range"
    every = [value for trace in traces(page, "curve-chart") for value in trace["y"][2:]]
    low, high = page.evaluate(axis)
    assert low < min(every) <= max(every) < high < raw[0]


def test_a_curve_keeps_its_colour_whatever_else_is_ticked(page: Browser) -> None:
    colours = "Object.fromEntries(document.getElementById('curve-chart').data.map(t => [t.name, t.line.color]))"
    before = page.evaluate(colours)
    assert len(before) > 1
    assert len(set(before.values())) == len(before)  # of those that are ticked at first
    click(page, "#curve-trainings input:checked")
    after = page.evaluate(colours)
    assert set(after) < set(before)
    assert all(before[name] == colour for name, colour in after.items())


def test_charts_are_closed_until_their_heading_is_pressed_or_named(
    page: Browser, written: tuple[Path, ResultFolder]
) -> None:
    opened = "[...document.querySelectorAll('#charts details[open]')].map(d => d.id)"
    assert page.evaluate(opened) == []
    page.evaluate("location.hash = '#confusion'")
    time.sleep(0.3)
    assert page.evaluate(opened) == ["confusion"]
    width = "document.querySelector('#confusion img').naturalWidth"
    assert (
        page.evaluate(
            f"new Promise(r => {{ const i = document.querySelector('#confusion img'); "
            f"i.complete ? r({width}) : i.onload = () => r({width}); }})"
        )
        > 0
    )


def test_a_table_has_one_tab_stop_and_its_notes_are_behind_the_last_number(page: Browser) -> None:
    stops = page.evaluate(
        "[...document.querySelectorAll('#table1 table button, #table1 table a')]"
        ".filter(e => e.tabIndex >= 0).length"
    )
    assert stops == 1
    found = page.evaluate(
        "(() => { const row = document.querySelector('#table1 tbody tr'); "
        "const all = row.querySelectorAll('button.open'); all[all.length - 1].focus(); "
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', "
        "{key: 'ArrowRight', bubbles: true})); return document.activeElement.getAttribute('href'); })()"
    )
    assert found.startswith("#table1-note-")


def test_the_loops_of_the_legend_rise_as_in_the_figure(page: Browser) -> None:
    names = page.evaluate(
        "[...document.querySelectorAll('#iou-chart-first .legendtext')].map(t => t.textContent)"
    )
    assert names == ["loop 1", "loop 2", "loop 3"]


def test_an_id_is_not_broken_in_a_narrow_window(page: Browser) -> None:
    page.resize(400, 900)
    heights = page.evaluate(
        "[...document.querySelectorAll('#provenance tbody tr')].map(r => r.offsetHeight)"
    )
    assert max(heights) < 40


@pytest.mark.parametrize("width", [400, 900])
def test_row_labels_stay_while_a_table_scrolls(page: Browser, width: int) -> None:
    page.resize(width, 900)
    left = "document.querySelector('#table4 tbody th').getBoundingClientRect().left"
    before = page.evaluate(left)
    page.evaluate("document.querySelector('#table4 .scroll').scrollLeft = 300")
    assert page.evaluate("document.querySelector('#table4 .scroll').scrollLeft") > 0
    assert page.evaluate(left) == pytest.approx(before, abs=1)


@pytest.mark.parametrize(("width", "rows"), [(1280, 2), (900, 2), (400, 4)])
def test_the_eight_views_of_an_image_fill_their_rows(page: Browser, width: int, rows: int) -> None:
    page.resize(width, 900)
    tops = page.evaluate(
        "[...document.querySelectorAll('.views figure')].map(f => f.getBoundingClientRect().top)"
    )
    assert len(tops) == 8
    assert len(set(tops)) == rows


def test_an_image_of_the_gallery_enlarges(page: Browser) -> None:
    width = "document.querySelector('.views figure').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.evaluate(
        "document.querySelector('.views figure svg').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert page.evaluate(width) > 2 * before


def test_boxes_and_masks_are_hidden_and_shown(page: Browser) -> None:
    shown = "getComputedStyle(document.querySelector('#pictures {}')).display !== 'none'"
    assert page.evaluate("document.querySelectorAll('#pictures figure').length") == 1 + 1 + 3 + 3
    for part, selector in (("boxes", "rect"), ("masks", "path")):
        assert page.evaluate(shown.format(selector))
        click(page, f"#show-{part}")
        assert not page.evaluate(shown.format(selector))


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("state", ["as loaded", "all open", "drawer"])
def test_the_page_is_not_wider_than_the_window(page: Browser, width: int, state: str) -> None:
    page.resize(width, 900)
    if state == "all open":
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    if state == "drawer":
        click(page, "#table1 tr[data-training=r3_naive_inc] button.open[data-key='bbox.AP']")
    time.sleep(0.5)
    for selector in ("html", "#drawer"):
        excess = (
            "document.querySelector('{0}').scrollWidth - document.querySelector('{0}').clientWidth"
        )
        assert page.evaluate(excess.format(selector)) == 0, selector
    charts = page.evaluate(
        "[...document.querySelectorAll('.chart')].map(c => c.getBoundingClientRect().right)"
    )
    assert max(charts) <= width


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_in_the_drawer_is_squeezed(page: Browser, width: int) -> None:
    page.resize(width, 900)
    click(page, RUN + "[data-key='parameters.trainable']")
    assert "3344384" in drawer(page)
    widths = "[...document.querySelectorAll('#drawer dd')].map(d => d.clientWidth)"
    assert min(page.evaluate(widths)) > 100
    names = "[...document.querySelectorAll('#drawer dt')].map(d => d.scrollWidth - d.clientWidth)"
    assert max(page.evaluate(names)) <= 0


def test_the_page_is_small_enough_to_send(written: tuple[Path, ResultFolder]) -> None:
    folder = written[0].parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 15 * 2**20


def test_pictures_for_the_readme(
    written: tuple[Path, ResultFolder], tmp_path: Path, chromium: str
) -> None:
    arguments = ["pictures", "--results", str(written[1].path), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "reports", *arguments]  # Playwright starts once a process
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("figure2.png", "table1.png"):
        with Image.open(io.BytesIO((tmp_path / name).read_bytes())) as picture:
            assert picture.width > 1500
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_faults_of_a_page_are_told(page: Browser) -> None:
    with pytest.raises(UserError, match="the page's script: Error: so"):
        page.evaluate("(() => { throw new Error('so'); })()")
    with pytest.raises(UserError, match="the page has no #nowhere"):
        page.picture("#nowhere")
