"""A discriminator trained on two known densities of the line, for the studies of its optimum. One-dimensional only."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm
from torch import nn

from ....objectives.base import Batch
from ....objectives.game import critic_step
from ....objectives.minimax import Minimax
from .exact import Array

GRID = np.linspace(-8.0, 8.0, 3201)
STEPS, SAMPLES, WIDTH, RATE = 800, 512, 32, 1e-2


@dataclass(frozen=True)
class Density:
    """A mixture of Gaussians on the line with equal weights."""

    means: tuple[float, ...]
    sds: tuple[float, ...]

    def pdf(self, x: Array) -> Array:
        return np.mean([norm.pdf(x, m, s) for m, s in zip(self.means, self.sds, strict=True)], axis=0)

    def quantiles(self, n: int) -> Array:
        """The quantiles of (i + ½)/n: n points that stand for the density without sampling noise."""
        cdf = np.mean([norm.cdf(GRID, m, s) for m, s in zip(self.means, self.sds, strict=True)], axis=0)
        return np.interp((np.arange(n) + 0.5) / n, cdf, GRID)


PAIRS: dict[str, tuple[Density, Density]] = {
    "shifted": (Density((-1.0,), (1.0,)), Density((1.0,), (1.0,))),
    "bimodal": (Density((-2.0, 2.0), (0.6, 0.6)), Density((0.5,), (1.5,))),
    "equal": (Density((-1.5, 1.0), (0.7, 1.0)), Density((-1.5, 1.0), (0.7, 1.0))),
}


def optimum(pair: str) -> Array:
    """D* = p_r/(p_r + p_g) on GRID (Goodfellow et al. 2014, eq. 2)."""
    real, fake = (density.pdf(GRID) for density in PAIRS[pair])
    return real / (real + fake)


def value(pair: str, log_d: Array, log_not_d: Array) -> float:
    """E_r[log D] + E_g[log(1 − D)] by quadrature on GRID, nats (Goodfellow et al. 2014, eq. 1)."""
    real, fake = (density.pdf(GRID) for density in PAIRS[pair])
    return float(trapezoid(real * log_d + fake * log_not_d, GRID))


@cache
def train(pair: str, seed: int) -> Array:
    """The logits on GRID of a discriminator trained by `critic_step` on the quantiles of both densities."""
    network = mlp(1, WIDTH, seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    real, fake = (torch.tensor(density.quantiles(SAMPLES))[:, None] for density in PAIRS[pair])
    batch = Batch(real, fake, None, 0, torch.Generator().manual_seed(seed))
    objective = Minimax()
    for _ in range(STEPS):
        critic_step(objective, network, batch, optimizer)
        schedule.step()
    with torch.no_grad():
        return network(torch.tensor(GRID)[:, None]).numpy()


class Logits(nn.Sequential):
    """A stack of layers whose output [B, 1] is returned as logits [B]."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).squeeze(-1)


def mlp(inputs: int, width: int, seed: int) -> Logits:
    """Two hidden tanh layers in double precision, initialised from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        return Logits(*layers).double()
