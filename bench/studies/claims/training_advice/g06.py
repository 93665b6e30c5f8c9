"""G6: the documents' advice on training WGANs, on images: critic steps, norms in the critic, strong critics; as S10."""

import math
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....config.recipes import preset
from ....config.suite import Named
from ....data.catalog import kind_of
from ....data.dataset import Dataset
from ....metrics.points import wasserstein1
from ....report.palette import BLACK, BLUE, GREY, VERMILION
from ...engine.contract import Measure, Row, Setting, Study, reproduces
from ...measures.lipschitz import dual
from ...measures.quotients import paired, ratio
from ...plotting.style import label, legend, panels, scatter_medians, seed_dots
from ...training import image_games
from ...training.generators import Cell, CellRun
from ...training.image_games import GP, MINIMAX, ON_IMAGES, SMALL, data_of, device_of, ending, game, image_runs, sizes
from ...training.saved_critics import fresh_samples, trained_critic
from .advice import NORMS, norms_part, strength, strength_part, worst_norm
from .batch_norm import PenaltyWithNorms

WITH_NORMS = f"{PenaltyWithNorms.__module__}:{PenaltyWithNorms.__name__}"
CRITIC_STEPS = (1, 5)


def run(setting: Setting) -> list[Row]:
    """How every run ended; for GP with each number of critic steps, the share of W1 that the last critic misses."""
    runs = image_runs(cells(setting), setting)
    rows = [ending(one) for one in runs]
    data = data_of(setting).to(device_of(setting))
    for one in runs:
        if one.cell.labels["factor"] == "n_critic" and one.cell.labels["objective"] == GP:
            rows.append(one.about | missed(one, data, setting.options["pairs"]))
    return rows


def cells(setting: Setting) -> list[Cell]:
    """GP and minimax with 1 and 5 critic steps, GP with each norm."""
    options = setting.options
    found = [
        game(name, options, recipe=recipe(objective, n, options["dataset"]), labels=labels(n_critic=n))
        for name, objective in ((GP, "wgan-gp"), (MINIMAX, "minimax"))
        for n in CRITIC_STEPS
    ]
    for norm in NORMS:
        normed: Named | None = None if norm == "none" else {"name": WITH_NORMS, "norm": norm, "weight": 10.0}
        # The recipe knows GP's stand-in by no name.
        own = "published" if norm == "none" else as_named("wgan-gp", "published-gp", options["dataset"])
        found.append(game(GP, options, objective=normed, recipe=own, labels=labels(norm=norm)))
    return found


def labels(**factor: Any) -> dict[str, Any]:
    """What was varied, as the study's rows say it."""
    return {"factor": next(iter(factor)), **factor}


def recipe(objective: str, n_critic: int, dataset: str) -> Named:
    """The published recipe where it has so many critic steps, else with these."""
    known = preset("published", objective, kind_of(dataset))
    assert known is not None
    same = known.recipe.n_critic == n_critic
    return "published" if same else as_named(objective, f"published-{n_critic}", dataset, n_critic=n_critic)


def as_named(objective: str, name: str, dataset: str, **changes: int) -> Named:
    """The objective's published recipe with these changes, under a name of its own."""
    known = preset("published", objective, kind_of(dataset))
    assert known is not None
    return {"name": name} | asdict(replace(known.recipe, **changes))  # pyright: ignore[reportArgumentType]


