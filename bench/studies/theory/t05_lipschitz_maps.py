"""T5: an optimal map need not be Lipschitz: a gap in the target makes it jump."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes
from ..plotting.style import label, label_powers_of_ten, legend, panels

STEPS = 10.0 ** -np.arange(1, 7)


def to_gap(x: np.ndarray) -> np.ndarray:
    """The monotone, hence optimal, map from N(0,1) to U([−2,−1] ∪ [1,2])."""
    level = stats.norm.cdf(x)
    return np.where(level < 0.5, -2.0 + 2.0 * level, 2.0 * level)


def to_itself(x: np.ndarray) -> np.ndarray:
    """The optimal map from N(0,1) to itself by the same formula, quantile of the level."""
    return stats.norm.ppf(stats.norm.cdf(x))


MAPS = {"gap": to_gap, "identity": to_itself}


def quotients(transport: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Difference quotients across 0, (T(h/2) − T(−h/2))/h, one for each h of STEPS."""
    return (transport(STEPS / 2) - transport(-STEPS / 2)) / STEPS


def run(setting: Setting) -> list[Row]:
    """The quotients at every h, and the exponent s of quotient ~ h^s."""
    rows: list[Row] = []
    for name, transport in MAPS.items():
        values = quotients(transport)
        rows += [{"map": name, "h": h, "quotient": q} for h, q in zip(STEPS, values, strict=True)]
        exponent = np.polyfit(np.log(STEPS), np.log(values), 1)[0]
        rows.append({"map": name, "exponent": exponent, "deviation": np.abs(values - 1.0).max()})
        grid = np.linspace(-3.0, 3.0, 241)
        rows += [{"map": name, "x": x, "image": y} for x, y in zip(grid, transport(grid), strict=True)]
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """The map with its jump, and its difference quotient against h."""
    figure, axes = panels("T5  An optimal map with unbounded slope", columns=2)
    colors, names = {"gap": VERMILION, "identity": BLUE}, {"gap": "to U([−2,−1] ∪ [1,2])", "identity": "to N(0,1)"}
    for name, group in measurements.groupby("map"):
        curve = group.dropna(subset=["x"])
        for side in (curve[curve["x"] < 0], curve[curve["x"] >= 0]):
            text = names[str(name)] if side is not None and side["x"].iloc[0] < 0 else None
            axes[0].plot(side["x"], side["image"], color=colors[str(name)], label=text)
        slopes = group.dropna(subset=["h"])
        axes[1].loglog(slopes["h"], slopes["quotient"], "o-", color=colors[str(name)], label=names[str(name)])
    for axis in (axes[1].xaxis, axes[1].yaxis):
        label_powers_of_ten(axis)
    label(axes[0], "x, from N(0,1)", "optimal map T(x)", "the map jumps over the gap")
    label(axes[1], "h", "(T(h/2) − T(−h/2)) / h", "difference quotient at the jump: like 1/h")
    for axis in axes:
        legend(axis)
    return figure


STUDY = Study(
    id="T5",
    claim="Optimal maps and plans are “usually Lipschitz”.",
    document="Report 1.1.3",
    experiment="The exact quantile map N(0,1) → U([−2,−1] ∪ [1,2]): difference quotient at 0 over h = 1e-1 … 1e-6; "
    "the map N(0,1) → N(0,1) as control.",
    run=run,
    parts=(
        refutes(
            Measure.largest("exponent", "exponent s of quotient ~ h^s at the jump", map="gap").below(-0.95),
            Measure.largest("deviation", "abs(quotient − 1) of the identity", map="identity").below(1e-6, control=True),
            reading="A gap in the target makes the map jump. Lipschitz needs more: on the line, a source density "
            "bounded from above and a target density bounded from below on an interval (T′ = f/g∘T); in R^d, for "
            "instance, a Gaussian source and a target more log-concave than it (Caffarelli's contraction theorem).",
        ),
    ),
    plot=plot,
    sizes=every_scale(),
    settings={"h": list(STEPS)},
)
