"""S1: the smallest game there is, a point against a line, under each objective (Mescheder et al. 2018)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from ....objectives.base import Batch, Objective
from ....objectives.game import critic_step, generator_step
from ....objectives.gradient_penalty import GradientPenalty
from ....objectives.instance_noise import InstanceNoise
from ....objectives.minimax import Minimax, NonSaturating
from ....objectives.r1 import R1
from ....objectives.weight_clipping import WeightClipping
from ...report.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from ..engine.contract import Measure, Row, Setting, Size, Study, reproduces
from ..engine.parallel import each
from ..plotting.style import label, legend, panels

START, RATE, STEPS, TAIL = 1.0, 0.1, 5000, 500
LOWEST = 1e-12  # distance that is drawn
SHOWN = 1500  # steps of a path that are drawn; it turns round once in 60 to 130 steps
QUIET = 0.05  # from the equilibrium, with noise
GAMMA, SIGMA, NOISY_BATCH = 0.3, 0.7, 256
SCHEMES = {"simultaneous": GREY, "alternating": BLACK}
EXACT = ("minimax", "non-saturating", "clip", "GP", "GP λ=10", "R1")
NOISY = ("noise", "annealed noise")
# Of the distances; broken where a line would hide another.
LINES = {
    "minimax": (VERMILION, "-"),
    "non-saturating": (ORANGE, "-"),
    "clip": (PURPLE, ":"),
    "GP": (BLUE, "--"),
    "R1": (GREEN, "-"),
    "noise": (SKY, "-"),
    "annealed noise": (BLACK, ":"),
}


class Point(nn.Module):
    """The generator: every latent [B, k] becomes the point θ, [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((1, 1), START, dtype=torch.float64))

    def forward(self, latent: Tensor) -> Tensor:
        return self.theta.expand(len(latent), 1)


class Slope(nn.Module):
    """The critic ψ·x: [B, 1] → [B]."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.full((1, 1), START, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.psi).squeeze(1)


@dataclass
class Dirac:
    """The game: data at 0, the generator at θ, gradient descent of step RATE on both sides."""

    objective: Objective
    simultaneous: bool
    rng: torch.Generator
    n: int

    def __post_init__(self) -> None:
        self.point, self.slope, self.before = Point(), Slope(), Slope()
        self.latent = torch.zeros(self.n, 1, dtype=torch.float64)
        self.optimizers = [torch.optim.SGD(m.parameters(), lr=RATE) for m in (self.point, self.slope)]

    def play(self, steps: int) -> Iterator[tuple[float, float]]:
        """(θ, ψ) before the first step and after each."""
        yield self.place
        for step in range(steps):
            batch = Batch(self.latent, self.point(self.latent), None, step, self.rng)
            self.before.load_state_dict(self.slope.state_dict())
            critic_step(self.objective, self.slope, batch, self.optimizers[1])
            # In the simultaneous game the generator answers the critic as it was before this step.
            met = self.before if self.simultaneous else self.slope
            generator_step(self.objective, self.point, met, self.latent, batch, self.optimizers[0])
            yield self.place

    @property
    def place(self) -> tuple[float, float]:
        return self.point.theta.item(), self.slope.psi.item()


def make_objective(name: str, steps: int) -> Objective:
    """By the names of this study; GP's λ is R1's ½γ, so that the two penalties weigh the same."""
    return {
        "minimax": Minimax,
        "non-saturating": NonSaturating,
        "clip": lambda: WeightClipping(clip=1.0),
        "GP": lambda: GradientPenalty(weight=0.5 * GAMMA),
        "GP λ=10": lambda: GradientPenalty(weight=10.0),
        "R1": lambda: R1(gamma=GAMMA),
        "noise": lambda: InstanceNoise(sigma=SIGMA),
        "annealed noise": lambda: InstanceNoise(sigma=SIGMA, until=steps),
    }[name]()


def run(setting: Setting) -> list[Row]:
    """Per objective, scheme (and seed, where there is noise): the path, and the mean distance to (0, 0) at its end."""
    steps = setting.options["steps"]
    cells = [(*cell, steps) for cell in itertools.product(EXACT, SCHEMES, [None])]
    cells += [(*cell, steps) for cell in itertools.product(NOISY, SCHEMES, setting.seeds)]
    return [row for rows in each(play, cells, setting.resources.jobs) for row in rows]


def play(name: str, scheme: str, seed: int | None, steps: int) -> list[Row]:
    """The rows of one game; only the first seed's path is kept."""
    rng = torch.Generator().manual_seed(seed or 0)
    game = Dirac(make_objective(name, steps), scheme == "simultaneous", rng, 1 if seed is None else NOISY_BATCH)
    path = np.array(list(game.play(steps)))
    distance = np.hypot(*path.T)
    common: Row = {"objective": name, "scheme": scheme} | ({} if seed is None else {"seed": seed})
    rows: list[Row] = [common | {"tail": float(distance[-TAIL:].mean())}]
    if not seed:
        kept = [*range(0, min(SHOWN, steps) + 1, 3), *range(SHOWN + 50, steps + 1, 50)]
        rows += [common | {"step": k, "theta": path[k, 0], "psi": path[k, 1], "distance": distance[k]} for k in kept]
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """The paths in the (θ, ψ) plane, and the distance to the equilibrium against the step."""
    title = f"S1  Dirac-GAN from (1, 1): where each objective goes in {SHOWN:,} steps"
    figure, axes = panels(title, columns=4, width=2.9, height=2.7, rows=2)
    paths = measurements[measurements["step"].notna()]
    for axis, name in zip(axes, LINES, strict=False):
        _draw_paths(axis, paths[(paths["objective"] == name) & (paths["step"] <= SHOWN)], name)
    _draw_distances(axes[-1], paths[paths["scheme"] == "alternating"])
    return figure


