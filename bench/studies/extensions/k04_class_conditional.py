"""K4: what conditioning on the class buys the four objectives on MNIST images, at equal updates."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ...config.suite import Named
from ...metrics.settings import Evaluation
from ...records.quantities import KNOWN
from ...report.palette import BLUE, ORANGE
from ..engine.contract import Measure, Row, Setting, Size, Study, reproduces
from ..plotting.style import draw_course, label, legend, panels, seed_dots, threshold
from ..training.generators import Cell, CellRun, runs_of
from ..training.image_games import CLIP, GAMES, GP, MINIMAX, SN

DATA, CLASSES = "mnist5k", 10
FOUR = (MINIMAX, CLIP, GP, SN)
PLAIN, CONDITIONAL = "unconditional", "class-conditional"
NETWORKS = {PLAIN: {}, CONDITIONAL: {"classes": CLASSES}}
COLORS = {PLAIN: ORANGE, CONDITIONAL: BLUE}
LOWERS = "objectives of four whose FD conditioning lowers"
LOWERED, ACCURATE, WORSE = 3, 0.9, 2.0  # objectives; class accuracy; FD over GP's that is a failure
STEPS = 2000  # generator updates
# That of the suite mnist-conditional: the same for all.
RECIPE: Named = {"name": "matched-short", "optimizer": "adam", "lr": 1e-3, "betas": (0.0, 0.9), "n_critic": 2}
METRICS = ["fd", "class_accuracy", "intra_fd"]


def run(setting: Setting) -> list[Row]:
    """The course of every run's FD, and how the run ended."""
    options = setting.options
    cells = [_cell(name, networks, options["channels"]) for networks in NETWORKS for name in FOUR]
    evaluation = Evaluation(**{"metrics": METRICS, "repeats": 0, **options["evaluation"]})
    runs = runs_of(cells, setting, options["steps"], evaluation)
    return [row for one in runs for row in one.course(fd="fd")] + [_ending(one) for one in runs]


def _cell(name: str, networks: str, channels: int) -> Cell:
    architecture: Mapping[str, Any] = {"name": "dcgan", "channels": channels, **NETWORKS[networks]}
    return Cell({"objective": name, "networks": networks}, DATA, GAMES[name], RECIPE, dict(architecture))


def _ending(one: CellRun) -> Row:
    metrics = METRICS if one.cell.labels["networks"] == CONDITIONAL else METRICS[:1]
    return one.ending(*metrics)


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per run whether it `failed`: diverged, or FD above twice the median of GP's with the same networks.

    For all runs alike: `lowered`, how many objectives have a lower median of FD with conditional networks, and
    `more_failures`, how many more of minimax's runs fail with these.
    """
    ends = measurements[measurements["status"].notna()]
    medians = ends.groupby(["networks", "objective"])["fd_tail"].median()
    bound = ends["networks"].map({name: WORSE * medians[name, GP] for name in NETWORKS})
    ends = ends.assign(failed=((ends["status"] == "diverged") | (ends["fd_tail"] > bound)).astype(float))
    lowered = sum(medians[CONDITIONAL, name] < medians[PLAIN, name] for name in FOUR)
    failures = ends[ends["objective"] == MINIMAX].groupby("networks")["failed"].sum()
    return ends.assign(lowered=float(lowered), more_failures=failures[CONDITIONAL] - failures[PLAIN])


def plot(measurements: pd.DataFrame) -> Figure:
    """FD against updates for each objective, and the class accuracy of every conditional run."""
    figure, axes = panels(f"K4  Class-conditional GANs on {DATA}", columns=len(FOUR) + 1, width=3.2, height=3.2)
    courses = measurements[measurements["step"].notna()]
    for axis, name in zip(axes, FOUR, strict=False):
        own = courses[courses["objective"] == name]
        for networks, color in COLORS.items():
            draw_course(axis, own[own["networks"] == networks], "fd", KNOWN["fd"].worst, color, networks)
        axis.set_yscale("log")
        label(axis, "generator updates", "FD(mnist-cnn)", f"{name}: median over seeds, range")
        legend(axis, fontsize=7)
    ends = measurements[measurements["class_accuracy_tail"].notna()]
    accuracy = [ends.loc[ends["objective"] == name, "class_accuracy_tail"].to_list() for name in FOUR]
    seed_dots(axes[-1], list(FOUR), accuracy, [BLUE] * len(FOUR))
    threshold(axes[-1], ACCURATE, "GP, SN: ≥ .9")
    axes[-1].set_ylim(0, 1.03)
    legend(axes[-1])
    label(axes[-1], "", "class accuracy, last fifth of the run", "a dot a seed, a bar at the median")
    return figure


def _accuracy(name: str) -> Measure:
    text = f"class accuracy, {name}"
    return Measure.median("class_accuracy_tail", text, objective=name, networks=CONDITIONAL)


def _distances(metric: str = "fd") -> tuple[Measure, ...]:
    shown = [(name, networks) for name in FOUR for networks in NETWORKS if metric == "fd" or networks == CONDITIONAL]
    called = KNOWN[metric].name
    return tuple(
        Measure.median(f"{metric}_tail", f"{called}, {name}, {networks}", objective=name, networks=networks)
        for name, networks in shown
    )


STUDY = Study(
    id="K4",
    claim="Conditioning on the class makes GANs better, and no less stable.",
    document="named, not asserted",
    experiment=f"The 3,000 training images of {DATA}; DCGAN with 16 channels, with batch norm by class and a "
    "projection (Miyato and Koyama 2018) and without; Adam 1e-3 (0, .9), two critic steps, batch 64, the same for all. "
    "FD of mnist-cnn, 1,000 samples against as many held-out images; class accuracy by its classifier; mean of the "
    "last fifth.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            Measure.median("lowered", LOWERS, objective=GP).at_least(LOWERED),
            name="lower FD at equal updates",
            reading="In results/reference: FD falls to a quarter for GP and SN, and rises for minimax and clipping.",
            reported=(*_distances(), *_distances("intra_fd")),
        ),
        reproduces(
            *(_accuracy(name).at_least(ACCURATE) for name in (GP, SN)),
            name="the class that was asked for",
            reported=tuple(_accuracy(name) for name in (MINIMAX, CLIP)),
        ),
        reproduces(
            Measure.median("more_failures", "failures of minimax more with conditioning", objective=GP).at_most(0),
            name="minimax fails no more often",
            reading="In results/reference: none diverges. FD above twice GP's is a failure here, and it is GP that "
            "becomes five times better with the class; minimax's own FD rises by a fifth.",
            reported=tuple(
                Measure.share("failed", f"share of minimax's runs that fail, {name}", objective=MINIMAX, networks=name)
                for name in NETWORKS
            ),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"steps": 4, "channels": 4, "evaluation": {"count": 2, "images": 200}},
            note=f"4 of {STEPS:,} updates, 4 channels",
        ),
        "quick": "takes half an hour of two cores: --scale full (--scale smoke runs the code)",
        "full": Size(seeds=3, options={"steps": STEPS, "channels": 16, "evaluation": {"count": 10}}),
    },
    settings={"recipe": RECIPE, "failure": WORSE},
)
