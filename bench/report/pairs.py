"""Critics against a known optimal transport: cosine by dimension beside published values, surfaces beside the truth.

The published numbers are those of Korotin, Kolesov, Burnaev 2022 (arXiv:2206.07767) on the authors' own pairs.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..records.quantities import AXES, number
from ..records.reader import read_samples
from .blocks import Block
from .canvas import Panel, canvas, floor_line, plain_axes
from .curves import Style, sample_runs

BY_DIMENSION = "cosine-by-dimension.png"
SOURCE = "Korotin, Kolesov, Burnaev 2022"
# Of an objective's name → the benchmark's.
METHODS = {
    "wgan-clip": "wgan",
    "wgan-gp": "wgan-gp",
    "wgan-lp": "wgan-lp",
    "sn-gan": "sn-gan",
    "orthogonal": "sort-out",
}
NOT_THEIRS = ("biases=true", "constant_sigma=false")
FIELDS = ("field_axis", "critic_surface", "critic_gradient", "true_surface", "true_gradient")
_HOLLOW = {"marker": "o", "markersize": 7, "markerfacecolor": "none", "linestyle": "", "markeredgewidth": 1.4}
_APART = 0.025  # of a decade of dimensions, between two objectives
_ARROWS = 4  # every so many points of the grid


def floor_name(block: Block) -> str:
    """Whose value a floor in a picture of the block is."""
    return "optimal critic" if judges_critics(block) else "real data"


def axis_label(block: Block, against: str) -> str:
    """Of a column of the history that curves are drawn against; on pairs no generator is updated."""
    return "iteration" if against == "step" and judges_critics(block) else AXES[against]


def judges_critics(block: Block) -> bool:
    """Whether its runs trained a critic alone, on a pair whose optimal transport is known."""
    return "cosine" in block.protocol


def size_of(dataset: str) -> tuple[int, int]:
    """Dimension and number of funnels, of a pair by name."""
    d, n = (re.search(rf"[:&]{key}=(\d+)", dataset) for key in "dn")
    return (int(d[1]), int(n[1])) if d and n else (0, 0)


@cache
def published() -> dict[tuple[int, int, str], dict[str, float]]:
    """Published cos, L2 and cost, by dimension, number of funnels and the benchmark's name of the method."""
    with (resources.files("lipbench.bench.report") / "published_w1.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return {
        (int(row["dim"]), int(row["funnels"]), row["method"]): {key: float(row[key]) for key in ("cos", "l2", "cost")}
        for row in rows
    }


def published_of(dataset: str, objective: str) -> dict[str, float] | None:
    """Published cos, L2 and cost of an objective, by its label, on a pair of this size; None where there are none.

    None too where the label says what the authors do not do, and what decides their numbers: they clip weights alone,
    and send no gradient through the norm that SN divides by.
    """
    method = METHODS.get(objective.partition("(")[0])
    if method is None or any(setting in objective for setting in NOT_THEIRS):
        return None
    return published().get((*size_of(dataset), method))


def published_note(block: Block) -> str | None:
    """A sentence with the published values of the objectives of a block."""
    found = {group.objective: published_of(block.dataset, group.objective) for group in block.groups}
    told = [
        f"{objective} {number(values['cos'])} ({number(values['l2'])}, {number(values['cost'])})"
        for objective, values in found.items()
        if values
    ]
    if not told:
        return None
    d, n = size_of(block.dataset)
    own = "" if block.dataset.endswith("&official") else ", the authors' own pair"
    steps = "5,000 (clipping, of weights alone) to 60,000 (gradient penalties) steps, SN with a constant σ"
    return f"Published cos (L2, cost) at d = {d}, n = {n}, {SOURCE}{own}, {steps}: {', '.join(told)}."


def dimension_figure(blocks: Sequence[Block], styles: Mapping[str, Style]) -> Figure | None:
    """Cosine against dimension, a panel for each number of funnels, published values hollow; None without pairs."""
    blocks = [block for block in blocks if judges_critics(block)]
    if not blocks:
        return None
    counts = sorted({size_of(block.dataset)[1] for block in blocks})
    objectives = [o for o in styles if any(o == group.objective for block in blocks for group in block.groups)]
    title = "Cosine of the critic's gradient and the true one"
    figure, axes = canvas(len(counts), min(len(counts), 3), Panel(), title, _entries(blocks, objectives, styles))
    for ax, n in zip(axes, counts, strict=True):
        here = [block for block in blocks if size_of(block.dataset)[1] == n]
        for place, objective in enumerate(objectives):
            _by_dimension(ax, here, objective, styles[objective], 1 + _APART * (place - (len(objectives) - 1) / 2))
        _dimension_axes(ax, sorted({size_of(block.dataset)[0] for block in here}))
        ax.set_title(f"{n} funnel{'s' if n > 1 else ''} (higher is better)")
    return figure


