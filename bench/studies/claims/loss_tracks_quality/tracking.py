"""Whether what the critic maximises tracks the quality of the samples: rows of rank correlations, and their picture.

Which objectives and which quality are compared is the studies' affair.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ....report.palette import GREY
from ...engine.contract import Criterion, Measure, Part, Row
from ...measures.quotients import paired
from ...measures.ranks import spearman
from ...plotting.style import label, panels
from ...training.generators import CellRun

GAIN = 0.3


def courses(runs: Sequence[CellRun], quality: str) -> list[Row]:
    """Per evaluation after the first update: the value that the critic maximises, the gap of its outputs, quality.

    A run that stopped early has a row besides, which says after how many updates (`stopped`).
    """
    rows = [row for one in runs for row in one.course(loss="critic_loss", gap="critic_estimate", **{quality: quality})]
    found = [row | {"estimate": -row["loss"]} for row in rows if row["step"]]
    ended = [(one, one.record.measurements.steps) for one in runs]
    return found + [one.about | {"stopped": steps} for one, steps in ended if steps < one.record.spec["steps"]]


def correlations(measurements: pd.DataFrame, quality: str, reference: str) -> pd.DataFrame:
    """Per seed and objective Spearman's ρ over time of estimate and quality (`rho`), and how much it is above the
    median of the objective `reference` (`above`).

    A constant is taken off, so that the median over seeds is the difference of the medians. A run that stopped early
    tracked nothing, whatever its course was until then: its ρ is −1, and the reference's 1, so that it helps no other.
    """
    found: list[Row] = []
    for row, course in paired(measurements, "seed", "objective"):
        worst = 1.0 if row["objective"] == reference else -1.0
        stopped = "stopped" in course and bool(course["stopped"].notna().any())
        for column, estimate in (("rho", "estimate"), ("rho_of_gap", "gap")):
            row[column] = worst if stopped else spearman(course[estimate], course[quality])
        found.append(row)
    rows = pd.DataFrame(found)
    return rows.assign(above=rows["rho"] - rows.loc[rows["objective"] == reference, "rho"].median())


def draw(
    measurements: pd.DataFrame, rho: pd.Series, title: str, quality: str, axis_label: str, colors: Mapping[str, str]
) -> Figure:
    """Above, estimate and quality of the first seed against time; below, of all, one against the other by time."""
    figure, axes = panels(title, len(colors), 3.1, 2.9, rows=2)
    measurements = measurements[measurements["step"].notna()]
    name_of_quality = axis_label.partition(",")[0]
    for column, (name, color) in enumerate(colors.items()):
        own = measurements[measurements["objective"] == name]
        above, below = axes[column], axes[len(colors) + column]
        seed = own["seed"].min()
        _draw_course(above, own[own["seed"] == seed], quality, color)
        label(
            above, "generator updates", f"{name_of_quality} (dashed)" if column == 0 else "", f"{name}, seed {seed:g}"
        )
        below.scatter(own[quality], own["estimate"], s=9, c=own["step"], cmap="viridis", linewidths=0)
        for axis in (above, below):
            axis.xaxis.set_major_locator(MaxNLocator(4))
            axis.ticklabel_format(useOffset=False)
        label(below, axis_label, "estimate" if column == 0 else "", f"all seeds: median ρ = {rho[name]:.2f}")
    figure.colorbar(axes[-1].collections[0], ax=axes, label="generator updates", shrink=0.5)
    return figure


def _draw_course(axis: Axes, course: pd.DataFrame, quality: str, color: str) -> None:
    other = axis.twinx()
    axis.plot(course["step"], course[quality], color=GREY, linestyle="--", linewidth=0.9)
    other.plot(course["step"], course["estimate"], color=color, linewidth=1.1)
    other.set_ylabel("estimate", fontsize=8, color=color)
    other.tick_params(labelsize=8, colors=color)
    other.ticklabel_format(useOffset=False)


def part(wasserstein: Sequence[str], reference: str, others: Sequence[str]) -> Part:
    """The Wasserstein critics' ρ is above the median of `reference`'s by GAIN; all ρ, of `others` too, are reported."""
    names = (*wasserstein, reference, *others)
    return Part(
        criteria=tuple(_above(name, reference) for name in wasserstein),
        reported=(
            *(_rho(name) for name in names),
            *(_rho(name, "rho_of_gap", "ρ of mean D(real) − mean D(fake)") for name in names),
        ),
    )


def _above(name: str, reference: str) -> Criterion:
    return Measure.median("above", f"ρ of {name} less the median ρ of {reference}", objective=name).at_least(GAIN)


def _rho(name: str, measurement: str = "rho", text: str = "ρ") -> Measure:
    return Measure.median(measurement, f"{text}, {name}", objective=name)
