"""T8: W_1 and W_2² are jointly convex; W_2 is not."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes, reproduces
from ..plotting.style import label, legend, panels
from .exact import wasserstein

POINTS, MIXTURES = 8, 10
PAIR = np.array([[0.0], [1.0]])


def run(setting: Setting) -> list[Row]:
    """Excess of W(mixture of μs, mixture of νs) over the mixture of the Ws; the counterexample at every weight t."""
    rows = [row for seed in setting.seeds for row in random_mixtures(seed)]
    for t in np.linspace(0.0, 1.0, 101):
        # μ is δ0 in both; ν is δ0 in one, δ1 in the other: W of the mixture is W(δ0, (1−t)δ0 + tδ1).
        w1, w2 = (wasserstein(PAIR[:1], PAIR, np.ones(1), np.array([1 - t, t]), p) for p in (1.0, 2.0))
        rows.append({"kind": "counterexample", "t": t, "w1": w1, "w2": w2, "chord": t, "excess_w2": w2 - t})
    return rows


def random_mixtures(seed: int) -> list[Row]:
    """Excess over convexity of W_1 and of W_2² for random pairs of pairs of measures on common points."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for _ in range(MIXTURES):
        x, y = rng.normal(size=(2, POINTS, 2))
        a, b = rng.dirichlet(np.ones(POINTS), (2, 2))
        t = rng.uniform()
        row: Row = {"kind": "mixture", "seed": seed}
        for p, name in ((1.0, "w1"), (2.0, "w2_squared")):
            mixed = wasserstein(x, y, (1 - t) * a[0] + t * a[1], (1 - t) * b[0] + t * b[1], p) ** p
            apart = [wasserstein(x, y, a[i], b[i], p) ** p for i in (0, 1)]
            row[f"excess_{name}"] = mixed - (1 - t) * apart[0] - t * apart[1]
        rows.append(row)
    return rows


def bin_edges(excess: np.ndarray) -> list[float]:
    """Edges of bins that hold all values; 0 is one of them, with a bin on its right, where a violation would stand."""
    width = float(np.abs(excess).max()) / 25 or 1.0
    first, last = min(np.floor(excess.min() / width), 0.0), max(np.ceil(excess.max() / width), 1.0)
    return (width * np.arange(first, last + 1)).tolist()


def plot(measurements: pd.DataFrame) -> Figure:
    """The counterexample for W_2, and the excess over convexity of random mixtures."""
    figure, axes = panels("T8  Joint convexity: W₁ and W₂² have it, W₂ has not", columns=2)
    curve = measurements[measurements["kind"] == "counterexample"]
    axes[0].plot(curve["t"], curve["w2"], color=VERMILION, label="W₂ = √t: above the chord")
    axes[0].plot(curve["t"], curve["w1"], color=BLUE, linewidth=4, alpha=0.5, label="W₁ = W₂² = t")
    axes[0].plot(
        curve["t"], curve["chord"], color="black", linestyle="--", linewidth=1, label="chord (convex: below it)"
    )
    legend(axes[0])
    label(axes[0], "weight t", "distance", "δ₀ against (1−t)δ₀ + tδ₁")
    mixtures = measurements[measurements["kind"] == "mixture"]
    bins = bin_edges(mixtures[["excess_w1", "excess_w2_squared"]].to_numpy())
    for place, (column, color) in enumerate({"excess_w1": BLUE, "excess_w2_squared": GREEN}.items()):
        axes[1].hist(mixtures[column], bins=bins, color=color, alpha=0.65, label=("W₁", "W₂²")[place])
    axes[1].axvline(0, color="black", linestyle="--", linewidth=1, label="convex: left of 0")
    legend(axes[1], loc="upper left")
    label(axes[1], "W of the mixture − mixture of the Ws", "random mixtures", "random mixtures")
    return figure


STUDY = Study(
    id="T8",
    claim="W_p is convex.",
    document="Report 1.2.1",
    experiment=f"{MIXTURES} random mixtures a seed in the plane for W_1 and W_2²; δ₀ against (1−t)δ₀ + tδ₁ for W_2.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("excess_w1", "largest excess over joint convexity, W_1").at_most(1e-9), name="p = 1"
        ),
        refutes(
            Measure.largest("excess_w2", "W_2(δ₀, ½δ₀ + ½δ₁) − ½", t=0.5).above(1e-9),
            Measure.largest("excess_w2_squared", "largest excess over joint convexity, W_2²").at_most(1e-9),
            name="p = 2",
            reading="W_2 is not convex, not even in one argument; W_2² is jointly convex.",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=10),
    settings={"points": POINTS, "mixtures a seed": MIXTURES},
)
