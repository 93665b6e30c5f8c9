"""What the studies' pictures share: axes that are logarithmic where they can be."""

import math

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lipbench.bench.studies.style import logarithmic


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
