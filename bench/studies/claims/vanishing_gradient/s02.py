"""S2: what a generator gets to learn from while its critic comes close to the optimum."""

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Row, Setting, Study
from ...training.critic_runs import SHEET_CELLS, sheet_runs, sheet_sizes
from .curves import SETTLED, curves, gradient_rows, parts, summary


def run(setting: Setting) -> list[Row]:
    """See `gradient_rows`."""
    return gradient_rows(sheet_runs(SHEET_CELLS, setting.options["steps"], setting.seeds), setting)


def plot(measurements: pd.DataFrame) -> Figure:
    """See `curves`."""
    return curves(measurements, "S2  Gradient of a fixed generator while its critic trains")


STUDY = Study(
    id="S2",
    claim="The generator's gradient vanishes as the critic approaches its optimum; Wasserstein critics keep it.",
    document="Report 2.3.1, 3.5; Q&A",
    experiment="Fixed 2×64 generator into R^16, data tanh(U)·A on a 2-D sheet, critic 3×128, float64, Adam 1e-3 "
    "(.5,.9), batch 256, λ = 10, clipping at .1 and .01, SN with the non-saturating loss; the generator's gradient "
    "on 1,024 fixed latents at 0, 10, 50 and every 100 critic steps.",
    run=run,
    derive=summary,
    parts=parts("fall", "gradient at step 0"),
    plot=plot,
    sizes=sheet_sizes(),
    settings={"settled": SETTLED},
)
