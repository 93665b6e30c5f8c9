"""S15: the report's notebook, GAN against WGAN on the ring of five Gaussians, with true gradient norms."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...config.suite import Named
from ...metrics.settings import Evaluation
from ...report.palette import BLUE, GREEN, ORANGE, PURPLE
from ...report.statistics import paired_differences
from ..engine.contract import Measure, Row, Setting, Size, Study, median_of, reproduces
from ..plotting.animation import animate
from ..plotting.style import label, legend, panels, seed_lines, threshold
from ..training.generators import Cell, runs_of

GAN, WGAN = "GAN", "WGAN"
NOTEBOOK: Mapping[str, Named] = {GAN: "non-saturating", WGAN: "wgan-clip"}
BESIDES: Mapping[str, Named] = {"WGAN-GP": "wgan-gp", "SN-GAN": "sn-gan"}  # in the same setting, for the animation
COLORS = dict(zip((*NOTEBOOK, *BESIDES), (ORANGE, PURPLE, BLUE, GREEN), strict=True))
EPOCHS, ITERATIONS = 200, 7
SHOWN = {"w1": "w1", "modes": "modes", "high_quality": "high_quality", "gradient": "generator_grad_norm"}


def run(setting: Setting) -> list[Row]:
    """The course of every run and how it ended; leaves `ring5.gif`, the first seed's samples over time."""
    steps = setting.options["epochs"] * ITERATIONS
    evaluation = Evaluation(count=setting.options["frames"])
    runs = runs_of([_cell(name, objective) for name, objective in NOTEBOOK.items()], setting, steps, evaluation)
    first = replace(setting, seeds=setting.seeds[:1])
    others = runs_of([_cell(name, objective) for name, objective in BESIDES.items()], first, steps, evaluation)
    shown = {one.cell.labels["objective"]: one.record for one in (*runs, *others) if one.seed == setting.seeds[0]}
    animate(shown, "Ring of five Gaussians", setting.folder / "ring5.gif")
    rows = [row for one in (*runs, *others) for row in one.course(**SHOWN)]
    return rows + [one.ending("w1", "modes", "high_quality", "generator_grad_norm") for one in (*runs, *others)]


def _cell(name: str, objective: Named) -> Cell:
    return Cell({"objective": name}, "ring5", objective, "notebook")


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """The runs' ends, and per seed by how much the WGAN's W1 is below the GAN's (`advantage`)."""
    ends = measurements[measurements["status"].notna()]
    w1 = {
        name: dict(zip(own["seed"].astype(int), own["w1_tail"].astype(float), strict=True))
        for name, own in ends.groupby("objective")
    }
    advantage = paired_differences(w1[WGAN], w1[GAN], "lower")
    return pd.concat([ends, pd.DataFrame({"seed": list(advantage), "advantage": list(advantage.values())})])


def plot(measurements: pd.DataFrame) -> Figure:
    """W1, modes and the generator's gradient norm against time."""
    figure, axes = panels("S15  The notebook's setting: ring of five Gaussians", columns=3, width=4.3, height=3.7)
    courses = measurements[measurements["step"].notna()]
    for axis, column in zip(axes, ("w1", "modes", "gradient"), strict=True):
        _draw(axis, courses[courses[column].notna()], column)
    threshold(axes[0], measurements["floor"].max(), "floor: real against real")
    axes[0].set_yscale("log")
    axes[2].set_yscale("log")
    label(axes[0], "generator updates", "exact W1, data units", "one line a seed")
    label(axes[1], "generator updates", "modes covered of 5")
    label(axes[2], "generator updates", "norm of the generator's gradient", "Euclidean, over all parameters")
    legend(axes[0])
    return figure


def _draw(axis: Axes, courses: pd.DataFrame, column: str) -> None:
    for name, color in COLORS.items():
        own = courses[courses["objective"] == name]
        text = f"{name}, one seed" if own["seed"].nunique() == 1 else name
        seed_lines(axis, own, "step", column, text, color=color, linewidth=1.1, alpha=0.85)


STUDY = Study(
    id="S15",
    claim="On the ring of five Gaussians the WGAN trains better than the GAN.",
    document="Notebook",
    experiment="The notebook's setting: 3×512 LeakyReLU networks (slope .2 and Glorot's normal law are ours), uniform "
    "latent in the plane, batch 64 of 500 fixed points, lr 5e-5, 5 critic steps, 200 epochs of 7 updates; GAN: Adam, "
    "non-saturating; WGAN: RMSprop (.99, torch's default), c = .01. Exact W1 to 1,000 fresh points over the last "
    "fifth, the difference paired by seed.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            Measure.median("advantage", "W1 of the GAN less W1 of the WGAN, data units").above(0.0, by_interval=True),
            reported=tuple(
                median_of(measurement, name, text)
                for measurement, text in (
                    ("w1_tail", "W1"),
                    ("modes_tail", "modes"),
                    ("generator_grad_norm_tail", "norm of the generator's gradient"),
                )
                for name in NOTEBOOK
            ),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, options={"epochs": 1, "frames": 2}, note="1 of 200 epochs"),
        "quick": Size(
            seeds=3,
            options={"epochs": 100, "frames": 20},
            note="100 of 200 epochs; three seeds, too few for the interval that decides",
        ),
        "full": Size(seeds=8, options={"epochs": EPOCHS, "frames": 40}),
    },
    settings={"iterations": ITERATIONS},
)
