"""T4: optimal maps on the line are monotone, optimal plans cyclically monotone."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .exact import distances, plan, uniform, worst_cycle

LINE, PLANE = 400, 60


def run(setting: Setting) -> list[Row]:
    """Per seed: sorted cost against LP cost on the line; the worst 2- and 3-cycle of a plan's support in the plane."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        rows.append({"seed": seed} | on_the_line(rng))
        x, y = rng.normal(size=(PLANE, 2)), rng.exponential(size=(PLANE, 2))
        a, b = rng.dirichlet(np.ones(PLANE)), rng.dirichlet(np.ones(PLANE))
        cost = distances(x, y, 2.0)
        coupling = plan(a, b, cost)
        sources, targets = np.nonzero(coupling > 1e-12)
        rows += [{"seed": seed, "pairs": "optimal"} | cycles(cost, sources, targets)]
        rows += [{"seed": seed, "pairs": "random"} | cycles(cost, sources, rng.permutation(targets))]
    return rows + drawn_plan()


def on_the_line(rng: np.random.Generator) -> Row:
    """|cost in sorted order − LP cost| and (random matching's cost − LP cost), squared distance, uniform weights."""
    x, y = rng.normal(size=LINE), rng.exponential(size=LINE)
    cost = distances(x[:, None], y[:, None], 2.0)
    optimum = (plan(uniform(LINE), uniform(LINE), cost) * cost).sum()
    sorted_cost, unsorted_cost = ((np.sort(x) - np.sort(y)) ** 2).mean(), ((x - y) ** 2).mean()
    return {"sorted_error": abs(sorted_cost - optimum), "unsorted_excess": unsorted_cost - optimum}


def cycles(cost: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> Row:
    """The gain by the best exchange among 2 and among 3 of the matched pairs; ≤ 0 if cyclically monotone so far."""
    pairs = cost[np.ix_(sources, targets)]
    return {"cycle2": worst_cycle(pairs, 2), "cycle3": worst_cycle(pairs, 3)}


def drawn_plan(points: int = 25) -> list[Row]:
    """One plan in the plane and one map on the line, for the picture."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(points, 2)), rng.normal((4.0, 1.0), 1.0, (points, 2))
    image = plan(uniform(points), uniform(points), distances(x, y, 2.0)).argmax(axis=1)
    rows = [{"kind": "pair", "x0": p[0], "y0": p[1], "x1": q[0], "y1": q[1]} for p, q in zip(x, y[image], strict=True)]
    u, v = rng.normal(size=60), rng.exponential(size=60)
    image = plan(uniform(60), uniform(60), distances(u[:, None], v[:, None], 2.0)).argmax(axis=1)
    return rows + [{"kind": "line", "x": s, "y": t} for s, t in zip(u, v[image], strict=True)]


def plot(measurements: pd.DataFrame) -> Figure:
    """A monotone map, an optimal plan in the plane, and what exchanges of pairs would gain."""
    figure, axes = panels("T4  Optimal plans for the squared distance are (cyclically) monotone", columns=3, width=3.5)
    line = measurements[measurements["kind"] == "line"].sort_values("x")
    axes[0].plot(line["x"], line["y"], marker="o", markersize=3, color=BLUE, linewidth=1)
    label(axes[0], "x, from N(0,1)", "its image under the LP's plan", "on the line, 60 points: increasing")
    pairs = measurements[measurements["kind"] == "pair"]
    axes[1].plot(pairs[["x0", "x1"]].T, pairs[["y0", "y1"]].T, color=GREY, linewidth=0.8, zorder=1)
    axes[1].scatter(pairs["x0"], pairs["y0"], s=14, color=BLUE, label="source", zorder=2)
    axes[1].scatter(pairs["x1"], pairs["y1"], s=14, color=VERMILION, label="target", zorder=2)
    axes[1].set_ylim(bottom=pairs[["y0", "y1"]].min().min() - 1.1)
    legend(axes[1], loc="lower center", ncols=2)
    label(axes[1], "coordinate 1", "coordinate 2", f"in the plane: a plan of {len(pairs)} pairs")
    for place, name in enumerate(("optimal", "random")):
        shown = measurements[measurements["pairs"] == name]
        for column, color, shift in (("cycle2", BLUE, -0.1), ("cycle3", VERMILION, 0.1)):
            text = f"{column[-1]} pairs" if place == 0 else None
            axes[2].scatter(np.full(len(shown), place + shift), shown[column], s=16, color=color, label=text)
    axes[2].set_xticks([0, 1], ["optimal plan", "random pairing"])
    axes[2].set_xlim(-0.5, 1.5)
    legend(axes[2], title="best exchange of", title_fontsize=8, loc="upper left")
    label(axes[2], "", "gain in squared distance", "an exchange never helps the optimum")
    return figure


CYCLES = tuple(
    Measure.largest(
        f"cycle{length}", f"largest gain by an exchange of {length} pairs in the plan's support", pairs="optimal"
    ).at_most(1e-9)
    for length in (2, 3)
)

STUDY = Study(
    id="T4",
    claim="In one dimension optimal maps are monotone; optimal plans are cyclically monotone.",
    document="Report 1.1.3",
    experiment=f"Squared distance: matching in sorted order against the LP on {LINE} points of the line; every 2- and "
    f"3-cycle of the LP's support on {PLANE} weighted points of the plane; random pairings of both as control.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("sorted_error", "abs(sorted cost − LP cost) on the line").at_most(1e-9),
            *CYCLES,
            Measure.smallest("unsorted_excess", "cost of a random matching − LP cost on the line").above(
                1e-9, control=True
            ),
            Measure.smallest("cycle2", "gain by an exchange in a random pairing", pairs="random").above(
                1e-9, control=True
            ),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"points on the line": LINE, "points in the plane": PLANE, "cost": "squared Euclidean distance"},
)
