"""The page in a real browser: it opens from disk without a request or an error, sorts, filters, and shows its pictures.

Chromium is spoken to over its debugging pipe, so nothing but the browser itself is needed.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lipbench.bench.report import report

from .browser import BROWSER, Tab, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH"),
]


@pytest.fixture(scope="module")
def folder(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = shutil.copytree(sweep, tmp_path_factory.mktemp("page") / "sweep")
    report(made)
    return made


@pytest.fixture
def tab(folder: Path, tmp_path: Path) -> Iterator[Tab]:
    """The report, opened from disk."""
    with opened(folder / "report.html", tmp_path) as found:
        yield found


def _column(tab: Tab, number: int, table: int = 0) -> list[str]:
    rows = (
        f"[...document.querySelectorAll('.sortable')[{table}].tBodies[0].rows].filter(r => r.getClientRects().length)"
    )
    return tab.run(f"{rows}.map(r => r.cells[{number}].innerText.trim().split('\\n')[0])")


def _choose(tab: Tab, factor: str, value: str) -> None:
    tab.run(
        f"(() => {{ const s = document.querySelector('[data-filter={factor}]');"
        f"s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
    )


def _press(tab: Tab, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowLeft": 37}
    text = {"text": "\r"} if key == "Enter" else {}
    tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=codes[key], **text)
    tab.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=codes[key])


def test_page_opens_without_a_request_or_an_error(tab: Tab) -> None:
    requests = [event["request"]["url"] for event in tab.reported("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith("data:")] == [tab.run("location.href")]
    assert tab.reported("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


def test_page_shows_every_picture(tab: Tab) -> None:
    tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    wait = "Promise.all([...document.images].map(i => i.decode())).then(() => document.images.length)"
    assert tab.call("Runtime.evaluate", expression=wait, awaitPromise=True)["result"]["value"] == 10 + 4 + 22
    drawn = tab.run("[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 0).length")
    assert drawn > 60
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_table_sorts_both_ways_and_leaves_the_others(tab: Tab) -> None:
    press, other = (
        "document.querySelectorAll('.sortable')[0].querySelectorAll('th button')[{}].click()",
        _column(tab, 0, 1),
    )
    tab.run(press.format(1))
    values = [float(text.split(",")[0].split(" ")[0]) for text in _column(tab, 1)]
    assert values == sorted(values) and len(values) == 4
    assert tab.run("document.querySelectorAll('.sortable th')[1].getAttribute('aria-sort')") == "ascending"
    tab.run(press.format(1))
    assert [float(text.split(",")[0].split(" ")[0]) for text in _column(tab, 1)] == values[::-1]
    tab.run(press.format(0))
    assert _column(tab, 0) == sorted(_column(tab, 0)) and _column(tab, 0, 1) == other
    assert tab.run("document.querySelectorAll('.sortable th[aria-sort]').length") == 1


def test_filters_hide_rows_runs_tables_and_blocks_and_say_where_nothing_is_left(tab: Tab) -> None:
    shown = "[...document.querySelectorAll('{}')].filter(e => e.getClientRects().length).length"
    assert tab.run(shown.format("details.run")) == 24
    _choose(tab, "dataset", "mnist5k")
    assert tab.run(shown.format(".sortable")) == 1 and len(_column(tab, 0, 1)) == 4
    assert tab.run(shown.format("details.run")) == 12 and tab.run(shown.format("main > section")) == 4 + 1
    _choose(tab, "objective", "sn-gan")
    assert tab.run(shown.format("details.run")) == 3 and _column(tab, 0, 1) == ["sn-gan"]
    tab.run("document.querySelector('[data-filter=failures]').click()")
    assert tab.run("document.querySelector('#shown').textContent") == "1 of 24 runs shown"
    _choose(tab, "objective", "wgan-gp")
    assert tab.run(shown.format("#none")) == 1 and tab.run(shown.format("main > section")) == 3
    tab.run("document.querySelector('#reset').click()")
    assert (
        len(_column(tab, 0)) == 4 and tab.run(shown.format("details.run")) == 24 and not tab.run(shown.format("#none"))
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_name_and_first_metric_are_seen_without_scrolling(tab: Tab, tmp_path: Path, width: int, scheme: str) -> None:
    tab.resize(width, scheme=scheme)
    for part in ("header", "#table", "#block-8gaussians", "#runs", "footer"):
        (tmp_path / f"{part.strip('#')}-{width}-{scheme}.png").write_bytes(tab.picture(part))  # to be looked at
    cells = "[...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[1].getBoundingClientRect().right)"
    assert all(right <= width for right in tab.run(cells))
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_printed_tables_fit_the_paper_and_keep_their_colours(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_bytes(tab.printed())  # to be looked at
    tab.resize(688)  # A4 without its margins
    tab.call("Emulation.setEmulatedMedia", media="print")
    wide = "[...document.querySelectorAll('{}')].filter(e => e.getClientRects().length && e.scrollWidth > {}).length"
    assert tab.run("document.querySelectorAll('.scroll').length") > 4
    assert tab.run(wide.format(".scroll", "e.clientWidth")) == 0 and tab.run(wide.format("table", "688")) == 0
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert tab.run(style.format(".swatch", "printColorAdjust")) == "exact"
    assert tab.run(style.format(".controls", "display")) == "none"
    starts = "[...document.querySelectorAll('section[id^=block-]')].map(s => getComputedStyle(s).breakBefore)"
    assert set(tab.run(starts)) == {"page"}


def test_slider_moves_the_samples_through_the_iterations(tab: Tab) -> None:
    place = "document.querySelector('img[data-steps]').style.objectPosition"
    assert tab.run(place) == "100% 0px"
    tab.run("document.querySelector('input[type=range]').focus()")
    _press(tab, "Home")
    assert tab.run(place) == "0% 0px" and tab.run("document.querySelector('output').textContent") == "iteration 0"
    _press(tab, "End")
    _press(tab, "ArrowLeft")
    assert tab.run(place) == "80% 0px" and tab.run("document.querySelector('output').textContent") == "iteration 2400"


def test_curves_can_be_drawn_against_seconds(tab: Tab) -> None:
    quality = "document.querySelectorAll('#block-8gaussians > .charts [data-drawn]')"
    shown = f"[...{quality}].filter(d => d.getClientRects().length)"
    assert set(tab.run(f"{shown}.map(d => d.dataset.drawn)")) == {"step"}
    tab.run("document.querySelector('#block-8gaussians [data-axis=seconds]').click()")
    assert tab.run(f"{shown}.map(d => d.dataset.drawn)") == ["seconds"] * 4


def test_charts_against_iterations_alone_stay_when_others_are_drawn_against_seconds(tab: Tab) -> None:
    tab.run("document.querySelector('#block-8gaussians details').open = true")
    shown = (
        "[...document.querySelectorAll('#block-8gaussians details figure')].map(f =>"
        "[...f.querySelectorAll('[data-drawn]')].filter(d => d.getClientRects().length).map(d => d.dataset.drawn))"
    )
    before = tab.run(shown)
    assert len(before) > 4 and all(drawn == ["step"] for drawn in before)
    tab.run("document.querySelector('#block-8gaussians [data-axis=seconds]').click()")
    assert tab.run(shown) == before


def test_keyboard_reaches_and_works_the_controls(tab: Tab) -> None:
    reached = []
    for _ in range(16):
        _press(tab, "Tab")
        reached.append(tab.run("document.activeElement.dataset.filter || document.activeElement.innerText.trim()"))
    assert reached[0] == "Skip to the summary" and reached[8:14] == [
        "dataset",
        "architecture",
        "recipe",
        "objective",
        "failures",
        "Show all",
    ]
    tab.run("document.querySelectorAll('.sortable th button')[1].focus()")
    _press(tab, "Enter")
    assert tab.run("document.querySelectorAll('.sortable th')[1].getAttribute('aria-sort')") == "ascending"
    tab.run("document.querySelector('details.run summary').focus()")
    _press(tab, "Enter")
    assert tab.run("document.querySelector('details.run').open") is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(tab: Tab, scheme: str) -> None:
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    colours = "['--ink', '--muted', '--bad', '--accent', '--paper'].map(v => style.getPropertyValue(v).trim())"
    *texts, paper = tab.run(
        f"(() => {{ const style = getComputedStyle(document.documentElement); return {colours}; }})()"
    )
    assert (_luminance(paper) > 0.5) == (scheme == "light")
    assert all(_contrast(text, paper) >= 4.5 for text in texts)


def _luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)
