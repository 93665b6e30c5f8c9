"""T9: Kantorovich–Rubinstein: W_1 is a supremum over one 1-Lipschitz function; W_2² is no such thing."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .exact import best_potential, distances, on_union, transport_cost

POINTS = 25


def run(setting: Setting) -> list[Row]:
    """Per seed and power of the distance: the best single potential on the union of the points, and the primal cost."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        # Some points are shared, so that the union is smaller than the sum.
        x, y = rng.normal(size=(POINTS, 2)), rng.normal((1.5, 0.0), 1.0, (POINTS, 2))
        points, p, q = on_union(x, np.concatenate([y[:-5], x[:5]]))
        for power in (1, 2):
            cost = distances(points, points, float(power))
            dual, _ = best_potential(p - q, cost)
            primal = transport_cost(p, q, cost)
            rows.append({"seed": seed, "power": power, "dual": dual, "primal": primal})
            rows[-1] |= {"error": abs(dual - primal), "relative_gap": 1.0 - dual / primal}
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Dual against primal for both costs."""
    figure, (axis,) = panels("T9  One potential reaches W₁, but not W₂²", width=6.4, height=3.8)
    for power, color, name in ((1, BLUE, "cost d: equals W₁"), (2, VERMILION, "cost d²: stays below W₂²")):
        shown = measurements[measurements["power"] == power]
        axis.scatter(shown["primal"], shown["dual"], color=color, s=26, label=name)
    top = measurements["primal"].max() * 1.08
    axis.plot([0, top], [0, top], color="black", linewidth=1, label="duality: dual = primal")
    axis.set(xlim=(0, top), ylim=(0, top))
    legend(axis)
    label(axis, "primal: optimal transport cost", "dual: sup of ∫f dμ − ∫f dν,\nf(x) − f(y) ≤ cost")
    return figure


STUDY = Study(
    id="T9",
    claim="Kantorovich–Rubinstein: W_1 is the supremum of ∫h dμ − ∫h dν over 1-Lipschitz h, one h for both.",
    document="Report 1.3, Q&A, Notes",
    experiment=f"Linear programme for one potential with abs(f_i − f_j) ≤ d_ij on the union of two sets of {POINTS} "
    "points in the plane against the primal's optimum; the same with d² as control.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("error", "abs(sup over one potential − W_1)", power=1).below(1e-8),
            Measure.smallest("relative_gap", "relative gap with squared cost, 1 − sup/W_2²", power=2).above(1e-3),
            reading="One potential for both sides is special to a cost that is a distance.",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=10),
    settings={"points": POINTS},
)
