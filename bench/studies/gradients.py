"""Curves of a fixed generator's gradient against critic steps: their rows, their ratios, and how they are drawn."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from .contract import Row, Setting
from .critics import trained
from .style import label
from .trainings import Constraint, sheet_runs


def gradient_rows(cells: Mapping[str, Constraint], setting: Setting) -> list[Row]:
    """Per seed, objective and critic step: the norm of the generator's gradient, in the vanishing-gradient setting.

    Minimax's critic serves the non-saturating generator too, which gets rows of its own.
    """
    runs = sheet_runs(cells, setting.options["steps"], setting.seeds)
    rows: list[Row] = []
    for (name, seed), result in zip(runs, trained(list(runs.values()), setting), strict=True):
        for point in result.curve:
            shown = "non-saturating" if name == "minimax" and point["loss"] == "non_saturating" else name
            rows.append({"seed": seed, "objective": shown, "step": point["step"], "gradient": point["gradient"]})
    return rows


def ratio(above: float, below: float) -> float:
    """Their quotient; inf where the lower one has vanished altogether."""
    return float(above / below) if below > 0 else float("inf")


def last(measurements: pd.DataFrame) -> pd.Series:
    """(seed, objective) → the gradient at the last step."""
    ordered = measurements.sort_values("step", kind="stable")
    return ordered.groupby(["seed", "objective"])["gradient"].last()


def draw_curves(measurements: pd.DataFrame, colors: Mapping[str, str], axis: Axes) -> None:
    """A line a seed, in the objective's colour, on logarithmic axes."""
    for name, color in colors.items():
        curves = measurements[measurements["objective"] == name]
        for place, (_, curve) in enumerate(curves.groupby("seed")):
            text = name if place == 0 else None
            axis.plot(curve["step"], curve["gradient"], color=color, linewidth=1.1, alpha=0.85, label=text)
    axis.set_xscale("symlog", linthresh=10)
    axis.set_xlim(left=0)
    axis.set_yscale("log")
    label(axis, "critic steps", "norm of the generator's gradient", "one line a seed")
