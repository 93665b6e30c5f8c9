"""T3: transport plans are couplings, not product measures."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, ORANGE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes
from ..plotting.style import label, legend, panels
from .exact import distances, plan, transport_cost

POINTS = 12


def random_measure(rng: np.random.Generator, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [n, d] and weights [n]."""
    return rng.normal(rng.normal(size=dimension), 1.0, (POINTS, dimension)), rng.dirichlet(np.ones(POINTS))


def run(setting: Setting) -> list[Row]:
    """Cost of the product coupling and of the optimal plan, squared distance; a Dirac marginal as control."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        for dimension in (1, 2):
            (x, a), (y, b) = random_measure(rng, dimension), random_measure(rng, dimension)
            rows.append({"seed": seed, "kind": "spread", "dimension": dimension} | compare(a, b, distances(x, y, 2.0)))
            point = compare(np.ones(1), b, distances(x[:1], y, 2.0))
            rows.append({"seed": seed, "kind": "dirac", "dimension": dimension} | point)
    x, a = random_measure(np.random.default_rng(0), 1)
    y, b = random_measure(np.random.default_rng(1), 1)
    rows += coupling_rows("product", x, y, np.outer(a, b))
    return rows + coupling_rows("optimal", x, y, plan(a, b, distances(x, y, 2.0)))


def compare(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> Row:
    """The costs of the two couplings, and their relative excess."""
    product, optimal = float(a @ cost @ b), transport_cost(a, b, cost)
    excess = product / optimal - 1.0
    return {"product": product, "optimal": optimal, "excess": excess, "abs_excess": abs(excess)}


def coupling_rows(name: str, x: np.ndarray, y: np.ndarray, coupling: np.ndarray) -> list[Row]:
    """The mass of each pair, for the picture."""
    pairs = np.argwhere(coupling > 1e-12)
    return [
        {"kind": "coupling", "coupling": name, "x": x[i, 0], "y": y[j, 0], "mass": coupling[i, j]} for i, j in pairs
    ]


def plot(measurements: pd.DataFrame) -> Figure:
    """The product and the optimal coupling of one pair of measures; costs of the random pairs."""
    figure, axes = panels("T3  The product of the marginals is one coupling, and a costly one", columns=3, width=3.4)
    pairs = measurements[measurements["kind"] == "coupling"]
    for axis, (name, color) in zip(axes, {"product": VERMILION, "optimal": BLUE}.items(), strict=False):
        shown = pairs[pairs["coupling"] == name]
        axis.scatter(shown["x"], shown["y"], s=900 * shown["mass"], color=color, alpha=0.7, linewidths=0)
        label(axis, "x, from μ", "y, from ν", f"{name} coupling (area = mass)")
    spread = measurements[measurements["kind"] == "spread"]
    for dimension, color in ((1, GREEN), (2, ORANGE)):
        shown = spread[spread["dimension"] == dimension]
        axes[2].scatter(shown["optimal"], shown["product"], color=color, s=20, label=f"d = {dimension}")
    top = spread["product"].max() * 1.1
    axes[2].plot([0, top], [0, top], color=BLUE, linewidth=1, label="equal costs")
    legend(axes[2])
    label(axes[2], "cost of the optimal plan", "cost of the product coupling", "random pairs of measures")
    return figure


STUDY = Study(
    id="T3",
    claim="Transport plans are “product measures”.",
    document="Report 1.1.2",
    experiment=f"Random measures on {POINTS} points in 1 and 2 dimensions, squared distance: the product coupling "
    "against the linear programme's plan; one Dirac marginal as control.",
    run=run,
    parts=(
        refutes(
            Measure.smallest("excess", "least relative excess of the product coupling's cost", kind="spread").above(
                1e-9
            ),
            Measure.largest("abs_excess", "largest abs(relative excess) with a Dirac marginal", kind="dirac").below(
                1e-9, control=True
            ),
            reading="Couplings (measures on the product space with the right marginals) are meant. A tie is possible "
            "for special marginals, as in T6.",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=20),
    settings={"points": POINTS, "cost": "squared Euclidean distance"},
)
