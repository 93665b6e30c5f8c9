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
from safetensors import SafetensorError, safe_open

from ..records.quantities import KNOWN
from ..records.reader import WEIGHTS, RunRecord
from .blocks import Block, Group
from .canvas import GRID, Panel, canvas, plain_axes
from .curves import Style, spans_decades

CRITIC = WEIGHTS[1]
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
    names = _rank_labels(list(shown.values()), "weight_histogram")
    entries = [_outline_entry(i, len(names), name) for i, name in enumerate(names)]
    figure, axes = canvas(len(shown), min(len(shown), 4), Panel(width=2.4, height=1.9), title, entries)
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
    shown = [run for group in block.groups for run in group.measured if _layers(run, "singular_values")]
    labels = _rank_labels(shown, "singular_values")
    room = max(0.9, _APART * (len(layers) + 2))
    panel = Panel(width=max(5.0, room * len(labels)), height=2.6, left=0.82, top=0.1)
    entries = [_entry(objective, styles[objective]) for objective in layers]
    if any(len(own) > 1 for own in layers.values()):
        entries.append(Line2D([], [], color="#777777", marker=".", linestyle="", label="one seed (large: median)"))
    entries.append(Line2D([], [], color="#999999", linewidth=0.8, label="value 1"))
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
    ax.set_xticks(range(len(labels)), labels)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.set_xlabel("critic layers in the order of their definition")


def _rank_labels(runs: Sequence[RunRecord], key: str) -> list[str]:
    """A text per rank of a layer: kind and number, as in "conv 1"; the number alone where the kinds are not one."""
    ranks = [set(kinds) for kinds in zip_longest(*(_kinds(run, key) for run in runs), fillvalue="")]
    return [f"{kinds.pop() if len(kinds) == 1 else ''} {i}".strip() for i, kinds in enumerate(ranks, start=1)]


def _kinds(run: RunRecord, key: str) -> list[str]:
    """Of each layer that a record has under `key`: linear or conv, by the weights that the run kept."""
    shapes: dict[str, int] = {}
    try:
        with safe_open(run.folder / CRITIC, framework="np") as weights:
            shapes = {name: len(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        pass  # a folder need not have its weights any more
    found = []
    for layer in _layers(run, key):
        most = max((n for name, n in shapes.items() if name.startswith(f"{layer}.") and "weight" in name), default=0)
        found.append("" if most < 2 else "linear" if most == 2 else "conv")
    return found


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
        pale = tuple(1 - _depth(i, len(histograms)) * (1 - dark))
        ax.stairs(counts / max(counts.sum(), 1), edges, color=pale, linewidth=1.3, linestyle=_OUTLINES[i % 4])
    for bound in (-layers["clip"], layers["clip"]) if layers.get("clip") else ():
        ax.axvline(bound, color="#555555", linestyle="--", linewidth=1)
    if layers.get("clip"):
        ax.text(
            0.5, 0.97, f"lines at ±c = ±{layers['clip']:g}", ha="center", va="top", transform=ax.transAxes, fontsize=8
        )
    plain_axes(ax)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("weight")


def _depth(i: int, layers: int) -> float:
    """How dark the outline of layer i is, of so many: the first is pale."""
    return 0.3 + 0.7 * (i + 1) / layers


def _outline_entry(i: int, layers: int, name: str) -> Line2D:
    grey = f"{1 - 0.8 * _depth(i, layers):.3f}"
    label = f"layer {name}" if name.isdigit() else name
    return Line2D([], [], color=grey, linewidth=1.3, linestyle=_OUTLINES[i % 4], label=label)


def _singular_values(ax: Axes, runs: list[list[float]], shift: float, style: Style) -> None:
    for rank, layer in enumerate(zip_longest(*runs, fillvalue=math.nan)):
        values = [value for value in layer if math.isfinite(value)]
        if values:
            ax.plot([rank + shift] * len(values), values, ".", color=style.colour, alpha=0.5, markersize=5)
            ax.plot(rank + shift, np.median(values), style.marker, color=style.colour, markersize=_MARKER)


def _entry(objective: str, style: Style) -> Line2D:
    return Line2D([], [], color=style.colour, marker=style.marker, linestyle="", markersize=_MARKER, label=objective)
