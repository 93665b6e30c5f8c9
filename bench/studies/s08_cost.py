"""S8: what a gradient penalty costs, against no constraint, clipping and spectral normalisation."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ...models import ARCHITECTURES, Recipe, draw_latent, stream_seed
from ...objectives import Batch, GradientPenalty, Minimax, Objective, SpectralNorm, WeightClipping, critic_step
from .contract import Criterion, Part, Quantity, Row, Setting, Size, Study
from .style import BLACK, BLUE, GREEN, PURPLE, dots, label, panels, threshold

MLP, DCGAN = "MLP 3×128", "DCGAN"
NONE, CLIP, GP, SN = "none", "clip", "GP", "SN"
# One loss for all, so that only the constraint differs: the unconstrained game with WGAN's loss is "none".
OBJECTIVES = {
    NONE: partial(Minimax, loss="wasserstein"),
    CLIP: partial(WeightClipping, clip=0.01),
    GP: partial(GradientPenalty, weight=10.0),
    SN: partial(SpectralNorm, loss="wasserstein"),
}
COLORS = (BLACK, PURPLE, BLUE, GREEN)
RECIPE = Recipe("adam", 2e-4, (0.5, 0.9))
LEAST, MOST, MOST_SN = 1.3, 3.0, 1.3
WARM_UP = 3


@dataclass
class Timed:
    """A critic of its own with its optimiser, and the seconds of each of its steps."""

    objective: Objective
    critic: nn.Module
    optimizer: torch.optim.Optimizer
    seconds: list[float]

    def step(self, batch: Batch) -> None:
        """One step against the clock."""
        start = time.perf_counter()
        critic_step(self.objective, self.critic, batch, self.optimizer)
        self.seconds.append(time.perf_counter() - start)


def run(setting: Setting) -> list[Row]:
    """Per seed, networks and constraint: the median time of a critic step; the constraints take turns."""
    rows: list[Row] = []
    for seed in setting.seeds:
        for name, rounds in setting.options["rounds"].items():
            rows += [{"seed": seed, "networks": name} | row for row in time_steps(name, seed, rounds)]
    return rows


def time_steps(name: str, seed: int, rounds: int) -> list[Row]:
    """The constraints one after the other on the same batch, round by round, so that a slow moment meets them all."""
    batch, critic_of = game(name, seed)
    timed = {constraint: prepare(critic_of(), make()) for constraint, make in OBJECTIVES.items()}
    for _ in range(WARM_UP + rounds):
        for one in timed.values():
            one.step(batch)
    medians = {constraint: float(np.median(one.seconds[WARM_UP:])) for constraint, one in timed.items()}
    return [
        {"constraint": constraint, "seconds": seconds, "ratio": seconds / medians[NONE], "rounds": rounds}
        for constraint, seconds in medians.items()
    ]


def game(name: str, seed: int):
    """A batch of an untrained generator and noise in place of data (only the time matters), and a maker of critics."""
    shape, architecture, size = ((2,), "mlp", 256) if name == MLP else ((1, 28, 28), "dcgan", 64)
    rng = torch.Generator().manual_seed(stream_seed(seed, "latent"))

    def networks():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "weights"))
            return ARCHITECTURES[architecture](shape)

    pair = networks()
    with torch.no_grad():
        fake: Tensor = pair.generator(draw_latent(pair, size, rng))
    real = torch.rand(fake.shape, generator=rng).mul_(2).sub_(1)
    return Batch(real, fake, None, 0, rng), lambda: networks().critic


def prepare(critic: nn.Module, objective: Objective) -> Timed:
    """The critic as the objective wants it, with an optimiser."""
    critic = objective.prepare_critic(critic)
    return Timed(objective, critic, RECIPE.make_optimizer(critic.parameters(), RECIPE.lr), [])


def plot(measurements: pd.DataFrame) -> Figure:
    """Time of a critic step over the one without a constraint."""
    figure, axes = panels("S8  Time of a critic step, without a constraint = 1", columns=2)
    for axis, name in zip(axes, (MLP, DCGAN), strict=True):
        own = measurements[measurements["networks"] == name]
        groups = [own.loc[own["constraint"] == constraint, "ratio"].to_list() for constraint in OBJECTIVES]
        dots(axis, list(OBJECTIVES), groups, COLORS)
        threshold(axis, LEAST, f"{LEAST:g} and {MOST:g}: GP's criterion")
        threshold(axis, MOST, "")
        base = 1e3 * own.loc[own["constraint"] == NONE, "seconds"].median()
        axis.set_ylim(bottom=0)
        label(axis, "constraint", "time over the time without", f"{name}; without: {base:.2f} ms, one thread")
    axes[0].legend(fontsize=8)
    return figure


def _ratio(name: str, constraint: str, op: str, bound: float) -> Criterion:
    return Criterion(
        measurement="ratio",
        where={"networks": name, "constraint": constraint},
        text=f"time of a critic step, {constraint} over none, {name}",
        reduce="median",
        op=op,  # pyright: ignore[reportArgumentType]
        threshold=bound,
    )


def _milliseconds(name: str) -> Quantity:
    where: Mapping[str, str] = {"networks": name, "constraint": NONE}
    return Quantity(measurement="seconds", where=where, reduce="median", text=f"seconds without a constraint, {name}")


STUDY = Study(
    id="S8",
    claim="The gradient penalty costs extra computing time; spectral normalisation hardly any.",
    document="Report 3.6",
    experiment="Time of a critic step on one CPU thread, all else equal (WGAN's loss, Adam, the same batch), the "
    "constraints taking turns: 3×128 MLP on 2-D points, batch 256; DCGAN on 28×28, batch 64.",
    run=run,
    parts=(
        Part(
            name="GP costs extra",
            criteria=tuple(
                _ratio(name, GP, op, bound) for name in (MLP, DCGAN) for op, bound in ((">=", LEAST), ("<=", MOST))
            ),
            reported=(_milliseconds(MLP), _milliseconds(DCGAN)),
        ),
        Part(name="SN on convolutions is cheap", criteria=(_ratio(DCGAN, SN, "<=", MOST_SN),)),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, options={"rounds": {MLP: 5, DCGAN: 1}}, note="5 and 1 rounds"),
        "quick": Size(seeds=3, options={"rounds": {MLP: 200, DCGAN: 15}}),
        "full": Size(seeds=5, options={"rounds": {MLP: 1000, DCGAN: 50}}),
    },
    settings={"warm_up": WARM_UP, "lr": RECIPE.lr},
)
