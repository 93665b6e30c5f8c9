"""G4: whether what the critic maximises tells how good the images are; S7 on the runs of G3."""

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Row, Setting, Study
from ...training.image_games import CLIP, COLORS, GP, MINIMAX, NS, ON_IMAGES, SN, comparison, resolved, sizes
from . import tracking

NAMES = (CLIP, GP, NS, SN, MINIMAX)


def run(setting: Setting) -> list[Row]:
    """Per evaluation after the first update: the value that the critic maximises, and the distance to the data."""
    runs = comparison(setting)
    metric = runs[0].record.protocol["fd"]["label"]
    return [row | {"metric": metric} for row in tracking.courses(runs, "fd")]


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """See `tracking.correlations`."""
    return tracking.correlations(measurements, "fd", NS)


def plot(measurements: pd.DataFrame) -> Figure:
    """See `tracking.draw`."""
    metric, rho = measurements["metric"].iloc[0], derive(measurements).groupby("objective")["rho"].median()
    colors = {name: COLORS[name] for name in NAMES}
    return tracking.draw(measurements, rho, f"G4  What the critic maximises, and {metric}", "fd", metric, colors)


STUDY = Study(
    id="G4",
    claim="The Wasserstein critic's loss tracks the quality of the images; the Jensen–Shannon loss does not.",
    document="Report 3.5",
    experiment=f"The runs of G3 ({ON_IMAGES}). At 20 evaluations: the value that the critic maximises on its batch, "
    "without GP's penalty, and FD; Spearman's ρ over time. The threshold is S7's.",
    run=run,
    resolve=resolved,
    derive=derive,
    parts=(tracking.part((GP, CLIP), NS, (SN, MINIMAX)),),
    plot=plot,
    sizes=sizes(),
)
