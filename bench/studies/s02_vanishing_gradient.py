"""S2: what a generator gets to learn from while its critic comes close to the optimum."""

import pandas as pd
from matplotlib.figure import Figure

from .contract import Criterion, Part, Quantity, Row, Setting, Study
from .gradients import draw_curves, gradient_rows, ratio
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, legend, panels
from .trainings import CLIP, CLIP_TIGHT, SHEET_CELLS, sheet_sizes

SETTLED = 50  # the critic's start is over
COLORS = {
    "minimax": VERMILION,
    "non-saturating": ORANGE,
    "GP": BLUE,
    "SN": GREEN,
    CLIP: PURPLE,
    CLIP_TIGHT: BLACK,
}


def run(setting: Setting) -> list[Row]:
    """See `gradient_rows`."""
    return gradient_rows(SHEET_CELLS, setting)


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed and objective: first over last gradient (`fall`), largest over smallest and smallest over the overall
    largest from step SETTLED on (`spread`, `share`).
    """
    rows: list[Row] = []
    for (seed, objective), curve in measurements.groupby(["seed", "objective"]):
        gradient = curve.sort_values("step").set_index("step")["gradient"]
        settled = gradient[gradient.index >= SETTLED]
        rows.append({"seed": seed, "objective": objective, "fall": ratio(gradient.iloc[0], gradient.iloc[-1])})
        rows[-1] |= {"spread": ratio(settled.max(), settled.min()), "share": settled.min() / gradient.max()}
        rows[-1] |= {"first": gradient.iloc[0], "last": gradient.iloc[-1]}
    return pd.DataFrame(rows)


def plot(measurements: pd.DataFrame) -> Figure:
    """Gradient norm against critic steps."""
    figure, (axis,) = panels("S2  Gradient of a fixed generator while its critic trains", width=6.8, height=4.2)
    draw_curves(measurements, COLORS, axis)
    legend(axis, ncols=2, loc="lower left")
    return figure


def _last(objective: str) -> Quantity:
    return Quantity(
        measurement="last", where={"objective": objective}, reduce="median", text=f"gradient at the end, {objective}"
    )


STUDY = Study(
    id="S2",
    claim="The generator's gradient vanishes as the critic approaches its optimum; Wasserstein critics keep it.",
    document="Report 2.3.1, 3.5; Q&A",
    experiment="Fixed 2×64 generator into R^16, data tanh(U)·A on a 2-D sheet, critic 3×128, float64, Adam 1e-3 "
    "(.5,.9), batch 256, λ = 10, clipping at .1 and .01, SN with the non-saturating loss; the generator's gradient "
    "on 1,024 fixed latents at 0, 10, 50 and every 100 critic steps.",
    run=run,
    derive=derive,
    parts=(
        Part(
            name="minimax: the gradient vanishes",
            criteria=(
                Criterion(
                    measurement="fall",
                    where={"objective": "minimax"},
                    text="gradient at step 0 over gradient at the end, minimax, worst seed",
                    reduce="min",
                    op=">=",
                    threshold=1e3,
                ),
            ),
            reported=(_last("minimax"), _last("non-saturating")),
        ),
        Part(
            name="Wasserstein and SN critics keep it",
            criteria=(
                Criterion(
                    measurement="spread",
                    where={"objective": "GP"},
                    text=f"largest over smallest gradient from step {SETTLED} on, GP, worst seed",
                    op="<=",
                    threshold=2.0,
                ),
                Criterion(
                    measurement="share",
                    where={"objective": "SN"},
                    text=f"smallest gradient from step {SETTLED} on over the largest, SN, worst seed",
                    reduce="min",
                    op=">=",
                    threshold=0.1,
                ),
            ),
            reported=(_last("GP"), _last("SN"), _last(CLIP), _last(CLIP_TIGHT)),
        ),
    ),
    plot=plot,
    sizes=sheet_sizes(),
    settings={"settled": SETTLED},
)