def _draw_distances(axis: Axes, paths: pd.DataFrame) -> None:
    for name, (color, style) in LINES.items():
        path = paths[paths["objective"] == name]
        axis.plot(path["step"], path["distance"], color=color, linestyle=style, linewidth=1.2, label=name)
    axis.set_yscale("log")
    axis.set_ylim(LOWEST, 10)
    legend(axis, fontsize=6, loc="lower right")
    label(axis, "step", "distance to (0, 0)", "alternating; R1 falls on")


def _draw_paths(axis: Axes, paths: pd.DataFrame, name: str) -> None:
    for scheme, color in SCHEMES.items():
        path = paths[paths["scheme"] == scheme]
        axis.plot(path["theta"], path["psi"], color=color, linewidth=0.6, alpha=0.8, label=scheme)
    axis.plot(START, START, "o", color=GREY, markersize=4)
    axis.plot(0, 0, "+", color="black", markersize=8)
    axis.set_aspect("equal", "datalim")
    label(axis, "θ (generator)", "ψ (critic)", f"{name}, λ = {0.5 * GAMMA:g}" if name == "GP" else name)
    if name == EXACT[0]:
        legend(axis, fontsize=6, loc="lower right", handlelength=1)


def _median(objective: str, scheme: str) -> Measure:
    return Measure.median("tail", f"{objective}, {scheme}", objective=objective, scheme=scheme)


DISTANCE = f"mean distance of the last {TAIL} steps"
CONTROLS = tuple(
    Measure.smallest("tail", f"{DISTANCE}, {name}, the nearer scheme", objective=name).above(0.4, control=True)
    for name in ("GP", "clip")
)
NOISELESS = Measure.smallest(
    "tail", f"{DISTANCE}, NS without noise, the nearer scheme", objective="non-saturating"
).above(QUIET, control=True)
CIRCLES = Measure.largest(
    "tail", f"{DISTANCE}, simultaneous minimax", objective="minimax", scheme="simultaneous"
).above(float(np.sqrt(2)))
QUIET_WITH_NOISE = Measure.largest(
    "tail", f"{DISTANCE}, constant noise, the worse scheme and seed", objective="noise"
).below(QUIET)
CONVERGES = Measure.largest("tail", f"{DISTANCE}, R1, the worse scheme", objective="R1").below(1e-6)

STUDY = Study(
    id="S1",
    claim="The game may circle or diverge; noise on the critic's input helps; zero-centred penalties converge (ours).",
    document="Report 2.2, 2.3.2",
    experiment=f"Dirac-GAN: data at 0, generator at θ, critic ψ·x, from (1, 1), gradient steps of {RATE:g}, "
    f"simultaneous and alternating; GP with target 1 and λ = γ/2 = {GAMMA / 2:g}, R1 with γ = {GAMMA:g}, instance "
    f"noise σ = {SIGMA:g} (in the non-saturating game) on batches of {NOISY_BATCH}.",
    run=run,
    parts=(
        reproduces(
            CIRCLES,
            name="the game may circle or diverge",
            reported=(_median("minimax", "alternating"), *(_median("non-saturating", scheme) for scheme in SCHEMES)),
        ),
        reproduces(
            QUIET_WITH_NOISE,
            *CONTROLS,
            NOISELESS,
            name="noise helps",
            reported=tuple(_median("annealed noise", scheme) for scheme in SCHEMES),
        ),
        reproduces(
            CONVERGES,
            *CONTROLS,
            name="R1 converges (our addition)",
            reported=tuple(_median("GP λ=10", scheme) for scheme in SCHEMES),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, options={"steps": 600}, note="600 of 5,000 steps"),
        "quick": Size(seeds=3, options={"steps": STEPS}),
        "full": Size(seeds=5, options={"steps": STEPS}),
    },
    settings={"start": START, "rate": RATE, "tail": TAIL, "gamma": GAMMA, "sigma": SIGMA, "batch": NOISY_BATCH},
)
