"""The picture of a search: what each configuration came to, and how good the best of k of them is expected to be."""

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .canvas import RC, Panel, canvas, plain_axes
from .curves import Style, spans_decades
from .statistics import expected_best, median_best
from .trials import Tuned


def best_of_png(tuned: Sequence[Tuned], looks: Mapping[str, Style]) -> bytes:
    """`best_of_figure` as PNG."""
    with matplotlib.rc_context(RC):
        buffer = io.BytesIO()
        best_of_figure(tuned, looks).savefig(buffer, format="png")
        return buffer.getvalue()


def best_of_figure(tuned: Sequence[Tuned], looks: Mapping[str, Style]) -> Figure:
    """Left: every configuration's value. Right: the expected best of k of them, against k (dashed: the median)."""
    tuned = [one for one in tuned if one.values]
    if not tuned:
        return canvas(2, 2, Panel(), "nothing to draw")[0]
    metric = tuned[0].metric
    figure, (left, right) = canvas(2, 2, Panel(), f"{' · '.join(tuned[0].key)}: {metric.title}", _legend(tuned, looks))
    finite = [value for one in tuned for value in one.values if math.isfinite(value)]
    for i, one in enumerate(tuned):
        _dots(left, i, one, looks[one.objective], max(finite, default=1.0))
        _curves(right, one, looks[one.objective])
    left.set_title("each configuration (×: lost, counts as worst)")
    left.set_ylabel(metric.axis)
    right.set_title("expected best of k (dashed: median)")
    right.set_xlabel("k, configurations tried")
    for axes in (left, right):
        plain_axes(axes, spans_decades(finite))
    right.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    left.set_xticks([])
    return figure


def _legend(tuned: Sequence[Tuned], looks: Mapping[str, Style]) -> list[Line2D]:
    marks = {"marker": "o", "markersize": 4}
    return [Line2D([], [], color=looks[one.objective].colour, label=one.objective, **marks) for one in tuned]


def _dots(axes: Axes, place: int, one: Tuned, look: Style, top: float) -> None:
    """In the order of drawing. A lost trial stands at what it counts as, or above all others where that is infinite."""
    counted = [trial for trial in one.trials if not math.isnan(trial.value)]
    for x, trial in zip(place + np.linspace(-0.3, 0.3, len(counted)), counted, strict=True):
        lost = trial.record.status != "completed" or math.isinf(trial.value)
        y = top * 1.15 if math.isinf(trial.value) else trial.value
        axes.plot(x, y, "x" if lost else "o", markersize=5 if lost else 4, color=look.colour, alpha=1 if lost else 0.8)


def _curves(axes: Axes, one: Tuned, look: Style) -> None:
    assert one.metric.better is not None
    k = np.arange(1, len(one.values) + 1)
    for curve, dashes in ((expected_best, "-"), (median_best, "--")):
        y = curve(one.values, one.metric.better)
        keep = np.isfinite(y)
        axes.plot(k[keep], y[keep], dashes, color=look.colour, lw=1.8 if dashes == "-" else 1.0)
