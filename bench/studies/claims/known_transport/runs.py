"""The critics that the studies share, a row each. No criteria here.

Pairs, networks and optimisers are those of Korotin, Kolesov, Burnaev 2022 (arXiv:2206.07767), recipe `korotin-2022`.
"""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from ....config.recipes import KOROTIN
from ....config.suite import Named
from ....metrics.settings import Evaluation
from ....report.pairs import published_of
from ....report.palette import BLACK, GREEN, ORANGE, PURPLE, SKY
from ...engine.contract import Row, Scale, Setting, Size
from ...training.generators import Cell, CellRun, runs_of, value_or_worst

CLIP, GP, LP, SN = "wgan-clip", "wgan-gp", "wgan-lp", "sn-gan"
# The benchmark's code sends no gradient through σ, which the paper of spectral normalisation does.
AUTHORS_SN = "sn-gan(constant_sigma=true)"
_NAMED: dict[str, Named] = {
    SN: {"name": SN, "constant_sigma": False},
    AUTHORS_SN: {"name": SN, "constant_sigma": True},
}
COLORS = {CLIP: ORANGE, GP: PURPLE, LP: SKY, SN: GREEN, AUTHORS_SN: BLACK}
PUBLISHED_STEPS = 0  # the option that stands for as many steps as published, another number for each objective
POINTS = 4096
COPIED = ("cosine", "gradient_error", "gradient_error_scaled", "cost_error", "cost_error_scaled", "own_slope")

Pair = tuple[int, int]  # dimension, number of funnels


def critic_rows(
    pairs: Sequence[Pair], objectives: Sequence[str], setting: Setting, *, official: bool = False
) -> list[Row]:
    """A row a run, of its critic at the end; `cost` is a share of the true W1, `published` the authors' cosine."""
    rows: list[Row] = []
    for objective in objectives:
        steps = setting.options["steps"] or KOROTIN[objective.partition("(")[0]].steps
        assert steps is not None
        cells = [_cell(pair, objective, official) for pair in pairs]
        rows += [_row(run) for run in runs_of(cells, setting, steps, Evaluation(points=POINTS, count=10, repeats=1))]
    return rows


def _cell(pair: Pair, objective: str, official: bool) -> Cell:
    d, n = pair
    labels = {"objective": objective, "d": d, "n": n}
    dataset = f"funnels:d={d}&n={n}{'&official' if official else ''}"
    return Cell(labels, dataset, _NAMED.get(objective, objective), "korotin-2022")


def _row(run: CellRun) -> Row:
    metrics, floor = run.record.metrics, run.record.floors["cost"]
    row: Row = run.about | {"steps": run.record.measurements.steps, "status": run.record.status}
    row |= {name: value_or_worst(name, metrics[name]["final"]) for name in COPIED}
    row["cost"] = value_or_worst("cost", metrics["cost"]["final"]) / floor
    known = published_of(run.cell.dataset, run.cell.labels["objective"])
    return row if known is None else row | {"published": known["cos"]}


SIZES: dict[Scale, Size | str] = {
    "smoke": Size(1, {"steps": 2}, "2 steps instead of 5,000 to 60,000"),
    "quick": "critics want thousands of steps: --scale full",
    "full": Size(3, {"steps": PUBLISHED_STEPS}),
}


def draw(axis: Axes, measurements: pd.DataFrame, measurement: str, published: bool = False) -> None:
    """Every run's measurement by pair, published cosines hollow."""
    pairs = sorted({(int(d), int(n)) for d, n in zip(measurements["d"], measurements["n"], strict=True)})
    places = {pair: place for place, pair in enumerate(pairs)}
    drawn = [name for name in COLORS if (measurements["objective"] == name).any()]
    for i, objective in enumerate(drawn):
        own, color = measurements[measurements["objective"] == objective], COLORS[objective]
        shift = 0.14 * (i - 0.5 * (len(drawn) - 1))
        x = [places[int(d), int(n)] + shift for d, n in zip(own["d"], own["n"], strict=True)]
        axis.plot(x, own[measurement], "o", color=color, markersize=4, label=objective)
        if published and "published" in own:
            axis.plot(x, own["published"], "o", color=color, markersize=9, markerfacecolor="none")
    axis.set_xticks(range(len(pairs)), [f"d {d}, n {n}" for d, n in pairs])