def missed(one: CellRun, data: Dataset, n: int) -> Row:
    """|dual/K − W1| / W1 of the run's last critic, between n held-out and n generated images in pixels.

    K is the critic's largest slope over all pairs of these images, so that dual/K cannot exceed their W1.
    """
    real, fake = (x.double() for x in fresh_samples(one.record, data, n))
    critic = trained_critic(one.record, data.shape).to(real.device).double()
    gap, slope = dual(critic, real, fake)
    w1 = wasserstein1(real.flatten(1).cpu(), fake.flatten(1).cpu())
    error = abs(gap / slope - w1) / w1 if slope > 0 else 1.0
    return {"error": error if math.isfinite(error) else math.inf, "w1": w1 if math.isfinite(w1) else math.inf}


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed: the errors with 1 and 5 critic steps and their ratio, the worst norm, and FD with 5 over FD with 1."""
    found: list[Row] = []
    for row, rows in paired(measurements, "seed"):
        errors = rows[rows["error"].notna()].set_index("n_critic")["error"]
        one, five = (float(errors[n]) for n in CRITIC_STEPS)
        ends = rows[rows["status"].notna()]
        row |= {"error_1": one, "error_5": five, "5_to_1": ratio(five, one)}
        found.append(row | worst_norm(ends, "fd_tail") | strength(ends, "fd_tail"))
    return pd.DataFrame(found)


def plot(measurements: pd.DataFrame) -> Figure:
    """One panel a piece of advice."""
    ends, errors = measurements[measurements["status"].notna()], measurements[measurements["error"].notna()]
    metric = ends["metric"].iloc[0]
    figure, axes = panels(f"G6  One factor at a time on {ends['data'].iloc[0]}", columns=3, width=3.9)
    groups = [errors.loc[errors["n_critic"] == n, "error"].to_list() for n in CRITIC_STEPS]
    seed_dots(axes[0], [str(n) for n in CRITIC_STEPS], groups, [BLUE] * len(CRITIC_STEPS))
    label(axes[0], "critic steps per update", "share of W1 missed by the last critic", "GP: does the critic know W1?")
    norms = ends[ends["factor"] == "norm"]
    seed_dots(axes[1], NORMS, [norms.loc[norms["norm"] == n, "fd_tail"].to_list() for n in NORMS], (BLUE, GREY, BLACK))
    label(axes[1], "norm in the critic", f"{metric}, last fifth of the run", "GP: norms")
    _draw_strength(axes[2], ends[ends["factor"] == "n_critic"])
    label(axes[2], "critic steps per update", f"{metric}, last fifth of the run", "a stronger critic")
    return figure


def _draw_strength(axis: Axes, runs: pd.DataFrame) -> None:
    for name, color in ((MINIMAX, VERMILION), (GP, BLUE)):
        own = runs[runs["objective"] == name]
        scatter_medians(axis, own["n_critic"], own["fd_tail"], color, name)
    axis.set_xticks(CRITIC_STEPS)
    legend(axis)


STUDY = Study(
    id="G6",
    claim="On images, five critic steps estimate W better than one; batch norm in the critic hurts, layer norm does "
    "not; a strong discriminator overpowers a GAN, not a WGAN.",
    document="Report 3.4, 3.5",
    experiment=f"S10's advice and bounds with FD in place of W1: {ON_IMAGES}, 20,000 updates, from the published "
    "recipes. n_critic 1 and 5 under GP (λ = 10) and minimax (S10 goes up to 50); no norm, batch norm and layer norm "
    "after each hidden layer of GP's critic. The estimate is the last critic's mean difference over its largest slope "
    "between any two of 1,000 held-out and 1,000 generated images, W1 exact between the same; in so many dimensions "
    "most of it is sampling error, so both miss much.",
    run=run,
    resolve=image_games.resolved,
    derive=derive,
    parts=(
        reproduces(
            Measure.median("5_to_1", "error of the estimate with 5 critic steps over that with 1").below(1.0),
            name="five critic steps estimate W better than one",
            reported=(Measure.median("error_1", "share of W1 missed with 1 step"), Measure.median("error_5", "with 5")),
        ),
        norms_part("FD"),
        strength_part("FD"),
    ),
    plot=plot,
    sizes=sizes({"pairs": 64, "steps": 8, "evaluation": {**SMALL["evaluation"], "count": 2}}, {"pairs": 1000}),
)
