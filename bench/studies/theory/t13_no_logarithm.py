"""T13: without logarithms the discriminator's optimum is the total variation, not Jensen–Shannon."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import linprog
from scipy.stats import norm

from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes
from ..plotting.style import label, legend, panels
from .exact import Array, jensen_shannon, total_variation

EDGES = np.linspace(-8.0, 10.0, 201)
SHIFTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
CURVE = np.linspace(0.0, 4.0, 81)  # for the picture's lines
# Equal total variation ½, different Jensen–Shannon: no function of the one is the other.
SAME_VARIATION = (((0.5, 0.5), (1.0, 0.0)), ((0.75, 0.25), (0.25, 0.75)))


def optimum(p: Array, q: Array, bound: float | None = 1.0) -> float:
    """max over D in [0, bound] of E_p[D] + E_q[1 − D], by linear programme; inf where it is unbounded."""
    bounds = (0.0, bound) if bound is not None else (None, None)
    # HiGHS's own tolerance, 1e-7, leaves D at the wrong bound where p and q are that close.
    solution = linprog(-(p - q), bounds=bounds, method="highs", options={"dual_feasibility_tolerance": 1e-10})
    # HiGHS reports an unbounded programme as status 3 (or 4, "unbounded or infeasible"; D = 0 is feasible).
    return 1.0 - solution.fun if solution.status == 0 else float("inf")


def histogram(shift: float) -> Array:
    """N(shift, 1) in bins of EDGES; the tails go to the outer bins."""
    mass = np.diff(norm.cdf(EDGES, shift))
    return mass / mass.sum()


def run(setting: Setting) -> list[Row]:
    """Optimum, total variation and Jensen–Shannon for shifted Gaussians and for two pairs of equal variation."""
    pairs = [(shift, histogram(0.0), histogram(shift)) for shift in SHIFTS]
    rows: list[Row] = [{"kind": "shift", "shift": shift} | measure(p, q) for shift, p, q in pairs]
    rows += [{"kind": "curve", "shift": shift} | divergences(histogram(0.0), histogram(shift)) for shift in CURVE]
    rows.append({"kind": "unbounded", "optimum": optimum(histogram(0.0), histogram(1.0), None)})
    same = [measure(np.array(p), np.array(q)) for p, q in SAME_VARIATION]
    spread = {name: abs(same[0][name] - same[1][name]) for name in ("optimum", "js")}
    return [*rows, {"kind": "same variation", "optimum_gap": spread["optimum"], "js_gap": spread["js"]}]


def measure(p: Array, q: Array) -> Row:
    """The optimum for D in [0, 1], what it is, and what it is not."""
    best, found = optimum(p, q), divergences(p, q)
    errors = {"error": abs(best - 1.0 - found["tv"]), "from_js": abs(best - 1.0 - found["js"])}
    return {"optimum": best} | found | errors


def divergences(p: Array, q: Array) -> Row:
    """Total variation, and Jensen–Shannon in nats."""
    return {"tv": total_variation(p, q), "js": jensen_shannon(p, q)}


def plot(measurements: pd.DataFrame) -> Figure:
    """The optimum against the shift, on 1 + TV and off any Jensen–Shannon."""
    figure, (axis,) = panels("T13  Without logarithms the discriminator's optimum is 1 + TV", width=6.4)
    shown, curve = (measurements[measurements["kind"] == kind] for kind in ("shift", "curve"))
    axis.plot(curve["shift"], 1 + curve["tv"], color=BLUE, linewidth=4, alpha=0.5, label="1 + total variation")
    axis.plot(shown["shift"], shown["optimum"], "o", color="black", markersize=5, label="optimum over D in [0, 1] (LP)")
    axis.plot(curve["shift"], 1 + curve["js"], color=VERMILION, label="1 + JSD (nats)")
    axis.plot(curve["shift"], 1 + curve["js"] / np.log(2), color=GREEN, label="1 + JSD / log 2")
    legend(axis, loc="lower right")
    label(axis, "shift s between N(0,1) and N(s,1)", "optimum, or 1 + divergence")
    return figure


STUDY = Study(
    id="T13",
    claim="The discriminator's loss, written without logarithms, measures the Jensen–Shannon divergence.",
    document="Q&A",
    experiment="max over D of E_p[D] + E_q[1 − D] as a linear programme, D in [0,1] and unbounded, for shifted "
    "Gaussians in 200 bins, and for two pairs of equal total variation.",
    run=run,
    parts=(
        refutes(
            Measure.largest("error", "abs(optimum − (1 + TV)), D in [0,1]", kind="shift").below(1e-6),
            Measure.largest("from_js", "abs(optimum − (1 + JSD)), shift 1", kind="shift", shift=1.0).above(1e-3),
            Measure.largest("optimum_gap", "change of the optimum at equal TV").below(1e-6),
            Measure.largest("js_gap", "change of JSD at equal TV").above(1e-3),
            Measure.smallest("optimum", "optimum for unbounded D (inf: no maximum)", kind="unbounded").above(1e300),
            reading="It measures 1 + TV for D in [0,1], and is +∞ for unbounded D; "
            "the logarithms make it Jensen–Shannon.",
        ),
    ),
    plot=plot,
    sizes=every_scale(),
    settings={"bins": len(EDGES) - 1, "shifts": list(SHIFTS)},
)
