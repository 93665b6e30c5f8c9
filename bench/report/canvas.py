"""Figures with panels at fixed places, few plain ticks and one legend below.

Places are computed in inches here: matplotlib's layout engines would measure every text twice, which costs more than
the drawing itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

GRID: dict[str, Any] = {"color": "#dddddd", "linewidth": 0.6}
FLOOR_STYLE = {"color": "#555555", "linestyle": ":", "linewidth": 1.4}
RC: dict[Any, Any] = {  # matplotlib names the type of these keys only in its latest versions
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titley": 1.02,  # searching a free place above the ticks takes a third of the time
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    **{f"grid.{key}": value for key, value in GRID.items()},
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "pdf.fonttype": 42,  # journals refuse the default, Type 3
    "text.parse_math": False,  # a dollar sign in somebody's label is a dollar sign
}
_TITLE, _LEGEND_ROW = 0.36, 0.21  # inches
_LINE_HANDLE, _MARKER_HANDLE = 5.2, 2.0  # font sizes; a line's shows the longest dash pattern twice


@dataclass(frozen=True)
class Panel:
    """Size of a panel's axes and the room around them for its labels, in inches."""

    width: float = 3.7
    height: float = 2.3
    left: float = 0.84
    right: float = 0.12
    top: float = 0.28
    bottom: float = 0.5


def canvas(n: int, columns: int, panel: Panel, title: str, entries: Sequence[Line2D] = ()) -> tuple[Figure, list[Axes]]:
    """A figure with n panels in rows of `columns`, a title above and a legend of `entries` below them."""
    rows = math.ceil(n / columns)
    cell = panel.left + panel.width + panel.right, panel.top + panel.height + panel.bottom
    width = max(cell[0] * columns, 0.082 * len(title) + 0.4)
    handle = _MARKER_HANDLE if all(entry.get_linestyle() == "None" for entry in entries) else _LINE_HANDLE
    legend_columns = _legend_columns(entries, handle, width)
    legend = _LEGEND_ROW * math.ceil(len(entries) / legend_columns) + 0.06 if entries else 0.0
    height = _TITLE + cell[1] * rows + legend
    figure = Figure(figsize=(width, height))
    figure.suptitle(title, fontsize=11, y=1 - 0.1 / height, va="top")
    if entries:
        figure.legend(
            handles=list(entries), loc="lower center", ncols=legend_columns, handlelength=handle, borderaxespad=0.1
        )
    stretched = panel.width + width / columns - cell[0]
    axes = []
    for i in range(n):
        left = (i % columns) * width / columns + panel.left
        bottom = height - _TITLE - (i // columns) * cell[1] - panel.top - panel.height
        axes.append(figure.add_axes((left / width, bottom / height, stretched / width, panel.height / height)))
    return figure, axes


def plain_axes(ax: Axes, log: bool = False) -> None:
    """Few ticks with plain numbers; minor ticks are left out because drawing them takes most of the time."""
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(log_ticks(*ax.get_ylim()))
    else:
        ax.yaxis.set_major_locator(few_ticks())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(tick))
    ax.xaxis.set_major_locator(few_ticks())
    ax.xaxis.set_major_formatter(FuncFormatter(tick))


def floor_line(ax: Axes, value: float, name: str, below: bool) -> None:
    """A dotted line with its name on the side where no curve should be."""
    ax.axhline(value, **FLOOR_STYLE)
    place = {"xy": (1, value), "xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate(
        name,
        **place,
        xytext=(-2, -2 if below else 2),
        ha="right",
        va="top" if below else "bottom",
        fontsize=7.5,
        color=FLOOR_STYLE["color"],
    )


def with_room(low: float, high: float, log: bool = False, room: float = 0.08) -> tuple[float, float]:
    """The ends of an axis from low to high, with a share of it as room on both sides; around a single value too."""
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    if log:
        more = (high / low) ** room
        return low / more, high * more
    more = room * (high - low)
    return low - more, high + more


def few_ticks() -> MaxNLocator:
    """At most six round numbers."""
    return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])


def log_ticks(low: float, high: float) -> LogLocator:
    """Powers of ten; with 2 and 5 times them where the axis spans little."""
    return LogLocator(subs=(1.0, 2.0, 5.0) if high < 200 * low else (1.0,), numticks=6)


def tick(value: float, _position: int | None = None) -> str:
    """A tick's label: 0.05, 2000, 250k, 1.5e−7."""
    if 1e4 <= abs(value) < 1e9:
        scale, letter = (1e6, "M") if abs(value) >= 1e6 else (1e3, "k")
        return f"{value / scale:g}{letter}".replace("-", "−")
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}".replace("-", "−")
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−")


def _legend_columns(entries: Sequence[Line2D], handle: float, width: float) -> int:
    """As few columns as give the fewest rows; matplotlib fills them one by one, each as wide as its widest entry."""
    beside = 0.35 + handle * RC["font.size"] / 72
    widths = np.array([beside + 0.08 * len(str(entry.get_label())) for entry in entries])
    columns = range(1, len(widths) + 1)
    fits = [n for n in columns if sum(c.max() for c in np.array_split(widths, n)) < width]
    return min(fits, key=lambda n: (math.ceil(len(widths) / n), n), default=1)
