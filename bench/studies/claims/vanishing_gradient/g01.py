"""G1: what a generator of images gets to learn from while its critic comes close to the optimum; S2 on images."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .....models.recipe import Recipe
from ...engine.contract import Row, Setting, Size, Study
from ...training.critic_runs import SHEET_CELLS, Key, marks
from ...training.critics import CriticRun
from ...training.fixed_generator import Images
from ...training.image_games import LARGE, NEEDS_A_GPU, SMALL, data_of, device_of, named, resolved
from .curves import SETTLED, curves, gradient_rows, parts, summary

RECIPE = Recipe("adam", 1e-3, (0.5, 0.9), batch=64)  # S2's but for the batch
STEPS = 4000


def run(setting: Setting) -> list[Row]:
    """See `gradient_rows`."""
    options, device = setting.options, device_of(setting)
    name, settings = named(options["architecture"])
    game = Images(data_of(setting).name, name, settings, device, setting.resources.data)
    resources = replace(setting.resources, jobs=setting.resources.jobs_on(device))
    return gradient_rows(trainings(game, options["steps"], setting.seeds), replace(setting, resources=resources))


def trainings(game: Images, steps: int, seeds: Sequence[int]) -> dict[Key, CriticRun]:
    """(label, seed) → training of a critic under S2's constraints."""
    return {
        (label, seed): CriticRun(game, cell.objective, RECIPE, steps, seed, cell.pairs, marks(steps), cell.losses)
        for seed in seeds
        for label, cell in SHEET_CELLS.items()
    }


def plot(measurements: pd.DataFrame) -> Figure:
    """See `curves`."""
    return curves(measurements, "G1  Gradient of a fixed generator of images while its critic trains", "best")


STUDY = Study(
    id="G1",
    claim="The gradient of a generator of images vanishes as the critic approaches its optimum; Wasserstein critics "
    "keep it.",
    document="Report 2.3.1, 3.5; Q&A",
    experiment="S2 on images, with its criteria: CIFAR-10 against an untrained generator (its batch norms at the "
    "statistics of 256 latents), SN-GAN's CNN, Adam 1e-3 (.5,.9), batch 64, λ = 10, clipping at .1 and .01, SN with "
    "the non-saturating loss, single precision; the generator's gradient on 1,024 fixed latents at 0, 10, 50 and every "
    "100 critic steps. The fall is from the largest gradient: these weights start so small that it rises first.",
    run=run,
    resolve=resolved,
    derive=summary,
    parts=parts("fall_from_top", "largest gradient"),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"dataset": SMALL["dataset"], "architecture": SMALL["architecture"], "steps": 60},
            note=f"60 of {STEPS:,} critic steps, MNIST images and a small DCGAN",
        ),
        "quick": NEEDS_A_GPU,
        "full": Size(
            seeds=3, options={"dataset": LARGE["dataset"], "architecture": LARGE["architecture"], "steps": STEPS}
        ),
    },
    settings={"settled": SETTLED, "lr": RECIPE.lr, "batch": RECIPE.batch},
)
