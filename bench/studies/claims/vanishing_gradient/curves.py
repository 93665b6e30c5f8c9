"""Curves of a fixed generator's gradient against critic steps: rows, ratios, criteria, and how they are drawn."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...engine.contract import Measure, Part, Row, Setting, median_of, reproduces
from ...measures.quotients import gain, paired, ratio
from ...plotting.style import label, legend, panels, seed_lines
from ...training.critic_runs import CLIP, CLIP_TIGHT, COLORS, Key
from ...training.critics import CriticRun, trained

SETTLED = 50  # the critic's start is over


def gradient_rows(runs: Mapping[Key, CriticRun], setting: Setting) -> list[Row]:
    """Per seed, objective and critic step: the norm of the generator's gradient; `runs` by (objective, seed).

    Minimax's critic serves the non-saturating generator too, which gets rows of its own.
    """
    rows: list[Row] = []
    for (name, seed), result in trained(runs, setting).items():
        for point in result.curve:
            shown = "non-saturating" if name == "minimax" and point["loss"] == "non_saturating" else name
            rows.append({"seed": seed, "objective": shown, "step": point["step"], "gradient": point["gradient"]})
    return rows


def last(measurements: pd.DataFrame) -> pd.Series:
    """(seed, objective) → the gradient at the last step."""
    ordered = measurements.sort_values("step", kind="stable")
    return ordered.groupby(["seed", "objective"])["gradient"].last()


def draw_curves(measurements: pd.DataFrame, colors: Mapping[str, str], axis: Axes, dashed: str = "") -> None:
    """A line a seed, in the objective's colour, on logarithmic axes; the one that is `dashed` would hide another."""
    for name, color in colors.items():
        curves = measurements[measurements["objective"] == name]
        style, width = ((0, (3, 4)), 0.9) if name == dashed else ("-", 1.1)
        seed_lines(axis, curves, "step", "gradient", name, color=color, linestyle=style, linewidth=width)
    axis.set_xscale("symlog", linthresh=10)
    axis.set_xlim(left=0)
    axis.set_yscale("log")
    label(axis, "critic steps", "norm of the generator's gradient", "one line a seed")


def summary(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed and objective: first and largest over last gradient (`fall`, `fall_from_top`), largest over smallest and
    smallest over the overall largest from step SETTLED on (`spread`, `share`).
    """
    rows: list[Row] = []
    for row, curve in paired(measurements, "seed", "objective"):
        gradient = curve.sort_values("step").set_index("step")["gradient"]
        settled, first, last = gradient[gradient.index >= SETTLED], gradient.iloc[0], gradient.iloc[-1]
        row |= {"fall": gain(first, last), "fall_from_top": gain(gradient.max(), last)}
        row |= {"spread": ratio(settled.max(), settled.min()), "share": 1 / ratio(gradient.max(), settled.min())}
        rows.append(row | {"first": first, "last": last})
    return pd.DataFrame(rows)


def curves(measurements: pd.DataFrame, title: str, place: str = "lower left") -> Figure:
    """Gradient norm against critic steps."""
    figure, (axis,) = panels(title, width=6.8, height=4.2)
    draw_curves(measurements, COLORS, axis)
    legend(axis, ncols=2, loc=place)
    return figure


def parts(fall: str, text: str) -> tuple[Part, Part]:
    """The two halves of the claim; `fall`: the column with the fall of minimax's gradient, `text`: from where."""
    text = f"{text} over gradient at the end, minimax, worst seed"
    falls = Measure.smallest(fall, text, objective="minimax").at_least(1e3)
    vanishes = reproduces(
        falls,
        name="minimax: the gradient vanishes",
        reported=(
            median_of("last", "minimax", "gradient at the end"),
            median_of("last", "non-saturating", "gradient at the end"),
        ),
    )
    return vanishes, KEPT


KEPT = reproduces(
    Measure.largest(
        "spread", f"largest over smallest gradient from step {SETTLED} on, GP, worst seed", objective="GP"
    ).at_most(2.0),
    Measure.smallest(
        "share", f"smallest gradient from step {SETTLED} on over the largest, SN, worst seed", objective="SN"
    ).at_least(0.1),
    name="GP and SN critics keep it",
    reported=(
        *(median_of("last", name, "gradient at the end") for name in ("GP", "SN", CLIP, CLIP_TIGHT)),
        *(median_of("fall", name, "gradient at step 0 over that at the end") for name in (CLIP, CLIP_TIGHT)),
        *(median_of("spread", name, f"largest over smallest from step {SETTLED} on") for name in (CLIP, CLIP_TIGHT)),
    ),
    caveat=f"Clipped critics are reported, not judged. SN's gradient is judged from step {SETTLED} on, for it starts "
    "small and rises.",
)
