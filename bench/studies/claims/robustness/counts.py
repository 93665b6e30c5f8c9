"""Runs under SN-GAN's settings A–F: which succeed, counted per objective, and how that is drawn. Nothing here trains.

What success means is the studies' affair.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ....config.recipes import SNGAN_SETTINGS
from ....report.palette import BLACK, SKY, YELLOW
from ...engine.contract import Measure, Part, Row, reproduces
from ...measures.quotients import paired
from ...plotting.style import label, legend, mark_infinite, threshold

SETTINGS = {name[-1].upper(): name for name in SNGAN_SETTINGS}
ENOUGH = 5  # of the six, for SN
MILD, HARSH = ("A", "B", "C"), ("D", "E", "F")


def counts(runs: pd.DataFrame, good: pd.Series) -> list[Row]:
    """Per seed and objective: settings that succeed, of all six and of each half, and the halves' difference
    (`fewer_harsh`).

    Args:
        runs: one row a run, with `setting` A–F.
        good: whether it succeeded, on the same index.
    """
    found: list[Row] = []
    for row, own in paired(runs, "seed", "objective"):
        by_letter = good[own.index].set_axis(own["setting"])
        mild, harsh = (int(by_letter.reindex(letters, fill_value=False).sum()) for letters in (MILD, HARSH))
        found.append(row | {"successes": mild + harsh, "mild": mild, "harsh": harsh, "fewer_harsh": mild - harsh})
    return found


def part(name: str, sn: str, gp: str, *reported: Measure) -> Part:
    """SN succeeds in at least five of the six settings, GP in fewer of D–F than of A–C."""
    enough = Measure.median("successes", "settings, of six, in which SN succeeds", objective=sn).at_least(ENOUGH)
    fewer = Measure.median(
        "fewer_harsh", "settings that succeed among A–C less those among D–F, GP", objective=gp
    ).above(0)
    return reproduces(enough, fewer, name=name, reported=(successes(gp), *reported))


def successes(name: str) -> Measure:
    """How many of the six settings succeed."""
    return Measure.median("successes", f"settings that succeed, {name}", objective=name)


def bars(axis: Axes, runs: pd.DataFrame, colors: Mapping[str, str]) -> None:
    """Lines at the medians of `value` per setting and objective, seeds as dots, diverged runs as crosses.

    A run that diverged is one whatever its value: none of those succeeds.
    """
    names = [name for name in colors if name in set(runs["objective"])]
    runs = runs.assign(value=runs["value"].where(runs["status"] == "completed", math.inf))
    width, top = 0.8 / len(names), max(runs.loc[runs["value"] < math.inf, "value"], default=1.0)
    for place, name in enumerate(names):
        own = runs[runs["objective"] == name].groupby("setting")["value"]
        centres = np.arange(len(own)) + (place - (len(names) - 1) / 2) * width
        # No bars: on a logarithmic axis their length means nothing.
        ends = centres - 0.45 * width, centres + 0.45 * width
        axis.hlines(own.median().clip(upper=2 * top), *ends, color=colors[name], linewidth=2.5, label=name)
        for centre, (_, values) in zip(centres, own, strict=True):
            ended = values[values < math.inf]
            axis.scatter([centre] * len(ended), ended, s=9, color=colors[name], alpha=0.8, linewidths=0)
            mark_infinite(axis, centre, values)
    axis.set_yscale("log")
    axis.set_xticks(range(len(SETTINGS)), list(SETTINGS))


def medians(axis: Axes, found: pd.DataFrame, colors: Mapping[str, str]) -> None:
    """How many of A–C, of D–F and of all six succeed: the medians that the criteria read; `found` from `counts`."""
    names = [name for name in colors if name in set(found["objective"])]
    middle = found.groupby("objective")[["mild", "harsh", "successes"]].median().reindex(names)
    shown = {"mild": ("A–C", SKY), "harsh": ("D–F", YELLOW), "successes": ("all six", BLACK)}
    for shift, (column, (text, color)) in enumerate(shown.items(), start=-1):
        axis.bar(np.arange(len(names)) + 0.27 * shift, middle[column], 0.25, color=color, label=text)
    threshold(axis, ENOUGH, f"SN: ≥ {ENOUGH} of all six")
    axis.set_xticks(range(len(names)), names)
    axis.set_ylim(0, len(SETTINGS))
    label(axis, "", "settings that succeed (median over seeds)", "GP: fewer of D–F than of A–C?")
    legend(axis, ncols=2)
