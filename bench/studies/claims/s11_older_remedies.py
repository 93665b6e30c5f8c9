"""S11: feature matching and minibatch discrimination, at the published weight and at ten times it."""

import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import GREY, ORANGE, SKY
from ..engine.contract import Criterion, Measure, Part, Row, Setting, Size, Study, reproduces
from ..measures.quotients import paired
from ..plotting.style import label, panels, seed_dots, threshold
from ..training.generators import Cell, runs_of
from ..training.toy_games import GRID, NS, SMOKE_STEPS, STEPS, ending_rows, game

FM, MD = "feature matching", "minibatch discrimination"
REMEDIES = {FM: "feature-matching", MD: "minibatch-discrimination"}
WEIGHTS = (1.0, 10.0)  # published, ten times that
GAIN, KEPT = 3.0, 0.5


def run(setting: Setting) -> list[Row]:
    """How every run ended: NS alone, and with each remedy at each weight."""
    arguments = {FM: {}, MD: setting.options["minibatch"]}
    cells = [game(NS, labels={"weight": 0.0})]
    for name in setting.options["remedies"]:
        for weight in WEIGHTS:
            labels = {"objective": name, "dataset": GRID, "recipe": "common", "weight": weight}
            chosen = {"name": REMEDIES[name], "weight": weight, **arguments[name]}
            cells.append(Cell(labels, GRID, chosen))
    return ending_rows(runs_of(cells, setting, setting.options["steps"]))


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed and remedy: modes gained over NS at the published weight (`gain`) and at ten times it (`gain_10`), and
    how far the latter is above half the former (`kept`).
    """
    found: list[Row] = []
    for row, own in paired(measurements, "seed"):
        modes = own.set_index(["objective", "weight"])["modes_tail"]
        for name in (name for name in REMEDIES if (name, WEIGHTS[0]) in modes.index):
            gain, gain_10 = (float(modes[name, weight] - modes[NS, 0.0]) for weight in WEIGHTS)
            found.append(row | {"objective": name, "gain": gain, "gain_10": gain_10, "kept": gain_10 - KEPT * gain})
    return pd.DataFrame(found)


def plot(measurements: pd.DataFrame) -> Figure:
    """Modes and mode-KL of every run."""
    figure, axes = panels("S11  Older remedies for mode collapse, on the grid", columns=2, width=5.2, height=3.9)
    made = [name for name in REMEDIES if name in set(measurements["objective"])]
    shown = [(NS, 0.0), *((name, weight) for name in made for weight in WEIGHTS)]
    names = [NS, *(f"{name.replace(' ', chr(10))}\n× {weight:g}" for name, weight in shown[1:])]
    for axis, column in zip(axes, ("modes_tail", "mode_kl_tail"), strict=True):
        found = measurements.set_index(["objective", "weight"])[column].sort_index()
        groups = [found.loc[[place]].to_list() for place in shown]
        seed_dots(axis, names, groups, (ORANGE, SKY, SKY, GREY, GREY))
    alone = measurements.loc[measurements["objective"] == NS, "modes_tail"].median()
    threshold(axes[0], alone + GAIN, f"{GAIN:g} more than the median of NS")
    axes[0].legend(fontsize=8)
    axes[1].set_yscale("log")
    label(axes[0], "", "modes covered of 25, last fifth of the run", "every seed, bar at the median")
    label(axes[1], "", "mode-KL, nats, last fifth of the run", "× 1, × 10: the weight")
    return figure


def _gain(name: str, control: bool) -> Criterion:
    return Measure.median("gain", "modes gained over NS at weight 1", objective=name).at_least(GAIN, control=control)


def _parts(name: str) -> tuple[Part, Part]:
    """It helps; and it is fragile, of which nothing can be said where nothing was gained that could be lost."""
    kept = Measure.median(
        "kept", "modes gained at weight 10 less half of those gained at weight 1", objective=name
    ).at_most(0.0)
    more = Measure.median("gain_10", "gained at weight 10", objective=name)
    return (
        reproduces(_gain(name, control=False), name=f"{name} helps"),
        reproduces(kept, _gain(name, control=True), name=f"{name} is fragile", reported=(more,)),
    )


STUDY = Study(
    id="S11",
    claim="Feature matching and minibatch discrimination help against mode collapse, but are fragile.",
    document="Report 2.3",
    experiment="The grid, common setting, each added to NS: λ = 1 and 10 for feature matching; for minibatch "
    "discrimination (100 kernels of dimension 5) 1 and 10 times the similarities' mean over the batch, where the paper "
    "has their sum, 256 times that; modes over the last fifth of the run. Neither weight is a published one: feature "
    "matching replaces the generator's loss in its paper.",
    run=run,
    derive=derive,
    parts=tuple(part for name in REMEDIES for part in _parts(name)),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"steps": SMOKE_STEPS, "remedies": (FM, MD), "minibatch": {"kernels": 3}},
            note=f"{SMOKE_STEPS} of 3,000 updates, 3 of 100 kernels",
        ),
        "quick": Size(
            seeds=3,
            options={"steps": STEPS, "remedies": (FM,), "minibatch": {}},
            note="without minibatch discrimination, whose 100 kernels take twenty minutes a run",
        ),
        "full": Size(seeds=5, options={"steps": STEPS, "remedies": (FM, MD), "minibatch": {"kernels": 100}}),
    },
    settings={"weights": WEIGHTS},
)
