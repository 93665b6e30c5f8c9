"""T11: the optimal discriminator is p_r/(p_r + p_g), ½ where the densities agree."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from ...report.palette import BLUE, GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .discriminator import GRID, PAIRS, STEPS, optimum, train

MASS = 0.05


def run(setting: Setting) -> list[Row]:
    """Per pair of densities and seed: sup |D − D*| where p_r + p_g > .05, and the curves of the first seed."""
    rows: list[Row] = []
    for pair, (real, fake) in PAIRS.items():
        total = real.pdf(GRID) + fake.pdf(GRID)
        for seed in setting.seeds:
            error = np.abs(expit(train(pair, seed)) - optimum(pair))
            rows.append({"seed": seed, "pair": pair, "error": error[total > MASS].max()})
        shown = slice(None, None, 20)
        columns = (GRID[shown], expit(train(pair, setting.seeds[0]))[shown], optimum(pair)[shown], total[shown])
        rows += [
            {"pair": pair, "x": x, "trained": d, "optimum": best, "mass": mass}
            for x, d, best, mass in zip(*columns, strict=True)
        ]
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Trained discriminator and optimum for each pair of densities."""
    figure, axes = panels("T11  A trained discriminator reaches p_r / (p_r + p_g)", columns=len(PAIRS), width=3.4)
    curves = measurements.dropna(subset=["x"])
    for axis, pair in zip(axes, PAIRS, strict=True):
        curve = curves[curves["pair"] == pair]
        inside = curve[curve["mass"] > MASS]
        axis.axvspan(inside["x"].min(), inside["x"].max(), color=GREY, alpha=0.12, label="p_r + p_g > .05")
        axis.plot(curve["x"], curve["optimum"], color=BLUE, linewidth=3.5, alpha=0.5, label="optimum")
        axis.plot(curve["x"], curve["trained"], color=VERMILION, linewidth=1.2, label="trained (seed 0)")
        axis.set(ylim=(-0.05, 1.05), xlim=(-5, 5))
        error = measurements.loc[(measurements["pair"] == pair), "error"].max()
        label(axis, "x", "D(x)" if pair == "shifted" else "", f"{pair}: worst error {error:.2g}")
    legend(axes[0], loc="lower left", bbox_to_anchor=(0.0, 0.3))
    return figure


STUDY = Study(
    id="T11",
    claim="The optimal discriminator is D* = p_r/(p_r + p_g), and ½ when the densities are equal.",
    document="Report 2.2.1",
    experiment=f"A 2×32 tanh network trained by critic_step for {STEPS} steps on the quantiles of three known pairs of "
    "densities on the line, one of them equal.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("error", "sup abs(D − D*) where p_r + p_g > .05, three pairs").below(0.03),
            Measure.largest("error", "sup abs(D − ½), equal densities", pair="equal").below(0.03),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=3),
    settings={"steps": STEPS, "mass": MASS},
)
