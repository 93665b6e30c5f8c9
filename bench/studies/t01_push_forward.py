"""T1: a push-forward keeps mass, and integrals move with it."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import integrate, stats

from .contract import Criterion, Part, Row, Setting, Study, every_scale
from .style import BLUE, label, legend, panels, threshold

SAMPLES = 1_000_000
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
    """Per seed and test function: |mean of h∘T − ∫h dν| in standard errors."""
    exact = {name: integral(h) for name, h in TEST_FUNCTIONS.items()}
    rows: list[Row] = []
    for seed in setting.seeds:
        pushed = np.random.default_rng(seed).standard_normal(SAMPLES) ** 2
        for name, h in TEST_FUNCTIONS.items():
            values = h(pushed)
            error = values.mean() - exact[name]
            standard = values.std() / np.sqrt(SAMPLES)
            rows.append({"seed": seed, "function": name, "error": error, "z": abs(error) / standard})
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Every seed's error per test function, in standard errors."""
    figure, (axis,) = panels("T1  Mean of h∘T under μ against the integral of h under T#μ")
    for place, name in enumerate(TEST_FUNCTIONS):
        z = measurements.loc[measurements["function"] == name, "z"]
        axis.scatter(z, np.full(len(z), place), color=BLUE, s=18, label="one seed" if place == 0 else None)
    threshold(axis, 3.0, "criterion, for the median seed's worst", horizontal=False)
    axis.set_yticks(range(len(TEST_FUNCTIONS)), list(TEST_FUNCTIONS))
    axis.set_xlim(0, 3.6)
    label(axis, "error of the mean of h(T(x)), in standard errors", "test function h(y)")
    legend(axis, loc="center right", bbox_to_anchor=(0.82, 0.62))
    return figure


STUDY = Study(
    id="T1",
    claim="A push-forward keeps mass; ∫h dν = ∫h∘T dμ.",
    document="Report 1.1.1",
    experiment=f"T(x) = x² takes N(0,1) to χ²(1): the mean of h(T(x)) over {SAMPLES:,} draws against quadrature of h "
    "with the density of χ²(1), for five h (one an indicator: mass).",
    run=run,
    parts=(
        Part(
            criteria=(
                # The largest of five seeds' 25 scores passes 3 by chance once in 15 times; the median seed's does not.
                Criterion(
                    measurement="z",
                    text="largest Monte-Carlo error of five functions, median seed, in standard errors",
                    within="max",
                    reduce="median",
                    op="<",
                    threshold=3.0,
                ),
            ),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"samples": SAMPLES, "functions": list(TEST_FUNCTIONS)},
)
