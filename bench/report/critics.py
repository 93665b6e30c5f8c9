"""What became of the critics' weights: histograms and largest singular values of the layers, as Figures."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .blocks import Block, Cell
from .canvas import Panel, canvas, plain_axes
from .curves import Style
from .records import RunRecord


def weights_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Share of weights per bin, a line per critic layer (first pale, last dark), with ±c where weights are clipped.

    One panel per objective, of its first seed that has a histogram: bins of different seeds need not agree.
    """
    shown = {cell.objective: run for cell in block.cells if (run := _first(cell, "weight_histogram"))}
    if not shown:
        return None
    title = f"{block.title}: critic weights at the end"
    figure, axes = canvas(len(shown), min(len(shown), 4), Panel(width=2.4, height=1.9), title)
    for i, (ax, (objective, run)) in enumerate(zip(axes, shown.items(), strict=True)):
        _histograms(ax, run.result["layers"], styles[objective].colour)
        ax.set_title(f"{objective}, seed {run.seed}")
        if i % 4 == 0:
            ax.set_ylabel("share per bin")
    return figure


def singular_values_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Largest singular value of each critic layer at the end: every seed small, the median large."""
    found = {c.objective: [_largest(r) for r in c.measured if _layers(r, "singular_values")] for c in block.cells}
    found = {objective: values for objective, values in found.items() if values}
    if not found:
        return None
    names = list(dict.fromkeys(name for runs in found.values() for values in runs for name in values))
    entries = [_entry(objective, styles[objective]) for objective in found]
    entries.append(Line2D([], [], color="#777777", marker=".", linestyle="", label="one seed (large: median)"))
    panel = Panel(width=max(5.0, 0.9 * len(names)), height=2.6, bottom=0.9 if _long(names) else 0.5)
    figure, (ax,) = canvas(1, 1, panel, f"{block.title}: critic layers at the end", entries)
    for i, (objective, runs) in enumerate(found.items()):
        shift = (i - (len(found) - 1) / 2) * min(0.14, 0.7 / len(found))
        _singular_values(ax, names, runs, shift, styles[objective])
    values = [value for runs in found.values() for run in runs for value in run.values() if math.isfinite(value)]
    plain_axes(ax, log=bool(values) and min(values) > 0 and max(values) > 10 * min(values))
    ax.axhline(1.0, color="#999999", linewidth=0.8)
    ax.set_xticks(
        range(len(names)), names, rotation=20 if _long(names) else 0, ha="right" if _long(names) else "center"
    )
    ax.set(xlabel="critic layer, from input to output", ylabel="largest singular value")
    return figure


def _long(names: list[str]) -> bool:
    return max(map(len, names)) > 12


def _layers(run: RunRecord, key: str) -> dict[str, Any]:
    return (run.result.get("layers") or {}).get(key) or {}


def _first(cell: Cell, key: str) -> RunRecord | None:
    return next((run for run in cell.measured if _layers(run, key)), None)


def _largest(run: RunRecord) -> dict[str, float]:
    """A layer's record is its largest singular value, or its whole spectrum."""
    values = {name: np.atleast_1d(np.array(v, dtype=float)) for name, v in _layers(run, "singular_values").items()}
    return {name: float(v.max()) for name, v in values.items() if v.size}


def _histograms(ax: Axes, layers: dict[str, Any], colour: str) -> None:
    histograms, dark = layers["weight_histogram"], np.array(to_rgb(colour))
    for i, histogram in enumerate(histograms.values()):
        counts, edges = np.array(histogram["counts"], dtype=float), np.array(histogram["edges"], dtype=float)
        share = 0.3 + 0.7 * (i + 1) / len(histograms)
        ax.stairs(counts / max(counts.sum(), 1), edges, color=tuple(1 - share * (1 - dark)), linewidth=1.3)
    for bound in (-layers["clip"], layers["clip"]) if layers.get("clip") else ():
        ax.axvline(bound, color="#555555", linestyle="--", linewidth=1)
    if layers.get("clip"):
        ax.text(
            0.5, 0.97, f"dashed: ±c = ±{layers['clip']:g}", ha="center", va="top", transform=ax.transAxes, fontsize=8
        )
    plain_axes(ax)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("weight (pale: first layer)")


def _singular_values(ax: Axes, names: list[str], runs: list[dict[str, float]], shift: float, style: Style) -> None:
    for i, name in enumerate(names):
        values = [run[name] for run in runs if name in run and math.isfinite(run[name])]
        if values:
            ax.plot([i + shift] * len(values), values, ".", color=style.colour, alpha=0.5, markersize=5)
            ax.plot(i + shift, np.median(values), style.marker, color=style.colour, markersize=7)


def _entry(objective: str, style: Style) -> Line2D:
    return Line2D([], [], color=style.colour, marker=style.marker, linestyle="", markersize=7, label=objective)
