"""What the studies' pictures share: axes that are logarithmic where they can be, and marks of diverged runs."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lipbench.bench.studies.claims.robustness.counts import bars
from lipbench.bench.studies.plotting.style import draw_course, logarithmic, scatter_medians, seed_dots


@pytest.mark.parametrize(
    ("values", "scale"),
    [([0.1, 10.0], "log"), ([0.0, 3.0, math.inf], "log"), ([math.inf] * 2, "linear"), ([0.0, -1.0], "linear")],
)
def test_logarithmic_wants_a_value_that_is_positive_and_finite(values: list[float], scale: str) -> None:
    figure = Figure()
    axis = figure.subplots()
    axis.scatter(range(len(values)), values)
    logarithmic(axis, y=pd.Series(values))
    FigureCanvasAgg(figure).draw()
    assert (axis.get_xscale(), axis.get_yscale()) == ("linear", scale)


def marks(axis: Axes) -> tuple[list[float], list[str]]:
    """Where red crosses lie, in data, and the numbers beside them."""
    lines = [line for line in axis.lines if line.get_marker() == "x"]
    return [float(line.get_xdata()[0]) for line in lines], [text.get_text() for text in axis.texts]  # pyright: ignore


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_dots_show_infinite_values_as_a_cross_with_their_number(scale: str) -> None:
    axis = Figure().subplots()
    seed_dots(axis, ["a", "b", "c"], [[1.0, 2.0], [1.0, math.inf], [math.inf] * 3])
    axis.set_yscale(scale)
    FigureCanvasAgg(axis.figure).draw()  # pyright: ignore[reportArgumentType]
    assert marks(axis) == ([1.0, 2.0], ["3"])
    assert axis.get_ylim()[1] < 3


def test_medians_at_a_value_are_beside_a_cross_where_runs_diverged() -> None:
    axis = Figure().subplots()
    scatter_medians(axis, pd.Series([1.0, 1.0, 5.0, 5.0]), pd.Series([2.0, 3.0, math.inf, math.inf]), "black")
    assert marks(axis) == ([5.0], ["2"])


def test_course_counts_a_run_that_stopped_as_the_worst_from_there_on() -> None:
    axis = Figure().subplots()
    steps = {0: (0, 10, 20, 30), 1: (0, 10, 20, 30), 2: (0, 10, 13)}  # the last one has an evaluation where it stopped
    rows = [{"seed": s, "step": step, "w1": s + 1.0} for s, own in steps.items() for step in own]
    draw_course(axis, pd.DataFrame(rows), "w1", math.inf, "black", "x")
    assert np.asarray(axis.lines[0].get_xdata()).tolist() == [0, 10, 20, 30]
    assert np.asarray(axis.lines[0].get_ydata()).tolist() == [2.0, 2.0, 2.0, 2.0]
    rows = [row for row in rows if row["seed"] != 1 or row["step"] < 20]
    draw_course(axis, pd.DataFrame(rows), "w1", math.inf, "black", "x")
    assert np.asarray(axis.lines[1].get_ydata()).tolist() == [2.0, 2.0, math.inf, math.inf]


def test_bars_show_a_diverged_run_as_a_cross_whatever_its_value() -> None:
    runs = pd.DataFrame({"objective": "SN", "setting": ["A", "B"], "value": 2.0, "status": ["completed", "diverged"]})
    axis = Figure().subplots()
    bars(axis, runs, {"SN": "green"})
    assert marks(axis) == ([1.0], [])
    assert [len(points.get_offsets()) for points in axis.collections[1:]] == [1, 0]  # pyright: ignore
