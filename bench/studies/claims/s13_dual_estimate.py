"""S13: how much of W1 a critic's dual estimate tells, and that it never tells more."""

import math

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import wasserstein_distance
from torch import Tensor, nn

from ...metrics.points import wasserstein1
from ...report.palette import GREY
from ..engine.contract import Criterion, Measure, Row, Setting, Study, reproduces
from ..measures.lipschitz import dual
from ..measures.weights import finite
from ..plotting.style import label, legend, panels, seed_dots, threshold
from ..training.critic_runs import CLIP, CLIP_TIGHT, TOY_COLORS, TOYS, toy_runs, toy_sizes
from ..training.critics import trained

POINTS = 1000
CONE, RADIAL = "f = −‖x‖", "best radial function"  # what knows nothing but the distance from the origin
REPORTED = ("GP", "SN", "SN, Wasserstein", CLIP, CLIP_TIGHT, CONE, RADIAL)
LOST: Row = {"slope": math.inf, "ratio": 0.0}  # of a critic whose weights are no numbers: it estimates nothing
UNTRAINED = (
    "It passes untrained: f = −‖x‖ has .70 to .85 on the grid (.46 to .50 on the ring), and the best function of ‖x‖ "
    "alone, exact from the two samples, .76 to .89 on all toys, more than GP and SN at every seed. Noise of sd 1 moves "
    "samples outwards, so that half of W1 says nothing of the directions that a critic must learn."
)


def run(setting: Setting) -> list[Row]:
    """Per seed, toy and critic: the dual estimate, the largest slope K over all pairs of the same points, W1, ratio.

    And of the two functions of ‖x‖ that nobody trained.
    """
    runs = toy_runs(setting.options["steps"], setting.options["later_toys"], setting.seeds)
    distances: dict[tuple[str, int], float] = {}
    rows: list[Row] = []
    for (name, toy, seed), result in trained(runs, setting).items():
        real, fake = result.run.fixed.game(seed).evaluation(POINTS)
        if (toy, seed) not in distances:
            distances[toy, seed] = wasserstein1(real, fake)
            common: Row = {"seed": seed, "toy": toy, "w1": distances[toy, seed]}
            rows += [common | row for row in untrained(real, fake, distances[toy, seed])]
        row: Row = {"seed": seed, "toy": toy, "critic": name, "w1": distances[toy, seed]}
        rows.append(row | (estimate(result.module.double(), real, fake, row["w1"]) if finite(result.module) else LOST))
    return rows


def estimate(critic: nn.Module, real: Tensor, fake: Tensor, w1: float) -> Row:
    """The dual estimate of W1 between samples [n, d], the largest slope K over all pairs, and dual/(K·W1)."""
    gap, slope = dual(critic, real, fake)
    return {"dual": gap, "slope": slope, "ratio": gap / (slope * w1) if slope > 0 else 0.0}


def untrained(real: Tensor, fake: Tensor, w1: float) -> list[Row]:
    """The ratio of f = −‖x‖, and of the best 1-Lipschitz function of ‖x‖, which gives the W1 of the norms."""
    near, far = real.norm(dim=1), fake.norm(dim=1)
    duals = {CONE: float(far.mean() - near.mean()), RADIAL: float(wasserstein_distance(near, far))}
    return [{"critic": name, "dual": gap, "slope": 1.0, "ratio": gap / w1} for name, gap in duals.items()]


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Adds per seed and toy the ratio of GP less that of the best radial function (`over_radial`)."""
    rows: list[Row] = []
    for (seed, toy), cell in measurements.groupby(["seed", "toy"]):  # pyright: ignore[reportGeneralTypeIssues]
        ratios = cell.set_index("critic")["ratio"]
        if {"GP", RADIAL} <= set(ratios.index):
            rows.append({"seed": seed, "toy": toy, "over_radial": ratios["GP"] - ratios[RADIAL]})
    return pd.concat([measurements, pd.DataFrame(rows)], ignore_index=True)


def plot(measurements: pd.DataFrame) -> Figure:
    """The ratio per critic: a dot per toy and seed."""
    figure, (axis,) = panels("S13  A critic's dual estimate over K · W1: a dot per toy and seed", width=6.8)
    colors = {**TOY_COLORS, RADIAL: GREY}
    groups = [measurements.loc[measurements["critic"] == name, "ratio"].tolist() for name in colors]
    seed_dots(axis, [name.replace(" function", "\nfunction") for name in colors], groups, list(colors.values()))
    threshold(axis, 1.0, "the dual's bound")
    axis.axhline(0.5, color="black", linestyle=":", linewidth=1, label="criterion for GP and SN")
    legend(axis, loc="upper left", bbox_to_anchor=(0.0, 0.9))
    label(axis, "", "(E f(real) − E f(fake)) / (K · W1)", "K: the largest slope over all pairs of the 2,000 points")
    return figure


def _least(name: str) -> Criterion:
    return Measure.smallest("ratio", f"dual/(K·W1), {name}, min over toys and seeds", critic=name).at_least(0.5)


def _reported(name: str, toy: str) -> Measure:
    return Measure.median("ratio", f"{name}, {toy}", critic=name, toy=toy)


STUDY = Study(
    id="S13",
    claim="The critic estimates the Wasserstein distance.",
    document="Report 3.2",
    experiment="S4's critics on 1,000 fresh points a side: K is the largest slope over all pairs of these points, so "
    "that dual/K ≤ W1 (exact transport) holds for any function whatever.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            _least("GP"),
            _least("SN"),
            Measure.largest("ratio", "dual/(K·W1), max over all critics, toys and seeds (a check of the code)").at_most(
                1 + 1e-6, control=True
            ),
            Measure.smallest(
                "over_radial", f"dual/(K·W1) of GP less that of the {RADIAL}, min over toys and seeds"
            ).above(0.0, control=True, disputed=UNTRAINED),
            name="GP and SN critics estimate it up to scale",
            reported=tuple(_reported(name, toy) for name in REPORTED for toy in TOYS),
        ),
    ),
    plot=plot,
    sizes=toy_sizes(),
    settings={"points": POINTS},
)
