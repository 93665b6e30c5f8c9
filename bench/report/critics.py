"""What became of the critics' weights: histograms and largest singular values of the layers, as Figures."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.quantities import KNOWN
from ..records.reader import RunRecord
from .blocks import Block, Group
from .canvas import GRID, Panel, canvas, plain_axes
from .curves import Style, spans_decades

_MARKER = 6  # points
_OUTLINES = ("-", "--", "-.", ":")  # of the layers, in turn
_APART = 0.088  # inches between two objectives at one rank, so that their markers do not cover each other


def weights_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Share of weights per bin, a line per critic layer (first pale, last dark), with ±c where weights are clipped.

    One panel per objective, of its first seed that has a histogram: bins of different seeds need not agree.
    """
    shown = {group.objective: run for group in block.groups if (run := _first(group, "weight_histogram"))}
    if not shown:
        return None
    title = f"{block.title}: critic weights at the end"
    figure, axes = canvas(len(shown), min(len(shown), 4), Panel(width=2.4, height=1.9), title)
    for i, (ax, (objective, run)) in enumerate(zip(axes, shown.items(), strict=True)):
        _histograms(ax, run.measurements.layers, styles[objective].colour)
        ax.set_title(f"{objective}, seed {run.seed}")
        if i % 4 == 0:
            ax.set_ylabel("share per bin")
    return figure


def singular_values_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Largest singular value of each critic layer at the end: every seed small, the median large.

    A layer stands at its rank in its own critic, for an objective that wraps a layer renames it. Within a rank each
    objective has its own place, so that equal values do not cover each other.
    """
    layers = {group.objective: _spectra(group) for group in block.groups}
    layers = {objective: runs for objective, runs in layers.items() if runs}
    if not layers:
        return None
    runs = [run for runs in layers.values() for run in runs]
    labels = _rank_labels([tuple(run) for run in runs])
    room = max(0.9, _APART * (len(layers) + 2))
    panel = Panel(width=max(5.0, room * len(labels)), height=2.6, left=0.82, bottom=0.9 if _long(labels) else 0.5)
    entries = [_entry(objective, styles[objective]) for objective in layers]
    entries.append(Line2D([], [], color="#777777", marker=".", linestyle="", label="one seed (large: median)"))
    figure, (ax,) = canvas(1, 1, panel, f"{block.title}: critic layers at the end", entries)
    for i, (objective, own) in enumerate(layers.items()):
        shift = (i - (len(layers) - 1) / 2) / (len(layers) + 2)
        _singular_values(ax, [list(run.values()) for run in own], shift, styles[objective])
    plain_axes(ax, spans_decades([value for run in runs for value in run.values() if math.isfinite(value)]))
    ax.axhline(1.0, color="#999999", linewidth=0.8)
    _label_ranks(ax, labels)
    ax.set_ylabel(f"largest singular value\n({KNOWN['sigma_max'].meaning})")
    return figure


def _label_ranks(ax: Axes, labels: list[str]) -> None:
    """A text below every rank, and a line between two in place of the grid's through the middle of each."""
    ax.grid(visible=False, axis="x")
    for rank in range(1, len(labels)):
        ax.axvline(rank - 0.5, **GRID)
    slanted = _long(labels)
    ax.set_xticks(range(len(labels)), labels, rotation=20 if slanted else 0, ha="right" if slanted else "center")
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.set_xlabel("critic layers in the order of their definition")


def _rank_labels(critics: Sequence[tuple[str, ...]]) -> list[str]:
    """A text per rank of a layer: its name where all critics name their layers alike, else its number."""
    if len(set(critics)) == 1:
        return list(critics[0])
    return [str(rank + 1) for rank in range(max(map(len, critics)))]


def _long(names: list[str]) -> bool:
    return max(map(len, names)) > 12


def _layers(run: RunRecord, key: str) -> dict[str, Any]:
    return run.measurements.layers.get(key) or {}


def _first(group: Group, key: str) -> RunRecord | None:
    return next((run for run in group.measured if _layers(run, key)), None)


def _spectra(group: Group) -> list[dict[str, float]]:
    """Layer → its largest singular value, for each run that has them; a record holds that value or a whole spectrum."""
    records = [_layers(run, "singular_values") for run in group.measured]
    return [{name: _largest(values) for name, values in record.items()} for record in records if record]


def _largest(values: Any) -> float:
    spectrum = np.atleast_1d(np.array(values, dtype=float))
    return float(spectrum.max()) if spectrum.size else math.nan


def _histograms(ax: Axes, layers: dict[str, Any], colour: str) -> None:
    histograms, dark = layers["weight_histogram"], np.array(to_rgb(colour))
    for i, histogram in enumerate(histograms.values()):
        counts, edges = np.array(histogram["counts"], dtype=float), np.array(histogram["edges"], dtype=float)
        share = 0.3 + 0.7 * (i + 1) / len(histograms)
        ax.stairs(
            counts / max(counts.sum(), 1),
            edges,
            color=tuple(1 - share * (1 - dark)),
            linewidth=1.3,
            linestyle=_OUTLINES[i % 4],
        )
    for bound in (-layers["clip"], layers["clip"]) if layers.get("clip") else ():
        ax.axvline(bound, color="#555555", linestyle="--", linewidth=1)
    if layers.get("clip"):
        ax.text(
            0.5, 0.97, f"dashed: ±c = ±{layers['clip']:g}", ha="center", va="top", transform=ax.transAxes, fontsize=8
        )
    plain_axes(ax)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("weight (pale: first layer)")


def _singular_values(ax: Axes, runs: list[list[float]], shift: float, style: Style) -> None:
    for rank, layer in enumerate(zip_longest(*runs, fillvalue=math.nan)):
        values = [value for value in layer if math.isfinite(value)]
        if values:
            ax.plot([rank + shift] * len(values), values, ".", color=style.colour, alpha=0.5, markersize=5)
            ax.plot(rank + shift, np.median(values), style.marker, color=style.colour, markersize=_MARKER)


def _entry(objective: str, style: Style) -> Line2D:
    return Line2D([], [], color=style.colour, marker=style.marker, linestyle="", markersize=_MARKER, label=objective)
