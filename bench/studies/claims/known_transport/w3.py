"""W3: where the cost of a critic under a gradient penalty is W1, and where it is not."""

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Measure, Part, Row, Setting, Study, reproduces
from ...plotting.style import label, legend, panels, threshold
from .runs import GP, SIZES, critic_rows, draw
from .w1 import DOCUMENT

SIMPLE, HARD = ((2, 4), (16, 4), (64, 4)), (128, 64)
FAITHFUL, BELOW = 0.15, 0.8


def run(setting: Setting) -> list[Row]:
    """GP on pairs of four funnels, and on 64 in 128 dimensions."""
    return critic_rows((*SIMPLE, HARD), (GP,), setting)


def plot(measurements: pd.DataFrame) -> Figure:
    """Cost over W1 by pair."""
    figure, (axis,) = panels("W3  What a critic under GP says of W1", width=7.6)
    draw(axis, measurements, "cost")
    threshold(axis, 1.0, "W1")
    label(axis, "", "(E f(real) − E f(fake)) / W1")
    legend(axis)
    return figure


def _cost(d: int, n: int) -> Measure:
    return Measure.median("cost", f"cost of GP over W1, d = {d}, n = {n}", objective=GP, d=d, n=n)


STUDY = Study(
    id="W3",
    claim="No solver computes W1 faithfully in high dimension.",
    document=DOCUMENT,
    experiment="As W1: GP's mean difference against the true W1, on pairs of few funnels and on the hardest.",
    run=run,
    parts=(
        Part(
            name="four funnels: within 15 % of W1",
            criteria=tuple(
                criterion
                for d, n in SIMPLE
                for criterion in (_cost(d, n).at_least(1 - FAITHFUL), _cost(d, n).at_most(1 + FAITHFUL))
            ),
        ),
        reproduces(_cost(*HARD).below(BELOW), name="64 funnels in 128 dimensions: below .8 of W1"),
    ),
    plot=plot,
    sizes=SIZES,
)
