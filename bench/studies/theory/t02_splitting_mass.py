"""T2: Monge's maps cannot split mass, Kantorovich's plans can; an optimal map need not exist on a compact set."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes, reproduces
from ..plotting.style import label, panels
from .exact import distances, maps, push_forward_error, transport_cost

SOURCE, SOURCE_MASS = np.array([[0.0]]), np.array([1.0])
TARGET, TARGET_MASS = np.array([[-1.0], [1.0]]), np.array([0.5, 0.5])


def run(setting: Setting) -> list[Row]:
    """Every map from the point 0 to {−1, 1} with the mass it misplaces, the optimal plan, and a pair that has a map."""
    rows: list[Row] = [
        {
            "kind": "map",
            "to": float(TARGET[image[0], 0]),
            "misplaced": push_forward_error(SOURCE_MASS, TARGET_MASS, image),
        }
        for image in maps(1, 2)
    ]
    cost = transport_cost(SOURCE_MASS, TARGET_MASS, distances(SOURCE, TARGET))
    rows.append({"kind": "plan", "cost": cost, "cost_error": abs(cost - 1.0)})
    # The enumeration must find a map where there is one: ½δ±1 to itself.
    found = min(push_forward_error(TARGET_MASS, TARGET_MASS, image) for image in maps(2, 2))
    return [*rows, {"kind": "solvable", "misplaced": found}]


def plot(measurements: pd.DataFrame) -> Figure:
    """The two maps there are, and the plan."""
    figure, axes = panels("T2  No map takes δ₀ to ½δ₋₁ + ½δ₁; a plan does", columns=3, width=3.0)
    attempts = measurements[measurements["kind"] == "map"]
    for axis, (_, row) in zip(axes, attempts.iterrows(), strict=False):
        _arrows(axis, {row["to"]: 1.0}, VERMILION)
        label(axis, "position", "", f"map 0 ↦ {'−' if row['to'] < 0 else '+'}1\nmisplaces mass {row['misplaced']:.1f}")
    cost = measurements.loc[measurements["kind"] == "plan", "cost"].iloc[0]
    _arrows(axes[2], {-1.0: 0.5, 1.0: 0.5}, BLUE)
    label(axes[2], "position", "", f"plan: half each way\ncost {cost:.3g}, misplaces 0")
    return figure


def _arrows(axis: Axes, masses: dict[float, float], color: str) -> None:
    for to, mass in masses.items():
        axis.annotate("", (to, 0.06), (0, 0.94), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 4 * mass})
        axis.text(to * 0.5 + 0.12 * np.sign(to), 0.55, f"{mass:g}", color=color, ha="left" if to > 0 else "right")
    axis.scatter([0], [1], s=160, color=GREY, zorder=3)
    axis.scatter([-1, 1], [0, 0], s=80, color=GREY, zorder=3)
    axis.text(0.12, 1.0, "mass 1", va="center", fontsize=8)
    for place in (-1, 1):
        axis.text(place, -0.12, "½ wanted", ha="center", va="top", fontsize=8)
    axis.set(xlim=(-1.6, 1.6), ylim=(-0.32, 1.18), yticks=[], xticks=[-1, 0, 1])
    axis.spines["left"].set_visible(False)


STUDY = Study(
    id="T2",
    claim="Monge cannot split mass, Kantorovich can; on compact sets an optimal map always exists.",
    document="Report 1.1.2–1.1.3",
    experiment="δ₀ → ½δ₋₁ + ½δ₁: every map is enumerated, the plan is a linear programme.",
    run=run,
    parts=(
        reproduces(
            Measure.smallest("misplaced", "mass misplaced by the best map", kind="map").above(0.0),
            Measure.largest("cost_error", "abs(cost of the plan − 1)").below(1e-9),
            name="maps cannot split mass, plans can",
        ),
        refutes(
            Measure.smallest("misplaced", "mass misplaced by the best map", kind="map").above(0.0),
            Measure.largest(
                "misplaced", "mass misplaced by the best map of a measure to itself", kind="solvable"
            ).at_most(0.0, control=True),
            name="an optimal map always exists on compact sets",
            reading="An optimal plan always exists on compact sets; a map need not: a point mass cannot be split.",
        ),
    ),
    plot=plot,
    sizes=every_scale(),
)
