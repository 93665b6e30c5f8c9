"""T14: Jensen–Shannon does not see how far apart disjoint supports are; W_1 does."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .exact import jensen_shannon, on_union, parallel_lines, wasserstein

POINTS = 100
THETAS = (-1.0, -0.75, -0.5, -0.25, -0.1, -0.01, 0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 1.0)


def run(setting: Setting) -> list[Row]:
    """JS and W_1 of two parallel lines at each distance θ."""
    rows: list[Row] = []
    for theta in THETAS:
        x, y = parallel_lines(theta, POINTS)
        _, p, q = on_union(x, y)
        js, w1 = jensen_shannon(p, q), wasserstein(x, y)
        rows.append({"theta": theta, "apart": int(theta != 0), "js": js, "w1": w1, "w1_error": abs(w1 - abs(theta))})
        rows[-1]["js_error"] = abs(js - np.log(2.0)) if theta else js
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Both divergences against θ."""
    figure, (axis,) = panels("T14  Two parallel lines at distance θ", width=6.4)
    axis.plot(measurements["theta"], measurements["w1"], "o-", color=BLUE, label="W₁ = |θ|")
    for side in (measurements[measurements["theta"] < 0], measurements[measurements["theta"] > 0]):
        axis.plot(
            side["theta"], side["js"], "s-", color=VERMILION, label="JSD, nats" if side["theta"].iloc[0] < 0 else None
        )
    axis.plot([0], measurements.loc[measurements["theta"] == 0, "js"], "s", color=VERMILION)
    axis.axhline(np.log(2), color="black", linestyle="--", linewidth=1, zorder=1)
    axis.text(-1.0, np.log(2) - 0.02, "log 2", va="top", fontsize=8)
    legend(axis, loc="upper center")
    axis.set_ylim(-0.05, 1.12)
    label(axis, "offset θ of the second line", "divergence")
    return figure


STUDY = Study(
    id="T14",
    claim="The Jensen–Shannon divergence ignores the distance between supports, the Wasserstein distance does not.",
    document="Q&A, Report 2.3, 3.1",
    experiment=f"Uniform measures on {POINTS} points of two parallel lines at distance θ, exactly.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("js_error", "abs(JSD − log 2) over θ ≠ 0", apart=1).at_most(1e-9),
            Measure.largest("w1_error", "abs(W_1 − abs(θ)) over θ").at_most(1e-9),
        ),
    ),
    plot=plot,
    sizes=every_scale(),
    settings={"points": POINTS, "theta": list(THETAS)},
)
