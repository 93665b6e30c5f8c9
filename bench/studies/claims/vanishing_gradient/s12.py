"""S12: instance noise gives the generator of a perfect discriminator its gradient back."""

import pandas as pd
from matplotlib.figure import Figure

from ....report.palette import BLACK, SKY, VERMILION
from ...engine.contract import Criterion, Measure, Row, Setting, Study, reproduces
from ...measures.quotients import gain, paired
from ...plotting.style import legend, panels
from ...training.critic_runs import MINIMAX, noise_cells, sheet_runs, sheet_sizes
from .curves import draw_curves, gradient_rows, last

COLORS = {"minimax": VERMILION, "constant noise": SKY, "annealed noise": BLACK}


def run(setting: Setting) -> list[Row]:
    """See `gradient_rows`: without noise, with constant and with annealed noise."""
    steps = setting.options["steps"]
    rows = gradient_rows(sheet_runs({"minimax": MINIMAX, **noise_cells(steps)}, steps, setting.seeds), setting)
    return [row for row in rows if row["objective"] in COLORS]


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed and kind of noise: the last gradient, and its ratio (`gain`) to the one without noise at that seed."""
    rows: list[Row] = []
    for row, own in paired(last(measurements).reset_index(), "seed"):
        gradients = own.set_index("objective")["gradient"]
        for name, gradient in gradients.items():
            rows.append(row | {"objective": name, "last": gradient, "gain": gain(gradient, gradients["minimax"])})
    return pd.DataFrame(rows)


def plot(measurements: pd.DataFrame) -> Figure:
    """Gradient norm against critic steps, with and without noise."""
    figure, (axis,) = panels("S12  Gradient of a fixed generator, with and without instance noise", width=6.8, height=4)
    draw_curves(measurements, COLORS, axis, dashed="annealed noise")
    legend(axis, loc="lower left")
    return figure


def _gain(objective: str) -> Criterion:
    return Measure.smallest(
        "gain", f"last gradient over the one without noise, {objective}, worst seed", objective=objective
    ).at_least(1e3)


def _last(objective: str) -> Measure:
    return Measure.median("last", f"last gradient, {objective}", objective=objective)


STUDY = Study(
    id="S12",
    claim="Noise on the critic's input restores the generator's gradient.",
    document="Report 2.3.2",
    experiment="S2's setting and minimax's critic, with instance noise σ = .1: constant, and annealed linearly so that "
    "half of it is left at the last step.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            _gain("constant noise"), _gain("annealed noise"), reported=tuple(_last(objective) for objective in COLORS)
        ),
    ),
    plot=plot,
    sizes=sheet_sizes(),
)