def _entries(blocks: Sequence[Block], objectives: Sequence[str], styles: Mapping[str, Style]) -> list[Line2D]:
    """Of the legend: with a line only where several dimensions are joined by one."""
    sizes = {size_of(block.dataset) for block in blocks}
    joined = len(sizes) > len({n for _, n in sizes})
    entries = []
    for objective in objectives:
        style = styles[objective]
        look = {"color": style.colour, "marker": style.marker, "markersize": 5, "linestyle": "-" if joined else ""}
        entries.append(Line2D([], [], label=objective, **look))
        if joined:
            entries[-1].set_dashes(style.dashes)
    if any(published_of(block.dataset, objective) for block in blocks for objective in objectives):
        entries.append(Line2D([], [], color="#555555", label=f"published ({SOURCE})", **_HOLLOW))
    return entries


def _by_dimension(ax: Axes, blocks: Sequence[Block], objective: str, style: Style, shift: float) -> None:
    """Medians and intervals of one objective, joined within an architecture and recipe; published values beside."""
    lines: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
    for block in sorted(blocks, key=lambda block: size_of(block.dataset)):
        d, found = size_of(block.dataset)[0], block.estimates.get((objective, "cosine"))
        if found is not None and np.isfinite(found.value):
            ends = (found.value if end is None else end for end in (found.low, found.high))
            lines.setdefault(block.key[1:], []).append((d, found.value, *ends))
        if known := published_of(block.dataset, objective):
            ax.plot(d * shift, known["cos"], color=style.colour, **_HOLLOW)
    for points in lines.values():
        d, value, low, high = np.array(points).T
        x = d * shift
        ax.vlines(x, low, high, color=style.colour, linewidth=1)
        (line,) = ax.plot(x, value, color=style.colour, marker=style.marker, markersize=5, linewidth=1.4)
        line.set_dashes(style.dashes)


def _dimension_axes(ax: Axes, dimensions: Sequence[int]) -> None:
    plain_axes(ax)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(list(dimensions)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda d, _: f"{d:g}"))
    ax.set_xlim(min(dimensions) / 1.4, max(dimensions) * 1.4)
    floor_line(ax, 1.0, "optimal critic 1", below=False)
    ax.set_ylim(min(ax.get_ylim()[0], 0.0), 1.12)
    ax.set_xlabel("dimension d")
    ax.set_ylabel("cos")


def fields_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """In the plane: the true potential with its gradient, and each critic, as height lines and arrows; else None."""
    runs = {o: run for o, run in sample_runs(block).items() if run is not None and run.samples is not None}
    fields = {o: read_samples(run.samples, *FIELDS) for o, run in runs.items() if run.samples is not None}
    fields = {o: arrays for o, arrays in fields.items() if len(arrays) == len(FIELDS)}
    if not fields:
        return None
    panel = Panel(width=2.4, height=2.4, left=0.34, right=0.16, top=0.28, bottom=0.3)
    figure, axes = canvas(
        len(fields) + 1, min(len(fields) + 1, 3), panel, f"{block.title}: critics' values (dark: high) and gradients"
    )
    first = next(iter(fields.values()))
    _field(axes[0], first["field_axis"], first["true_surface"], first["true_gradient"], "#000000")
    axes[0].set_title("optimal critic, slope 1")
    for ax, (objective, arrays) in zip(axes[1:], fields.items(), strict=True):
        gradient = arrays["critic_gradient"]
        _field(ax, arrays["field_axis"], arrays["critic_surface"], gradient, styles[objective].colour)
        slope = number(float(np.median(np.linalg.norm(gradient, axis=2))), 2)
        ax.set_title(f"{objective}, seed {runs[objective].seed}, slope {slope}")
    return figure


def _field(ax: Axes, axis: np.ndarray, surface: np.ndarray, gradient: np.ndarray, colour: str) -> None:
    """Heights on their own scale; arrows of gradients relative to the median one, which the title gives."""
    if not (np.isfinite(surface).all() and np.isfinite(gradient).all()):
        ax.text(0, 0, "not finite", ha="center")
    else:
        flat = np.ptp(surface) < 1e-12
        ax.contourf(axis, axis, surface, levels=1 if flat else 14, cmap="Greys", alpha=0.6)
        few = np.arange(_ARROWS // 2, len(axis), _ARROWS)
        arrows = gradient[np.ix_(few, few)]
        unit = max(float(np.median(np.linalg.norm(gradient, axis=2))), 1e-12)
        spacing = (axis[1] - axis[0]) * _ARROWS
        style = {"angles": "xy", "scale_units": "xy", "scale": unit / (0.8 * spacing), "width": 0.006}
        ax.quiver(axis[few], axis[few], arrows[..., 0], arrows[..., 1], color=colour, **style)
    ax.grid(visible=False)
    ax.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]))
