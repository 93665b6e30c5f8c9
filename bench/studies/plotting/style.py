"""How the studies' pictures look: panels, labels, marks. No measurements here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from ...report.canvas import GRID
from ...report.palette import CYCLE, GREY

NAME_WIDTH, NAME_HEIGHT = 60, 9  # what the name of a point takes, in points of 1/72 inch


def panels(
    title: str, columns: int = 1, width: float = 4.6, height: float = 3.5, *, rows: int = 1, lines: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with rows of panels, row by row, and its title in words; `lines` draws a faint grid in each."""
    # At least two panels wide, so that a title in words has room.
    size = (max(width * columns, 6.4), height * rows + 0.3)
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=9 if rows == 1 else 8)
        if lines:
            axis.grid(**GRID)
    return figure, axes


def label(axis: Axes, x: str, y: str, title: str = "") -> None:
    """The axes' labels, with units, and the panel's title."""
    axis.set_xlabel(x, fontsize=9)
    axis.set_ylabel(y, fontsize=9)
    if title:
        axis.set_title(title, fontsize=9.5)


def threshold(axis: Axes, value: float, text: str, horizontal: bool = True) -> None:
    """A dashed line where the criterion lies; the legend names it."""
    draw = axis.axhline if horizontal else axis.axvline
    draw(value, color=GREY, linestyle="--", linewidth=1, label=text)


def legend(axis: Axes, **options: object) -> None:
    """A small legend without a frame."""
    axis.legend(**{"fontsize": 8, "framealpha": 0.85, "edgecolor": "none", **options})  # pyright: ignore[reportArgumentType]


def shared_legend(figure: Figure, axis: Axes) -> None:
    """One legend below panels that show the same things, of which `axis` has all."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)


def logarithmic(axis: Axes, x: pd.Series | None = None, y: pd.Series | None = None) -> None:
    """Logarithmic axes for what is given, unless none is positive and finite: one evaluation alone has no sd."""
    for values, scale in ((x, axis.set_xscale), (y, axis.set_yscale)):
        if values is not None and values.between(0, np.inf, inclusive="neither").any():
            scale("log")


def label_powers_of_ten(axis: Axis) -> None:
    """Labels a logarithmic axis with powers of ten only."""
    axis.set_major_formatter(lambda value, _: f"$10^{{{round(np.log10(value))}}}$")


def seed_dots(
    axis: Axes, names: Sequence[str], groups: Sequence[Sequence[float]], colors: Sequence[str] = CYCLE
) -> None:
    """Every seed as a dot above its group's name, with a bar at the median; see `mark_infinite` for infinite values."""
    for place, (values, color) in enumerate(zip(groups, colors, strict=False)):
        shift = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1)
        axis.scatter(place + shift, values, s=16, color=color, alpha=0.8, linewidths=0)
        axis.hlines(np.median(values), place - 0.25, place + 0.25, color=color, linewidth=2)
        mark_infinite(axis, place, values)
    axis.set_xticks(range(len(names)), names, fontsize=8.5)
    axis.set_xlim(-0.6, len(names) - 0.4)


def mark_infinite(axis: Axes, place: float, values: Sequence[float] | pd.Series) -> None:
    """A red cross at the top for those of the values at this place that are infinite, with their number if several."""
    lost = int(np.isinf(np.asarray(values, dtype=float)).sum())
    across = axis.get_xaxis_transform()  # x in data, y in shares of the axis: no scale of y matters
    if lost:
        axis.plot([place], [0.97], "x", color="red", markersize=6, markeredgewidth=1.5, transform=across, clip_on=False)
    if lost > 1:
        where = {"xycoords": across, "xytext": (5, 0), "textcoords": "offset points"}
        axis.annotate(str(lost), (place, 0.97), color="red", fontsize=7.5, va="center", **where)


def seed_lines(axis: Axes, rows: pd.DataFrame, x: str, y: str, name: str | None, **look: Any) -> None:
    """A line a seed, all of one look, which the legend calls `name`."""
    for place, (_, line) in enumerate(rows.groupby("seed")):
        axis.plot(line[x], line[y], label=None if place else name, **look)


def scatter_medians(axis: Axes, x: pd.Series, y: pd.Series, color: str, name: str | None = None) -> None:
    """A dot per seed, and a line through the medians at each x, which the legend calls `name`; see `mark_infinite`."""
    axis.scatter(x, y, s=16, color=color, alpha=0.8, linewidths=0)
    medians = y.groupby(x).median()
    axis.plot(medians.index, medians, color=color, linewidth=1.2, label=name)
    for place, values in y.groupby(x):
        mark_infinite(axis, float(place), values)  # pyright: ignore[reportArgumentType]


def draw_course(
    axis: Axes, runs: pd.DataFrame, column: str, worst: float, color: str, name: str, *, ranges: bool = True
) -> None:
    """The median over seeds against the step, and the range as a band, which ends where it is infinite.

    A run that stopped counts as `worst` from there on; steps at which not every other run has a value are left out.
    """
    table = runs.pivot(index="step", columns="seed", values=column)
    table = table.where(table.bfill().notna(), worst).dropna()
    axis.plot(table.index, table.median(axis=1), color=color, linewidth=1.5, label=name)
    if ranges:
        low, high = table.min(axis=1), table.max(axis=1)
        axis.fill_between(table.index, low, high, color=color, alpha=0.12, linewidth=0)


def name_points(axis: Axes, points: pd.DataFrame, colors: Mapping[str, str]) -> None:
    """Writes each point's name (its row's) up and right of it, above names that it would cover.

    Call it last: distances are taken on the finished axes. `points` has columns x and y.
    """
    axis.autoscale_view()
    place = axis.transData.transform(points.to_numpy()) * 72 / axis.figure.dpi  # in points of 1/72 inch
    tops: list[tuple[float, float]] = []
    for row in np.argsort(place[:, 1]):
        x, y = place[row]
        for _, other in sorted((top for top in tops if abs(top[0] - x) < NAME_WIDTH), key=lambda top: top[1]):
            y = max(y, other + NAME_HEIGHT) if y > other - NAME_HEIGHT else y
        tops.append((x, y))
        name = str(points.index[row])
        lifted = y - place[row][1]
        line = {"arrowstyle": "-", "linewidth": 0.5, "color": colors.get(name, GREY)} if lifted else None
        axis.annotate(
            name,
            tuple(points.iloc[row]),
            xytext=(5, 4 + lifted),
            textcoords="offset points",
            fontsize=7.5,
            color=colors.get(name, GREY),
            arrowprops=line,
        )
