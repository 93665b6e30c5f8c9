"""T19: points on lines between random pairs are no displacement interpolation."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes
from ..plotting.style import label, legend, panels, seed_dots, threshold
from .exact import Array, distances, plan, uniform, wasserstein

POINTS, RADIUS, SPREAD, FLOORS = 1000, 2.0, 0.02, 12


def ring(rng: np.random.Generator, n: int = POINTS) -> Array:
    """Eight Gaussians on a circle, [n, 2]."""
    angle = 2.0 * np.pi * rng.integers(8, size=n) / 8.0
    return RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1) + SPREAD * rng.normal(size=(n, 2))


def draw(seed: int) -> tuple[Array, Array, np.random.Generator]:
    """Two independent samples of the ring, and the seed's stream."""
    rng = np.random.default_rng(seed)
    return ring(rng), ring(rng), rng


def midpoints(x: Array, y: Array, coupled: bool) -> Array:
    """Halfway between pairs: as they come (independent), or of the optimal plan (p = 2)."""
    image = plan(uniform(len(x)), uniform(len(y)), distances(x, y, 2.0)).argmax(axis=1) if coupled else slice(None)
    return 0.5 * (x + y[image])


def run(setting: Setting) -> list[Row]:
    """Per seed: W_1 of μ to the midpoints of μ with itself for both pairings, the first also over the mean floor."""
    floors = sample_floors()
    floor = np.mean(floors)
    rows: list[Row] = [{"kind": "floor", "pair": pair, "floor": found} for pair, found in enumerate(floors)]
    for seed in setting.seeds:
        x, y, rng = draw(seed)
        independent = wasserstein(x, midpoints(x, y, coupled=False))
        optimal = wasserstein(x, midpoints(x, rng.permutation(x), coupled=True))
        rows.append({"seed": seed, "independent": independent, "optimal": optimal, "ratio": independent / floor})
    x, y, _ = draw(setting.seeds[0])
    middle = midpoints(x, y, coupled=False)
    return rows + [{"x": s[0], "y": s[1], "middle_x": m[0], "middle_y": m[1]} for s, m in zip(x, middle, strict=True)]


def sample_floors(count: int = FLOORS) -> list[float]:
    """W_1 between two samples of μ, for pairs with streams of their own.

    A pair's floor depends on how unevenly 2,000 labels fall on eight modes: .05 to .19, so no seed is held to one.
    """
    return [wasserstein(ring(rng), ring(rng)) for rng in np.random.default_rng(0).spawn(count)]


def plot(measurements: pd.DataFrame) -> Figure:
    """Midpoints of random pairs beside the ring, and the distances per seed."""
    figure, axes = panels("T19  Halfway between μ and μ: random pairs leave μ, optimal pairs stay", columns=2)
    axes[0].scatter(
        measurements["middle_x"], measurements["middle_y"], s=5, color=VERMILION, label="midpoints, random pairs"
    )
    some = measurements.dropna(subset=["x"]).iloc[::20]  # open rings, and few: what lies within must show
    rings = {"facecolors": "none", "edgecolors": BLUE, "linewidths": 0.6}
    axes[0].scatter(some["x"], some["y"], s=70, label="μ, and midpoints of optimal pairs", **rings)
    axes[0].set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 3.6))
    axes[0].legend(fontsize=8, loc="upper center", edgecolor="none")
    label(axes[0], "coordinate 1", "coordinate 2")
    names = ["random\npairs", "optimal\npairs", "floor: two\nsamples of μ"]
    in_floors = measurements[["independent", "optimal", "floor"]] / measurements["floor"].mean()
    groups = [column.dropna().tolist() for _, column in in_floors.items()]
    seed_dots(axes[1], names, groups, [VERMILION, BLUE, GREY])
    threshold(axes[1], 5.0, "criterion: 5 × mean floor")
    legend(axes[1])
    label(axes[1], "", "W₁ to μ, in units of the mean floor", "a dot a seed, or a pair of samples; bar at the median")
    return figure


STUDY = Study(
    id="T19",
    claim="The distribution of points on lines between random real–fake pairs is displacement interpolation.",
    document="Q&A",
    experiment=f"μ = ν = a ring of eight Gaussians (radius 2), {POINTS} points: W_1(μ, midpoints) for independent "
    f"pairs and for optimal pairs; floor between two samples of μ, mean of {FLOORS}.",
    run=run,
    parts=(
        refutes(
            Measure.smallest("ratio", "W_1(μ, midpoints of independent pairs) / mean floor, least seed's").at_least(
                5.0
            ),
            Measure.largest("optimal", "W_1(μ, midpoints of optimal pairs)").at_most(1e-9),
            reading="True for optimally coupled pairs, false for independent ones. The floors scatter: the least "
            "seed's distance is 4.6 times the largest of them.",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"points": POINTS, "radius": RADIUS, "sd": SPREAD, "floors": FLOORS},
)
