"""S14: whether objectives that train steadily are those that end with good samples; reads S5's runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...report.palette import GREY
from ..engine.contract import Measure, Part, Row, Scale, Setting, Size, Study, reproduces
from ..measures.quotients import paired
from ..measures.ranks import spearman
from ..plotting.style import label, logarithmic, name_points, panels, shared_legend
from ..training.toy_games import COLORS, COMPARISON, CORE, DATA, RING, ZOO, comparison, ending_rows

RHO = 0.5
OFTEN_WORSE = "On the ring clipping, NS and minimax are often steadier than the median objective and end worse."
CAVEAT = (
    "Four evaluations are few: those of one generator differ by .02 on the ring and .009 on the grid "
    "(results/reference/quick), as W1 does under most objectives on the ring and the steadiest on the grid. The order "
    "of those is chance."
)
# S5's runs but for those under other recipes, which no criterion here reads.
SIZES: dict[Scale, Size | str] = {
    scale: replace(size, options={k: v for k, v in size.options.items() if k != "recipes"})
    for scale, size in COMPARISON.items()
}
FEWEST = 5  # with fewer objectives a rank correlation says nothing


def run(setting: Setting) -> list[Row]:
    """How every run of the comparison in the common setting ended."""
    return ending_rows(comparison(setting))


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per data set and seed: Spearman's ρ over objectives of W1's tail sd and final W1 (`rho`), where there are enough;
    the median objective's tail sd (`unsteady`), and the sd between evaluations of one generator (`noise`).

    Per run too: whether it is steadier than the median objective of its seed, and yet ends worse (`steady_poor`);
    only of objectives that are so at one seed at least.
    """
    found: list[Row] = []
    for row, block in paired(measurements, "dataset", "seed"):
        unsteady, poor = block["w1_tail_sd"], block["w1_final"]
        if len(block) >= FEWEST:
            found.append(row | {"rho": spearman(unsteady, poor)})
        noise = {"noise": block["w1_noise"].median()} if "w1_noise" in block else {}
        found.append(row | {"unsteady": unsteady.median()} | noise)
        flags = (unsteady < unsteady.median()) & (poor > poor.median())
        for name, flag in zip(block["objective"], flags, strict=True):
            found.append(row | {"objective": name, "steady_poor": int(flag)})
    rows = pd.DataFrame(found)
    ever = rows.groupby(["dataset", "objective"])["steady_poor"].transform("max") == 1
    return rows[rows["objective"].isna() | ever]


def plot(measurements: pd.DataFrame) -> Figure:
    """An objective's median tail sd and final W1, with its seeds as dots; the shaded quadrant is steady and poor.

    A run that diverged has no place; the panel's title counts such runs.
    """
    figure, axes = panels("S14  Is a steady objective a good one?", columns=2, width=5.0, height=4.2)
    names = [name for name in COLORS if name in set(measurements["objective"])]
    for axis, (data, title) in zip(axes, DATA.items(), strict=True):
        lost = _draw(axis, measurements[measurements["dataset"] == data], names)
        title += f" ({lost} diverged runs not shown)" if lost else ""
        label(axis, "sd of W1 over the last fifth, data units", "W1 at the end, data units", title)
    shared_legend(figure, axes[-1])
    return figure


def _draw(axis: Axes, runs: pd.DataFrame, names: list[str]) -> int:
    """How many runs are not shown; `names` stand in the legend, other objectives' beside their points."""
    finite = runs[np.isfinite(runs[["w1_tail_sd", "w1_final"]]).all(axis=1)]
    medians = finite.groupby("objective")[["w1_tail_sd", "w1_final"]].median()
    logarithmic(axis, finite["w1_tail_sd"], finite["w1_final"])
    others = medians.drop(index=names, errors="ignore")
    for name in (*names, *others.index):
        color, own = COLORS.get(str(name), GREY), finite[finite["objective"] == name]
        axis.scatter(own["w1_tail_sd"], own["w1_final"], s=9, color=color, alpha=0.5, linewidths=0)
        x, y = own["w1_tail_sd"].median(), own["w1_final"].median()
        named = str(name) if name in names else None
        axis.scatter(x, y, s=42, color=color, edgecolors="white", linewidths=0.8, zorder=3, label=named)
    name_points(axis, pd.DataFrame(others), COLORS)
    (left, _), (_, top) = axis.get_xlim(), axis.get_ylim()
    middle_x, middle_y = (float(medians[column].median()) for column in ("w1_tail_sd", "w1_final"))
    axis.fill_between([left, middle_x], middle_y, top, color=GREY, alpha=0.12, linewidth=0, zorder=0)
    axis.text(left, top, " steady, yet poor", va="top", fontsize=7.5, color=GREY)
    axis.set_xlim(left=left)
    axis.set_ylim(top=top)
    return len(runs) - len(finite)


def _part(data: str) -> Part:
    criterion = Measure.median(
        "rho", "Spearman's ρ over objectives of W1's sd in the last fifth and final W1", dataset=data
    ).at_least(RHO)
    cause = OFTEN_WORSE if data == RING else ""
    scatter = [("unsteady", "W1's sd in the last fifth"), ("noise", "sd of W1 between evaluations of one generator")]
    told = [Measure.median(name, f"{text}, median objective", dataset=data) for name, text in scatter]
    return reproduces(criterion, name=DATA[data], reported=(*told, *_steady_poor(data)), cause=cause, caveat=CAVEAT)


def _steady_poor(data: str) -> tuple[Measure, ...]:
    return tuple(
        Measure.share(
            "steady_poor",
            f"share of seeds steadier than the median objective, yet worse, {name}",
            dataset=data,
            objective=name,
        )
        for name in (*CORE, *ZOO)
    )


STUDY = Study(
    id="S14",
    claim="Steadier training gives better samples.",
    document="Report 3.5",
    experiment="S5's runs in the common setting: within a seed, the objectives ranked by the standard deviation of W1 "
    "over the last fifth of the run and by W1 at its end.",
    run=run,
    derive=derive,
    parts=tuple(_part(data) for data in DATA),
    plot=plot,
    sizes=SIZES,
)
