"""A fixed generator against data on a sheet: two surfaces of dimension 2 in R^16, which a critic can tell apart.

The setting of the vanishing-gradient studies; no training here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....models.mlp import mlp
from ....objectives.base import Batch

DIMENSION, LATENT = 16, 2


@dataclass
class Sheet:
    """Data tanh(U)·A with U ~ N(0, I_2) and a 2×64 ReLU generator, untrained, in double precision.

    Attributes:
        generator: maps latents [n, 2] to [n, 16]; Kaiming-normal weights.
        critic: 3×128 ReLU, Kaiming-normal weights, not yet prepared by an objective.
        matrix: A, [2, 16], standard normal entries.
        rng: the stream of data and latents.
    """

    generator: nn.Module
    critic: nn.Module
    matrix: Tensor
    rng: torch.Generator

    def real(self, n: int) -> Tensor:
        """[n, 16], on the data's sheet."""
        return torch.tanh(self.normal(n)) @ self.matrix

    def fake(self, n: int) -> Tensor:
        """[n, 16], on the generator's surface, without gradient."""
        with torch.no_grad():
            return self.generator(self.normal(n))

    def normal(self, n: int) -> Tensor:
        """Latents [n, 2]."""
        return torch.randn(n, LATENT, generator=self.rng, dtype=torch.float64)

    def batch(self, n: int = 256, step: int = 0) -> Batch:
        """Fresh real and fake samples."""
        return Batch(self.real(n), self.fake(n), None, step, self.rng)


def sheet(seed: int) -> Sheet:
    """The setting of this seed: networks, matrix and stream all come from it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = mlp((DIMENSION,), width=64, depth=2, latent_dim=LATENT).generator.double()
        critic = mlp((DIMENSION,), width=128, depth=3).critic.double()
        matrix = torch.randn(LATENT, DIMENSION, dtype=torch.float64)
    return Sheet(generator, critic, matrix, torch.Generator().manual_seed(seed))
