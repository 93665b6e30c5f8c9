"""Charts as SVG: well-formed, to scale, escaped."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lipbench.bench.report.curves import Curve, Line, styles
from lipbench.bench.report.svg import Scale, chart, sparkline

X = np.array([0.0, 50.0, 100.0])
SVG = "{http://www.w3.org/2000/svg}"


def _curve(name: str, y: list[float], cross: tuple[float, float] | None = None) -> Curve:
    values = np.array(y)
    return Curve(name, [Line(0, X, values, cross), Line(1, X, 2 * values, None)], X, 1.5 * values)


def _parse(markup: str) -> ET.Element:
    return ET.fromstring(str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_scale_maps_ends_and_middle() -> None:
    linear, log = Scale(0, 100, 50, 390), Scale(0.1, 10, 190, 10, log=True)
    assert linear(np.array([50.0])) == pytest.approx([220])
    assert log(np.array([1.0])) == pytest.approx([100])
    assert 50 < linear(np.array([0.0]))[0] < 65 and 10 < log(np.array([10.0]))[0] < 20
    assert all(np.isclose(log.ticks, value, rtol=1e-12).any() for value in (0.1, 1.0, 10.0))
    assert set(linear.ticks) == {0, 25, 50, 75, 100}
    assert np.isfinite(Scale(3, 3, 0, 1)(np.array([3.0]))).all()


def test_chart_draws_every_seed_the_median_the_floor_and_crosses() -> None:
    found = [_curve("a", [3, 2, 1], cross=(50, 2)), _curve("b", [6, 5, 4])]
    root = _parse(chart(found, styles(["a", "b"]), ("iteration", "data units"), (0.5, "real data 0.5", True)))
    kinds = [path.get("class") for path in root.iter(f"{SVG}path")]
    assert (kinds.count("seed"), kinds.count("median"), kinds.count("floor"), kinds.count("cross")) == (2, 2, 1, 1)
    again = Curve("c", [Line(0, X, X, (50, 50)), Line(1, X, X, (50, 50), recovered=True)], X, X)
    titles = {
        p.get("class"): p[0].text
        for p in _parse(chart([again], styles(["c"]), ("x", "y"))).iter(f"{SVG}path")
        if len(p)
    }
    assert titles == {"cross": "c, seed 0: diverged", "cross recovered": "c, seed 1: diverged, recovered later"}
    seeds = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "seed").get("d") or ""
    assert seeds.count("M") == 2 and seeds.count("L") == 4
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"iteration", "data units", "0", "50", "100", "real data 0.5"} <= texts


def test_chart_stays_inside_its_box() -> None:
    root = _parse(chart([_curve("a", [0.001, 2, 900])], styles(["a"]), ("x", "y"), (0.0005, "floor", True), log=True))
    for path in (p for p in root.iter(f"{SVG}path") if p.get("class") in ("seed", "median")):
        numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", path.get("d") or "")]
        assert all(50 <= x <= 390 for x in numbers[::2]) and all(8 <= y <= 192 for y in numbers[1::2])


def test_chart_has_room_for_the_longest_labels_of_ticks() -> None:
    root = _parse(chart([_curve("a", [-7.5e-5, -1e-4, -1.35e-4])], styles(["a"]), ("x", "y")))
    texts = [text for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    assert "−2.5e−4" in {text.text for text in texts}
    # letters of 10.5 pixels are some 0.6 of that wide; the name of the axis reaches down to 14
    assert all(float(text.get("x") or 0) - 0.6 * 10.5 * len(text.text or "") > 14 for text in texts)


def test_chart_of_stairs_moves_across_then_down_and_reaches_zero() -> None:
    curve = Curve("a", [Line(-1, X, np.array([1.0, 0.5, 0.5]), None)], X, np.array([1.0, 0.5, 0.5]))
    root = _parse(chart([curve], styles(["a"]), ("x", "share"), stairs=True))
    median = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "median").get("d") or ""
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+V[\d.]+H[\d.]+V[\d.]+", median)
    assert "0" in {text.text for text in root.iter(f"{SVG}text")}


def test_chart_escapes_labels_and_is_empty_without_curves() -> None:
    name = '<script>"&'
    markup = chart([_curve(name, [3, 2, 1], cross=(50, 2))], styles([name]), ("<x>", "<y>"))
    assert "<script" not in markup and "<x>" not in markup
    assert name in (_parse(markup).get("aria-label") or "")
    assert chart([], {}, ("x", "y")) == ""


def test_sparkline_leaves_out_what_is_not_finite() -> None:
    style = styles(["a"])["a"]
    markup = sparkline(np.arange(4.0), np.array([1.0, np.nan, 3.0, np.inf]), style, "<w1>")
    assert markup.count("L") == 1 and "&lt;w1&gt;" in markup and "nan" not in markup
    assert sparkline(np.arange(2.0), np.array([1.0, np.nan]), style, "w1") == ""


def test_chart_is_as_high_as_it_is_told_to_be() -> None:
    levels = []
    for extent in ((0.0, 20.0), (1.0, 6.0)):
        root = _parse(chart([_curve("a", [3, 2, 1])], styles(["a"]), ("x", "y"), extent=extent))
        seed = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "median").get("d") or ""
        levels.append([float(y) for y in re.findall(r"\d+\.\d+", seed)[1::2]])
    assert max(levels[0]) - min(levels[0]) < 0.3 * (max(levels[1]) - min(levels[1]))


def test_chart_draws_what_is_beyond_its_axis_at_the_edge_and_says_so() -> None:
    found = [_curve("a", [3, 2, 1]), _curve("b", [3, 90, 1e9], cross=(100, 1e9)), _curve("c", [3, 2, 1])]
    texts, high = [], []
    for extent in ((1.0, 6.0), (0.0, 1e12)):
        root = _parse(chart(found, styles(["a", "b", "c"]), ("x", "y"), extent=extent))
        paths = [path.get("d") or "" for path in root.iter(f"{SVG}path") if path.get("class") in ("seed", "median")]
        places = [float(y) for path in paths for y in re.findall(r"\d+\.\d+", path)[1::2]]
        assert all(8 <= y <= 192 for y in places)
        (cross,) = [path.get("d") or "" for path in root.iter(f"{SVG}path") if path.get("class") == "cross"]
        high.append(float(re.findall(r"\d+\.\d+", cross)[1]) + 4)
        texts.append([text.text for text in root.iter(f"{SVG}text") if "beyond" in (text.text or "")])
    assert texts == [["2 runs beyond the axis"], []]
    assert high[0] == pytest.approx(8) and high[1] > 150
