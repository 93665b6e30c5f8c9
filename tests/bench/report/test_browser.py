"""The page in a real browser: it opens from disk without a request or an error, sorts, filters, and shows its pictures.

Chromium is spoken to over its debugging pipe, so nothing but the browser itself is needed.
"""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.report import report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH"),
]


class Tab:
    """One tab of a headless browser, and everything that it reported."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self.process, self.write, self.read = process, write, read
        self.measurements, self.buffer, self.events = itertools.count(1), b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    session: str | None = None

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.measurements)
        message = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path) -> None:
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def reported(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            chunk = os.read(self.read, 1 << 16)
            assert chunk, f"the browser ended with {self.process.wait()}"
            self.buffer += chunk
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="module")
def folder(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = shutil.copytree(sweep, tmp_path_factory.mktemp("page") / "sweep")
    report(made)
    return made


@pytest.fixture
def tab(folder: Path, tmp_path: Path) -> Iterator[Tab]:
    """The report, opened from disk."""
    (to_read, to_write), (from_read, from_write) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
    command = [str(BROWSER), *options, "--disable-background-networking", f"--user-data-dir={tmp_path}"]
    # the browser reads its orders from descriptor 3 and answers on 4
    shell = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "bash", *command]
    process = subprocess.Popen(shell, pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL)
    os.close(to_read)
    os.close(from_write)
    try:
        found = Tab(process, to_write, from_read)
        found.call("Emulation.setDeviceMetricsOverride", width=1400, height=1000, deviceScaleFactor=1, mobile=False)
        found.open(folder / "report.html")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)
        os.close(to_write)
        os.close(from_read)


def _column(tab: Tab, number: int) -> list[str]:
    rows = f"[...document.querySelectorAll('#summary tbody tr:not([hidden])')].map(r => r.cells[{number}])"
    return tab.run(f"{rows}.map(c => c.firstChild ? c.innerText.trim().split('\\n')[0] : '')")


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


def test_table_sorts_both_ways_with_empty_cells_last(tab: Tab) -> None:
    press = "document.querySelectorAll('#summary th button')[5].click()"
    tab.run(press)
    values = [float(text) for text in _column(tab, 5)[:4]]
    assert values == sorted(values) and _column(tab, 5)[4:] == [""] * 4
    assert tab.run("document.querySelectorAll('#summary th')[5].getAttribute('aria-sort')") == "ascending"
    tab.run(press)
    assert [float(text) for text in _column(tab, 5)[:4]] == values[::-1] and _column(tab, 5)[4:] == [""] * 4
    tab.run("document.querySelectorAll('#summary th button')[3].click()")
    assert _column(tab, 3) == sorted(_column(tab, 3))
    assert tab.run("document.querySelectorAll('#summary th[aria-sort]').length") == 1


def test_filters_hide_rows_sections_runs_and_empty_columns(tab: Tab) -> None:
    shown = "[...document.querySelectorAll('{}')].filter(e => e.getClientRects().length).length"
    assert tab.run(shown.format("details.run")) == 24
    _choose(tab, "dataset", "mnist5k")
    assert _column(tab, 0) == ["mnist5k"] * 4
    assert tab.run(shown.format("details.run")) == 12 and tab.run(shown.format("main > section")) == 3
    heads = tab.run("[...document.querySelectorAll('#summary th')].filter(t => !t.hidden).map(t => t.innerText)")
    assert not any("W1" in head for head in heads) and any("FD(mnist-cnn)" in head for head in heads)
    _choose(tab, "objective", "sn-gan")
    assert tab.run(shown.format("details.run")) == 3
    tab.run("document.querySelector('[data-filter=failures]').click()")
    assert tab.run(shown.format("details.run")) == 1
    assert tab.run("document.querySelector('#shown').textContent") == "1 rows, 1 runs shown"
    tab.run("document.querySelector('#reset').click()")
    assert len(_column(tab, 0)) == 8 and tab.run(shown.format("details.run")) == 24


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
    for _ in range(8):
        _press(tab, "Tab")
        reached.append(tab.run("document.activeElement.dataset.filter || document.activeElement.innerText.trim()"))
    assert reached[:6] == ["Skip to the summary", "dataset", "architecture", "recipe", "objective", "failures"]
    tab.run("document.querySelectorAll('#summary th button')[5].focus()")
    _press(tab, "Enter")
    assert tab.run("document.querySelectorAll('#summary th')[5].getAttribute('aria-sort')") == "ascending"
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
