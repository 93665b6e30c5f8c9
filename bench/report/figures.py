"""Draws curves of metrics: one matplotlib Figure per question, none of them written to disk here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.quantities import KNOWN, Quantity, number
from .blocks import Block, short_titles
from .canvas import Panel, canvas, floor_line, plain_axes, with_room
from .curves import Curve, Style, axes_of, curves, log_scale, on_axis
from .pairs import axis_label, floor_name, judges_critics

DIVERGED = {"marker": "X", "markersize": 8, "markeredgecolor": "white", "linestyle": ""}
BEYOND: dict[str, Any] = {
    "xycoords": "axes fraction",
    "textcoords": "offset points",
    "va": "top",
    "fontsize": 7.5,
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
}
RECOVERED = {"marker": "x", "markersize": 6, "markeredgewidth": 1.2, "linestyle": ""}
_SLOPES = ("slope_real_mean", "slope_fake_mean", "slope_line_mean")


def quality_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Every metric that judges samples against iteration; the first also against time, for steps differ in cost."""
    if not block.quality:
        return None
    against = axes_of([run for group in block.groups for run in group.measured], ["step", "seconds"])
    first, *others = block.quality
    panels = [(first, axis) for axis in against] + [(metric, "step") for metric in others]
    of = "critics" if judges_critics(block) else "samples"
    return _figure(block, panels, styles, f"{block.title}: quality of the {of}")


def stability_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Generator gradient norm (log axis) and the critic's slope at real, fake and line points, against iteration."""
    keys = {q.key for q in block.quantities}
    panels = [(KNOWN[key], "step") for key in ("generator_grad_norm", *_SLOPES) if key in keys]
    return _figure(block, panels, styles, f"{block.title}: stability of the training") if panels else None


def metric_figure(blocks: Sequence[Block], metric: str, against: str, styles: Mapping[str, Style]) -> Figure:
    """One metric in every block that has it, a panel each."""
    panels = []
    for block in blocks:
        shown = next((q for q in block.quantities if q.key == metric), None)
        found = [] if shown is None else curves(block, shown, against)
        if shown is not None and found:
            panels.append((block, shown, found))
    lines = [entry for block, shown, found in panels for entry in _legend([(shown, against, found)], block, styles)]
    legend = list({entry.get_label(): entry for entry in lines}.values())
    figure, axes = canvas(len(panels), min(3, len(panels)), Panel(), panels[0][1].title, legend)
    titles = short_titles(blocks)
    for ax, (block, shown, found) in zip(axes, panels, strict=True):
        draw_curves(ax, block, shown, against, found, styles)
        ax.set_title(titles[block.key])
    return figure


def _figure(
    block: Block, panels: Sequence[tuple[Quantity, str]], styles: Mapping[str, Style], title: str
) -> Figure | None:
    drawn = [(metric, axis, found) for metric, axis in panels if (found := curves(block, metric, axis))]
    if not drawn:
        return None
    columns = len(drawn) if len(drawn) <= 3 else 2 if len(drawn) == 4 else 3
    figure, axes = canvas(len(drawn), columns, Panel(), title, _legend(drawn, block, styles))
    for ax, (metric, axis, found) in zip(axes, drawn, strict=True):
        draw_curves(ax, block, metric, axis, found, styles)
    return figure


def draw_curves(
    ax: Axes, block: Block, metric: Quantity, against: str, found: Sequence[Curve], styles: Mapping[str, Style]
) -> None:
    """Every seed thin, the median bold, real data's own value dotted, a cross where a run diverged.

    The upright axis is as long as the metric's in the other blocks, so that their plots can be laid side by side, and
    runs beyond it are drawn at its ends; the other begins at 0 in every panel.
    """
    log, floor = log_scale(block, metric), block.floors.get(metric.key)
    low, high = block.extent(metric)
    if low <= high:
        low, high = with_room(low, high, log)
        ax.set_yscale("log" if log else "linear")
        ax.set_ylim(low, high)
        found, beyond = on_axis(found, low, high)
        if beyond:  # where the floor's name is not
            right = metric.better == "lower"
            ax.annotate(beyond, (right, 1), xytext=(-3 if right else 3, -5), ha="right" if right else "left", **BEYOND)
    for curve in found:
        style = styles[curve.objective]
        seeds = [np.column_stack((line.x, line.y)) for line in curve.lines]
        ax.add_collection(LineCollection(seeds, colors=style.colour, linewidths=0.7, alpha=0.4))
        for line in curve.lines:
            if line.cross is not None:
                marker = RECOVERED if line.recovered else DIVERGED
                ax.plot(*line.cross, color=style.colour, zorder=5, clip_on=False, **marker)
        (bold,) = ax.plot(curve.x, curve.y, color=style.colour, linewidth=2)
        bold.set_dashes(style.dashes)
    if metric.key in _SLOPES:
        ax.axhline(1.0, color="#999999", linewidth=0.8)
    if floor is not None:
        floor_line(ax, floor, f"{floor_name(block)} {number(floor)}", below=metric.better == "lower")
    plain_axes(ax, log)
    ax.set_xlim(*with_room(0, max(line.x[-1] for curve in found for line in curve.lines) or 1, room=0.05))
    ax.set_xlabel(axis_label(block, against))
    ax.set_ylabel(metric.axis)
    ax.set_title(metric.title)


def _legend(
    drawn: Sequence[tuple[Quantity, str, list[Curve]]], block: Block, styles: Mapping[str, Style]
) -> list[Line2D]:
    shown = {curve.objective for _, _, found in drawn for curve in found}
    entries = []
    for group in block.groups:
        if group.objective in shown:
            style = styles[group.objective]
            entries.append(Line2D([], [], color=style.colour, linewidth=2, label=group.objective))
            entries[-1].set_dashes(style.dashes)
    if any(len(curve.lines) > 1 for _, _, found in drawn for curve in found):
        entries.append(Line2D([], [], color="#777777", linewidth=0.7, label="one seed (bold: median)"))
    if any(metric.key in _SLOPES for metric, _, _ in drawn):
        entries.append(Line2D([], [], color="#999999", linewidth=0.8, label="slope 1"))
    return entries + _cross_entries([curve for _, _, curves in drawn for curve in curves])


def _cross_entries(curves: Sequence[Curve]) -> list[Line2D]:
    crossed = {line.recovered for curve in curves for line in curve.lines if line.cross}
    entries = []
    if False in crossed:
        entries.append(Line2D([], [], color="#777777", label="diverged here", **DIVERGED))
    if True in crossed:
        entries.append(Line2D([], [], color="#777777", label="diverged here, recovered later", **RECOVERED))
    return entries
