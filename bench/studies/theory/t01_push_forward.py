"""T1: a push-forward keeps mass, and integrals move with it."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import integrate, stats

from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels, threshold

SAMPLES = 1_000_000
WRONG = 1.01  # the control's map is 1.01·x²: its mean of y is off by .01, some seven standard errors
# T(x) = x² takes N(0,1) to χ²(1): two branches, so a wrong rule for densities or preimages shows.
TEST_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mass of [½, 2]": lambda y: ((y >= 0.5) & (y <= 2.0)).astype(float),
    "y": lambda y: y,
    "sin 3y": lambda y: np.sin(3.0 * y),
    "exp(−y)": lambda y: np.exp(-y),
    "log(1 + y)": lambda y: np.log1p(y),
}


def integral(h: Callable[[np.ndarray], np.ndarray]) -> float:
    """∫h dν for ν = χ²(1) by quadrature of its density, in the variable u = √y where nothing is singular."""
    pieces = [0.0, np.sqrt(0.5), np.sqrt(2.0), 4.0, 10.0]

    def integrand(u: float) -> float:
        return float(h(np.array(u * u)) * stats.chi2.pdf(u * u, 1) * 2.0 * u) if u > 0 else 0.0

    return sum(integrate.quad(integrand, a, b, limit=200)[0] for a, b in pairwise(pieces))


def run(setting: Setting) -> list[Row]:
    """Per seed and test function: mean of h∘T − ∫h dν, also in standard errors; the same of a wrong map; pooled."""
    exact = {name: integral(h) for name, h in TEST_FUNCTIONS.items()}
    rows: list[Row] = []
    for seed in setting.seeds:
        pushed = np.random.default_rng(seed).standard_normal(SAMPLES) ** 2
        for name, h in TEST_FUNCTIONS.items():
            rows.append({"seed": seed, "function": name} | score(h(pushed), exact[name]))
        rows.append({"seed": seed, "kind": "wrong map", "wrong_z": score(WRONG * pushed, exact["y"])["z"]})
    return rows + pooled(rows)


def score(values: np.ndarray, exact: float) -> Row:
    """Error of the mean of values [n], its standard error, and |error| in standard errors."""
    error, standard = values.mean() - exact, values.std() / np.sqrt(len(values))
    return {"error": error, "standard": standard, "z": abs(error) / standard}


def pooled(rows: list[Row]) -> list[Row]:
    """Per test function: |mean error over the seeds| in its standard errors; a small error that all share shows."""
    found: list[Row] = []
    for name in TEST_FUNCTIONS:
        own = [row for row in rows if row.get("function") == name]
        error, standard = (np.array([row[column] for row in own]) for column in ("error", "standard"))
        z = abs(error.sum()) / np.sqrt((standard**2).sum())
        found.append({"kind": "pooled", "function": name, "pooled_z": z})
    return found


def plot(measurements: pd.DataFrame) -> Figure:
    """The pooled error per test function, in standard errors, every seed's beside it."""
    figure, (axis,) = panels("T1  Mean of h∘T under μ against the integral of h under T#μ")
    for place, name in enumerate(TEST_FUNCTIONS):
        shown = measurements[measurements["function"] == name]
        z, pool = shown["z"].dropna(), shown["pooled_z"].dropna()
        names = ("all seeds pooled", "one seed") if place == 0 else (None, None)
        axis.scatter(pool, [place], color=BLUE, s=90, label=names[0], zorder=3)
        axis.scatter(z, np.full(len(z), place), color=BLUE, s=18, alpha=0.35, linewidths=0, label=names[1])
    wrong = measurements["wrong_z"].dropna()
    control = f"T(x) = {WRONG:g}·x²\n(control), y"
    axis.scatter(
        wrong, np.full(len(wrong), -1), color=VERMILION, s=18, alpha=0.6, linewidths=0, label="one seed, wrong map"
    )
    threshold(axis, 3.0, "criterion: right map below, wrong map above", horizontal=False)
    axis.set_yticks(range(-1, len(TEST_FUNCTIONS)), [control, *TEST_FUNCTIONS])
    axis.set_xlim(left=0)
    label(axis, "error of the mean of h(T(x)), in standard errors", "test function h(y)")
    legend(axis, loc="center right")
    return figure


STUDY = Study(
    id="T1",
    claim="A push-forward keeps mass; ∫h dν = ∫h∘T dμ.",
    document="Report 1.1.1",
    experiment=f"T(x) = x² takes N(0,1) to χ²(1): the mean of h(T(x)) over {SAMPLES:,} draws against quadrature of h "
    "with the density of χ²(1), for five h (one an indicator: mass); a map that is 1 % off as control.",
    run=run,
    parts=(
        reproduces(
            # The 25 scores of five seeds pass 3 by chance once in 15 times, the five pooled ones once in 75.
            Measure.largest(
                "pooled_z", "largest Monte-Carlo error of five functions, seeds pooled, in standard errors"
            ).below(3.0),
            Measure.smallest(
                "wrong_z", f"error of the mean of y with T(x) = {WRONG:g}·x², in standard errors, least seed's"
            ).above(3.0, control=True),
            reported=(Measure.median("z", "largest of five functions, median seed", within="max"),),
            caveat="The seeds are judged pooled (at first the median seed was, which is still told): of 25 scores of "
            "single seeds, held against the same bound, one passes it by chance once in 15 times. In results/reference "
            "two do, both of one seed (3.42 and 3.05).",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"samples": SAMPLES, "wrong map": WRONG, "functions": list(TEST_FUNCTIONS)},
)
