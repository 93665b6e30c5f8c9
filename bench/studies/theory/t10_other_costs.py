"""T10: optimal transport works with costs other than a norm.

Cross-entropy (no distance) and shortest paths of a graph (a distance).
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import linprog
from scipy.sparse.csgraph import shortest_path
from scipy.special import xlogy

from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .exact import Array, assignment_costs

POINTS = 6
COSTS = ("graph", "cross-entropy")


def cross_entropy(p: Array) -> Array:
    """−Σ_k p_ik log p_jk between all rows of p [n, k], [n, n], nats."""
    return -xlogy(p[:, None, :], p[None, :, :]).sum(axis=-1)


def random_graph(rng: np.random.Generator) -> Array:
    """Shortest-path lengths [12, 12] in a ring with chords and random edge lengths."""
    n = 2 * POINTS
    edges = np.zeros((n, n))
    ring = np.arange(n)
    edges[ring, (ring + 1) % n] = rng.uniform(0.5, 2.0, n)
    edges[ring[:4], rng.permutation(n)[:4]] = rng.uniform(0.5, 2.0, 4)
    np.fill_diagonal(edges, 0.0)
    return np.asarray(shortest_path(edges, directed=False))


def run(setting: Setting) -> list[Row]:
    """Per seed and cost: the LP's optimum, the best of all 720 permutations, the worst triangle."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        tables = {"graph": random_graph(rng), "cross-entropy": cross_entropy(rng.dirichlet(np.ones(4), 2 * POINTS))}
        for name in COSTS:
            table = tables[name]
            between = table[:POINTS, POINTS:]
            brute, optimum = assignment_costs(between).min(), linear_programme(between)
            detour = (table[:, None, :] - table[:, :, None] - table[None, :, :]).max()
            rows.append({"seed": seed, "cost": name, "lp": optimum, "brute": brute, "error": abs(optimum - brute)})
            rows[-1]["triangle"] = detour
    return rows


def linear_programme(cost: Array) -> float:
    """Kantorovich's problem with uniform marginals on an n × n cost, as scipy's dense linear programme."""
    n = len(cost)
    marginals = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    return float(linprog(cost.ravel(), A_eq=marginals, b_eq=np.full(2 * n, 1.0 / n), method="highs").fun)


def plot(measurements: pd.DataFrame) -> Figure:
    """LP against brute force, and the worst triangle of both costs."""
    figure, axes = panels("T10  Costs other than the Euclidean distance", columns=2)
    for name, color in zip(COSTS, (BLUE, VERMILION), strict=True):
        shown = measurements[measurements["cost"] == name]
        axes[0].scatter(shown["brute"], shown["lp"], color=color, s=24, label=name)
        axes[1].scatter(shown["seed"], shown["triangle"], color=color, s=24, label=name)
    top = measurements["brute"].max() * 1.1
    axes[0].plot([0, top], [0, top], color="black", linewidth=1, label="equality")
    axes[1].axhline(0, color="black", linestyle="--", linewidth=1, label="triangle inequality: ≤ 0")
    axes[1].set_ylim(top=1.6 * measurements["triangle"].max())
    axes[1].set_xticks(sorted(measurements["seed"].unique()))
    label(axes[0], "best of all 720 permutations", "optimum of the linear programme", "the linear programme is right")
    label(axes[1], "seed", "max of c(x,z) − c(x,y) − c(y,z)", "only the graph's cost is a distance")
    for axis in axes:
        legend(axis)
    return figure


STUDY = Study(
    id="T10",
    claim="Cross-entropy and shortest-path costs can be used as the transport's cost.",
    document="Report 1.1.4",
    experiment=f"{POINTS} → {POINTS} random nodes of a graph, and random distributions under cross-entropy: LP optimum "
    "against all permutations; worst triangle of each cost.",
    run=run,
    parts=(
        reproduces(
            *(
                Measure.largest("error", f"abs(LP optimum − best permutation), {name}", cost=name).at_most(1e-9)
                for name in COSTS
            ),
            Measure.largest("triangle", "violation of the triangle inequality, graph", cost="graph").at_most(1e-9),
            Measure.largest(
                "triangle", "violation of the triangle inequality, cross-entropy", cost="cross-entropy"
            ).above(1e-9),
            reading="Both give optimal plans; only the graph's cost makes them a distance between measures.",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=10),
    settings={"points": POINTS},
)
