"""G5: which objectives survive other hyper-parameters on images; S6 (a) there."""

import math

import pandas as pd
from matplotlib.figure import Figure

from ...engine.contract import Measure, Row, Setting, Study
from ...plotting.style import label, legend, panels, threshold
from ...training import image_games
from ...training.image_games import CLIP, COLORS, GP, NS, ON_IMAGES, SMALL, SN, ending, game, image_runs, sizes
from .counts import SETTINGS, bars, counts, medians, part, successes

FACTOR = 2.0  # what success means: FD at most so many times the best of the seed


def run(setting: Setting) -> list[Row]:
    """How every run ended, under the settings A–F."""
    cells = [
        game(name, setting.options, recipe=recipe, labels={"setting": letter})
        for letter, recipe in SETTINGS.items()
        for name in setting.options["objectives"]
    ]
    return [ending(one) for one in image_runs(cells, setting)]


def best(runs: pd.DataFrame) -> pd.Series:
    """Per run: the smallest FD that any objective reaches under any setting at its seed."""
    return runs.groupby("seed")["fd_tail"].transform("min")


def succeeded(runs: pd.DataFrame) -> pd.Series:
    """Not diverged, and FD over the last fifth of the run at most twice the best of its seed."""
    return (runs["status"] == "completed") & (runs["fd_tail"] <= FACTOR * best(runs)) & (runs["fd_tail"] < math.inf)


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """See `counts`; beside it each seed's best FD (`best`)."""
    of_seeds = measurements.groupby("seed")["fd_tail"].min().rename("best").reset_index()
    return pd.concat([pd.DataFrame(counts(measurements, succeeded(measurements))), of_seeds])


def plot(measurements: pd.DataFrame) -> Figure:
    """Left the distance of each objective under each setting, right how many settings succeed."""
    metric, data = measurements["metric"].iloc[0], measurements["data"].iloc[0]
    figure, axes = panels(f"G5  SN-GAN's settings A–F on {data}", columns=2, width=5.4, height=4.0)
    bars(axes[0], measurements.assign(value=measurements["fd_tail"] / best(measurements)), COLORS)
    threshold(axes[0], FACTOR, f"success: ≤ {FACTOR:g}")
    label(axes[0], "setting", f"{metric} over the seed's best", "lines: median; dots: seeds; crosses: diverged")
    legend(axes[0], ncols=2)
    medians(axes[1], pd.DataFrame(counts(measurements, succeeded(measurements))), COLORS)
    return figure


STUDY = Study(
    id="G5",
    claim="A Lipschitz constraint makes training on images robust to hyper-parameters.",
    document="Report 3.5",
    experiment=f"S6 (a) on images: {ON_IMAGES}, 20,000 updates under SN-GAN's settings A–F (its figure 1 compares them "
    "by Inception Score); NS, clipping .01, GP λ = 10, SN with the hinge loss. Success, fixed before any run: not "
    "diverged, and mean FD of the last fifth at most twice the best of all settings and objectives at that seed. The "
    "criteria are S6's.",
    run=run,
    resolve=image_games.resolved,
    derive=derive,
    parts=(
        part(
            "",
            SN,
            GP,
            successes(NS),
            successes(CLIP),
            Measure.median("best", "the best FD of a seed"),
        ),
    ),
    plot=plot,
    sizes=sizes(
        {"objectives": (GP, SN), "steps": 4, "evaluation": {**SMALL["evaluation"], "count": 1}},
        {"objectives": (NS, CLIP, GP, SN)},
    ),
    settings={"factor": FACTOR},
)
