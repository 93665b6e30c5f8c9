"""W1: whether gradient penalties find the transport's direction better than clipping and spectral norm do."""

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Criterion, Measure, Part, Row, Setting, Study
from ...plotting.style import label, panels, shared_legend
from .runs import CLIP, GP, LP, SIZES, SN, critic_rows, draw

PAIRS = ((16, 4), (16, 64), (64, 4), (64, 64))
DOCUMENT = "Korotin et al. 2022"


def run(setting: Setting) -> list[Row]:
    """The four methods on every pair."""
    return critic_rows(PAIRS, (CLIP, GP, LP, SN), setting)


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """`margin`: the cosine less the larger median of clipping and SN on the same pair.

    A constant is taken off, so that the median over seeds of the margin is the difference of the medians.
    """
    found = []
    for _, block in measurements.groupby(["d", "n"]):
        medians = block.groupby("objective")["cosine"].median()
        found.append(block.assign(margin=block["cosine"] - medians.reindex([CLIP, SN]).max()))
    return pd.concat(found)


def plot(measurements: pd.DataFrame) -> Figure:
    """Cosines by pair, published ones hollow."""
    figure, (axis,) = panels("W1  Cosine of the critic's gradient and the true one", width=7.6)
    draw(axis, measurements, "cosine", published=True)
    label(axis, "", "cos", "hollow: published, on the authors' own pairs")
    shared_legend(figure, axis)
    return figure


def _criterion(objective: str, d: int, n: int) -> Criterion:
    text = f"cos of {objective} less the better median of clipping and SN, d = {d}, n = {n}"
    return Measure.median("margin", text, objective=objective, d=d, n=n).above(0.0)


STUDY = Study(
    id="W1",
    claim="Gradient penalties find a useful gradient in every dimension; clipping and spectral norm hardly any.",
    document=DOCUMENT,
    experiment="Critics [d, w, w, 1] on pairs whose optimal transport is known (MinFunnels, fresh parameters of the "
    "authors' law), batch 1,024, Adam 2e-4 (0,.9), recipe korotin-2022, with a "
    "gradient through SN's norm as its paper has it (the authors' code: W2); cosine on 4,096 fresh points.",
    run=run,
    derive=derive,
    parts=tuple(
        Part(
            name=f"{objective} against clipping and SN",
            criteria=tuple(_criterion(objective, d, n) for d, n in PAIRS),
            reported=tuple(
                Measure.median("cosine", f"cos of {name}, d = {d}, n = {n}", objective=name, d=d, n=n)
                for d, n in PAIRS
                for name in (objective, CLIP, SN)
            ),
        )
        for objective in (GP, LP)
    ),
    plot=plot,
    sizes=SIZES,
)
