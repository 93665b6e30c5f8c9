"""Steps of a game against the clock, several constraints in turn. Knows no study; times only, nothing learns."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import nn

from .....models.iteration import make_optimizer
from .....models.recipe import Recipe
from .....objectives.base import Batch, Objective, prepared
from .....objectives.game import critic_step
from .....objectives.gradient_penalty import GradientPenalty
from .....objectives.minimax import Minimax
from .....objectives.spectral_norm import SpectralNorm
from .....objectives.weight_clipping import WeightClipping
from ....report.palette import BLACK, BLUE, GREEN, PURPLE
from ...engine.contract import Measure, Row
from ...plotting.style import label, seed_dots, threshold

NONE, CLIP, GP, SN = "none", "clip", "GP", "SN"
# One loss for all, so that only the constraint differs: the unconstrained game with WGAN's loss is "none".
OBJECTIVES = {
    NONE: partial(Minimax, loss="wasserstein"),
    CLIP: partial(WeightClipping, clip=0.01),
    GP: partial(GradientPenalty, weight=10.0),
    SN: partial(SpectralNorm, loss="wasserstein"),
}
COLORS = (BLACK, PURPLE, BLUE, GREEN)
LEAST, MOST, MOST_SN = 1.3, 3.0, 1.3
WARM_UP = 3


@dataclass
class Player:
    """A critic of its own with its optimiser."""

    objective: Objective
    critic: nn.Module
    optimizer: torch.optim.Optimizer

    def step(self, batch: Batch) -> None:
        """One step of the critic."""
        critic_step(self.objective, self.critic, batch, self.optimizer)


def prepare(critic: nn.Module, objective: Objective, recipe: Recipe) -> Player:
    """The critic as the objective wants it, with an optimiser."""
    critic = prepared(objective, critic)
    return Player(objective, critic, make_optimizer(recipe, critic.parameters(), recipe.lr))


def race(steps: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each step; one after the other, round by round, so that a slow moment meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(WARM_UP + rounds):
        for name, step in steps.items():
            start = _clock(device)
            step()
            seconds[name].append(_clock(device) - start)
    return {name: float(np.median(found[WARM_UP:])) for name, found in seconds.items()}


def ratios(medians: Mapping[str, float], rounds: int) -> list[Row]:
    """A row a constraint: its seconds, and over those without one (`ratio`)."""
    return [
        {"constraint": constraint, "seconds": seconds, "ratio": seconds / medians[NONE], "rounds": rounds}
        for constraint, seconds in medians.items()
    ]


def cost(constraint: str, what: str, **place: str) -> Measure:
    """The constraint's time over the time without one; `place`: further columns that say what was timed."""
    return Measure.median("ratio", f"time of {what}, {constraint} over none", None, **place, constraint=constraint)


def draw(axis: Axes, rows: pd.DataFrame, title: str, *, sn: bool) -> None:
    """Every seed's ratio as a dot, with GP's bounds; the title ends with the time of the one without a constraint.

    `sn`: whether the lower bound is SN's criterion too.
    """
    groups = [rows.loc[rows["constraint"] == constraint, "ratio"].to_list() for constraint in OBJECTIVES]
    seed_dots(axis, list(OBJECTIVES), groups, COLORS)
    threshold(axis, LEAST, f"criteria: GP {LEAST:g} … {MOST:g}" + (f", SN ≤ {MOST_SN:g}" if sn else ""))
    threshold(axis, MOST, "")
    base = 1e3 * rows.loc[rows["constraint"] == NONE, "seconds"].median()
    axis.set_ylim(bottom=0)
    label(axis, "constraint", "time over the time without", f"{title}; without: {base:.2f} ms")


def _clock(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()
