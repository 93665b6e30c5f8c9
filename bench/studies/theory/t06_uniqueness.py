"""T6: a strictly convex cost alone does not make the optimal map unique."""

from math import factorial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, GREY, ORANGE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes, reproduces
from ..plotting.style import label, legend, panels
from .exact import Array, assignment_costs, distances

SQUARE = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
SHELF = np.arange(3.0)[:, None], np.arange(1.0, 4.0)[:, None]


def run(setting: Setting) -> list[Row]:
    """Costs of all couplings of the square (mixtures of its two maps), the book-shift's two plans, random points."""
    stay, cross = assignment_costs(distances(*SQUARE, 2.0))
    mixtures = np.linspace(0.0, 1.0, 11)
    rows: list[Row] = [
        {"kind": "square", "share": share, "cost": (1 - share) * stay + share * cross} for share in mixtures
    ]
    costs = [row["cost"] for row in rows]
    rows.append({"kind": "spread", "spread": max(costs) - min(costs)})
    shelf = distances(*SHELF)
    shift, jump = np.diag(shelf).mean(), shelf[[0, 1, 2], [2, 0, 1]].mean()
    rows.append({"kind": "shelf", "shift": shift, "jump": jump, "tie": max(abs(shift - jump), shift - best(shelf))})
    return rows + [{"kind": "generic", "seed": seed, "margin": margin(seed)} for seed in setting.seeds]


def best(cost: Array) -> float:
    """Cost of the best permutation."""
    return float(assignment_costs(cost).min())


def margin(seed: int, n: int = 6) -> float:
    """How much more the second-best map costs than the best for n points drawn from densities; > 0 if unique."""
    rng = np.random.default_rng(seed)
    ranked = np.sort(assignment_costs(distances(rng.uniform(size=(n, 2)), rng.normal(size=(n, 2)), 2.0)))
    assert len(ranked) == factorial(n)
    return float(ranked[1] - ranked[0])


def plot(measurements: pd.DataFrame) -> Figure:
    """Two optimal maps of the square, the cost of their mixtures, and the book shift."""
    figure, axes = panels("T6  Optimal maps that are not unique", columns=3, width=3.5)
    _square(axes[0])
    square = measurements[measurements["kind"] == "square"]
    axes[1].plot(square["share"], square["cost"], "o-", color=BLUE)
    axes[1].set_ylim(0, 1.5)
    label(axes[1], "share of the second map in the coupling", "cost, p = 2", "every coupling costs the same")
    shelf = measurements[measurements["kind"] == "shelf"].iloc[0]
    _shelf(axes[2], shelf["shift"], shelf["jump"])
    return figure


def _square(axis: Axes) -> None:
    sources, targets = SQUARE
    for image, color in (((0, 1), GREEN), ((1, 0), ORANGE)):
        for source, target in zip(sources, targets[list(image)], strict=True):
            axis.annotate("", target, source, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2})
    axis.scatter(*sources.T, s=70, color=BLUE, zorder=3, label="from μ")
    axis.scatter(*targets.T, s=70, color=VERMILION, zorder=3, label="to ν")
    legend(axis, loc="center")
    axis.set(xlim=(-0.25, 1.25), ylim=(-0.25, 1.25), aspect="equal", xticks=[0, 1], yticks=[0, 1])
    label(axis, "coordinate 1", "coordinate 2", "two optimal maps (green, orange)")


def _shelf(axis: Axes, shift: float, jump: float) -> None:
    for level, pairs, cost in ((1.0, [(0, 1), (1, 2), (2, 3)], shift), (0.0, [(0, 3), (1, 1), (2, 2)], jump)):
        axis.scatter(range(3), np.full(3, level), s=60, color=BLUE, zorder=3)
        axis.scatter(range(1, 4), np.full(3, level + 0.45), s=60, color=VERMILION, zorder=3)
        for a, b in pairs:
            axis.annotate("", (b, level + 0.42), (a, level + 0.03), arrowprops={"arrowstyle": "-|>", "color": GREY})
        axis.text(3.25, level + 0.2, f"cost {cost:.3g}", va="center", fontsize=9)
    axis.set(xlim=(-0.4, 4.4), ylim=(-0.2, 1.75), xticks=[0, 1, 2, 3])
    axis.set_yticks([0.0, 0.45, 1.0, 1.45], ["before (μ)", "after (ν)"] * 2)
    label(axis, "position on the shelf", "", "book shift, p = 1: two optimal plans")


STUDY = Study(
    id="T6",
    claim="The optimal map is unique for a strictly convex cost.",
    document="Report 1.1.3–1.1.4",
    experiment="{(0,0),(1,1)} → {(1,0),(0,1)}, squared distance: cost of every coupling; the book shift {0,1,2} → "
    "{1,2,3} at p = 1; six points drawn from densities as control.",
    run=run,
    parts=(
        refutes(
            Measure.largest("spread", "largest − smallest cost over all couplings of the square, p = 2").at_most(1e-12),
            Measure.smallest("margin", "margin of the best map over the second best, generic points").above(
                1e-9, control=True
            ),
            name="strictly convex cost (p = 2)",
            reading="Unique if, besides, μ is absolutely continuous (p = 2: Brenier; strictly convex c(x − y): Gangbo "
            "and McCann).",
        ),
        reproduces(
            Measure.largest("tie", "difference of the two plans' costs, and to the optimum").at_most(1e-12),
            name="book shift (p = 1, not strictly convex): plans tie",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
)
