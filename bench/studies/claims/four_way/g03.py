"""G3: minimax, NS, clipping, GP and SN side by side on images: how good, and how steady."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....records.quantities import KNOWN
from ....report.palette import GREY
from ...engine.contract import Measure, Part, Row, Setting, Study, median_of, reproduces
from ...measures.quotients import relative
from ...plotting.style import draw_course, label, legend, panels, seed_dots, threshold
from ...training import image_games
from ...training.image_games import CLIP, COLORS, GAMES, GP, MINIMAX, NS, ON_IMAGES, SN, comparison, ending, sizes

UNSTEADY, STEADY = 1.3, 1.1  # final over best


def run(setting: Setting) -> list[Row]:
    """The course of every run's distance to the data, and how the run ended."""
    runs = comparison(setting)
    return [row for one in runs for row in one.course(fd="fd")] + [ending(one) for one in runs]


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per run: FD over GP's and over clipping's median (`to_gp`, `to_clip`), final FD over the best (`worsening`), and
    the larger of worsening / 1.3 and `to_gp` (`unsound`): above 1 where either is too large. For all alike
    `others_worsening`, the largest median of `worsening` but SN's.

    Constant divisors, so that the median over seeds of a ratio is the ratio of the medians.
    """
    ends = measurements[measurements["status"].notna()]
    medians = ends.groupby("objective")["fd_tail"].median()
    to_gp, to_clip = (relative(ends["fd_tail"], medians[name]) for name in (GP, CLIP))
    found = ends.assign(to_gp=to_gp, to_clip=to_clip, worsening=relative(ends["fd_final"], ends["fd_best"]))
    others = found[found["objective"] != SN].groupby("objective")["worsening"].median().max()
    unsound = pd.concat([found["worsening"] / UNSTEADY, to_gp], axis=1).max(axis=1)
    return found.assign(unsound=unsound, others_worsening=others)


def plot(measurements: pd.DataFrame) -> Figure:
    """Distance against time; every run's last fifth; final over best."""
    ends = derive(measurements)
    metric = ends["metric"].iloc[0]
    figure, axes = panels(f"G3  Five objectives on {ends['data'].iloc[0]}", columns=3, width=4.3, height=3.8)
    _draw_courses(axes[0], measurements[measurements["step"].notna()])
    if "floor" in ends:
        threshold(axes[0], ends["floor"].max(), "floor: real against real")
    label(axes[0], "generator updates", metric, "median over seeds, range")
    legend(axes[0], fontsize=7)
    for axis, column in zip(axes[1:], ("fd_tail", "worsening"), strict=True):
        groups = [ends.loc[ends["objective"] == name, column].to_list() for name in GAMES]
        seed_dots(axis, list(GAMES), groups, list(COLORS.values()))
    axes[1].set_ylim(0, _top(ends["fd_tail"]))
    label(axes[1], "", f"{metric}, last fifth of the run", "a dot a seed, a bar at the median")
    threshold(axes[2], STEADY, f"SN: ≤ {STEADY:g}")
    axes[2].axhline(UNSTEADY, color=GREY, linestyle=":", linewidth=1, label=f"minimax, NS: > {UNSTEADY:g}")
    legend(axes[2])
    label(axes[2], "", f"final {metric} over the best of the run", "does it get worse again?")
    return figure


def _top(values: pd.Series) -> float:
    """A little above the largest value that is a number."""
    return 1.1 * max(values[values < math.inf], default=1.0)


def _draw_courses(axis: Axes, courses: pd.DataFrame) -> None:
    for name, color in COLORS.items():
        draw_course(axis, courses[courses["objective"] == name], "fd", KNOWN["fd"].worst, color, name)
    axis.set_yscale("log")


def _unconstrained(name: str) -> Part:
    text = f"the larger of (final/best)/{UNSTEADY:g} and FD over GP's median, {name}"
    return reproduces(
        Measure.median("unsound", text, objective=name).above(1.0),
        name=f"{name}: gets worse again, or is worse than GP",
        reported=(median_of("worsening", name, "final/best"), median_of("fd_tail", name, "FD")),
    )


STUDY = Study(
    id="G3",
    claim="Lipschitz constraints give steadier training and better images: SN before GP before clipping.",
    document="Report 3.5, 3.6",
    experiment=f"{ON_IMAGES}, 20,000 generator updates; each objective as its paper trains it (clipping .01, λ = 10, "
    "SN with the hinge loss). FD is FID on photographs where Inception's weights are given, else the "
    "Fréchet distance of the features that the picture names; 5,000 samples against 5,000 held-out images, 20 "
    "evaluations; mean of the last fifth.",
    run=run,
    resolve=image_games.resolved,
    derive=derive,
    parts=(
        reproduces(
            Measure.median("to_gp", "FD of SN over the median of GP", objective=SN).below(1.0),
            Measure.median("to_clip", "FD of GP over the median of clipping", objective=GP).below(1.0),
            name="order of FD: SN < GP < clipping",
            reported=tuple(median_of("fd_tail", name, "FD") for name in (SN, GP, CLIP)),
        ),
        _unconstrained(MINIMAX),
        _unconstrained(NS),
        reproduces(
            Measure.median("worsening", "final FD over the best, SN", objective=SN).at_most(STEADY),
            # To stay at one's best says something only where somebody does not.
            Measure.median("others_worsening", "the same, the worst median of the others", objective=SN).above(
                STEADY, control=True
            ),
            name="SN stays at its best",
            reported=(median_of("worsening", GP, "final/best"), median_of("worsening", CLIP, "final/best")),
            caveat="The control was added after the first record, on MNIST, had been seen; by the criterion fixed in "
            "advance alone, SN's, that record (results/reference) is reproduced.",
        ),
    ),
    plot=plot,
    sizes=sizes(),
    settings={"unsteady": UNSTEADY, "steady": STEADY},
)
