"""W4: how much of clipping's and spectral norm's failure is one of scale."""

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Measure, Part, Row, Setting, Study
from ...plotting.style import label, legend, panels
from .runs import CLIP, SIZES, SN, critic_rows, draw
from .w1 import PAIRS

HALF = 0.5


def run(setting: Setting) -> list[Row]:
    """Clipping and SN on W1's pairs, whose runs they share."""
    return critic_rows(PAIRS, (CLIP, SN), setting)


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """`left`, `cost_left`: what is left of L2 and of the cost's error after the critic is divided by its slope."""
    return measurements.assign(
        left=measurements["gradient_error_scaled"] / measurements["gradient_error"],
        cost_left=measurements["cost_error_scaled"] / measurements["cost_error"],
    )


def plot(measurements: pd.DataFrame) -> Figure:
    """L2 before and after the division, by pair."""
    figure, axes = panels("W4  Squared error of the gradient, and after division by the slope", columns=2, width=6.4)
    for axis, column, title in zip(
        axes, ("gradient_error", "gradient_error_scaled"), ("as trained", "divided"), strict=True
    ):
        draw(axis, measurements, column)
        label(axis, "", "L2", title)
        legend(axis)
    return figure


def _measure(column: str, text: str, objective: str, d: int, n: int) -> Measure:
    return Measure.median(column, f"{text}, {objective}, d = {d}, n = {n}", objective=objective, d=d, n=n)


STUDY = Study(
    id="W4",
    claim="Clipping and spectral norm fail by scale alone.",
    document="lipbench's own question",
    experiment="As W1: what is left of the gradient's squared error when the critic is divided by its largest slope "
    "over pairs of 2,000 points. Scale alone would leave less than half.",
    run=run,
    derive=derive,
    parts=tuple(
        Part(
            name=objective,
            criteria=tuple(
                _measure("left", "L2 after the division over L2 before", objective, d, n).below(HALF) for d, n in PAIRS
            ),
            caveat="The threshold was set after a first run of clipping on the authors' pair d = 16, n = 4.",
            reported=tuple(
                _measure(column, text, objective, d, n)
                for d, n in PAIRS
                for column, text in (
                    ("cosine", "cos"),
                    ("gradient_error_scaled", "L2 after the division"),
                    ("cost_left", "cost error after the division over before"),
                )
            ),
        )
        for objective in (CLIP, SN)
    ),
    plot=plot,
    sizes=SIZES,
)
