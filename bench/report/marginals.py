"""Points of one, or three to five columns: each column's histogram, and each pair of columns. Two are the scatter."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.reader import read_samples
from .blocks import Block
from .canvas import Panel, canvas, plain_axes
from .curves import Style, sample_runs

MOST_COLUMNS = 5
_SHOWN = 300  # points of each objective in a panel
_BINS = 30
_LETTERS = 20  # of a column's name
_MARGIN = 0.15  # of the real sample's extent, on each side
_PANEL = Panel(1.6, 1.4, 0.58, 0.1, 0.08, 0.42)
_REAL = "#999999"


def marginals_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Histograms on the diagonal, pairs below and above it: real data grey, each objective's samples of one seed."""
    runs = {o: r.samples for o, r in sample_runs(block).items() if r and r.samples}
    shown = {o: read_samples(path, "fake", "real", "columns") for o, path in runs.items()}
    real = next((s["real"] for s in shown.values() if "real" in s), None)
    if real is None or not _has_marginals(real):
        return None
    columns = real.shape[1]
    names = _names(next((s["columns"] for s in shown.values() if "columns" in s), None), columns)
    entries = [Line2D([], [], color=_REAL, label="real data")]
    entries += [Line2D([], [], color=styles[o].colour, label=o) for o in shown]
    samples = [(_REAL, real)] + [(styles[o].colour, s["fake"]) for o, s in shown.items()]
    what = "columns and pairs of them" if columns > 1 else "histogram"
    figure, axes = canvas(columns**2, columns, _PANEL, f"{block.title}: {what}", entries)
    for i, ax in enumerate(axes):
        down, across = divmod(i, columns)
        if down == across:
            _histograms(ax, [(colour, points[:, across]) for colour, points in samples])
        else:
            _pairs(ax, [(colour, points[:, [across, down]]) for colour, points in samples])
        ax.set(xlim=_limits(real[:, across]), xlabel=names[across] if down == columns - 1 else "")
        plain_axes(ax)
        if across == 0:
            ax.set_ylabel(names[down] if columns > 1 else "share per bin", labelpad=1)
        if down == across and columns > 1:
            ax.tick_params(labelleft=False)  # a share per bin, where the row's other panels have the column's values
    return figure


def _has_marginals(real: np.ndarray) -> bool:
    return real.ndim == 2 and real.shape[1] != 2 and real.shape[1] <= MOST_COLUMNS


def _names(known: np.ndarray | None, columns: int) -> list[str]:
    """Of the columns, none longer than a panel."""
    if known is None:
        return [f"column {i + 1}" for i in range(columns)]
    return [textwrap.shorten(name, _LETTERS, placeholder="…") or f"{name[: _LETTERS - 1]}…" for name in map(str, known)]


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = max(high - low, 1e-12) * _MARGIN
    return low - room, high + room


def _histograms(ax: Axes, samples: list[tuple[str, np.ndarray]]) -> None:
    low, high = _limits(samples[0][1])
    for i, (colour, values) in enumerate(samples):
        density, edges = np.histogram(values[np.isfinite(values)], bins=_BINS, range=(low, high), density=False)
        share = density / max(1, len(values))
        ax.stairs(share, edges, color=colour, fill=i == 0, alpha=0.5 if i == 0 else 1.0)


def _pairs(ax: Axes, samples: list[tuple[str, np.ndarray]]) -> None:
    for i, (colour, points) in enumerate(samples):
        shown = points[np.isfinite(points).all(axis=1)][:_SHOWN]
        ax.scatter(*shown.T, s=3 if i else 5, color=colour, alpha=0.35, linewidths=0)
    ax.set_ylim(_limits(samples[0][1][:, 1]))
