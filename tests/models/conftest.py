"""What the tests of models share: real data without a file, and a trainer that says nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from lipbench.models import GAN, Recipe, mlp
from lipbench.objectives import NonSaturating, Objective


@dataclass
class Noise:
    """Real samples: normal, off centre, of a spread that differs by coordinate. Keeps what it drew."""

    drawn: list[Tensor] = field(default_factory=list)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        self.drawn.append(torch.randn(n, 2, generator=rng) * torch.tensor([0.5, 1.5]) + torch.tensor([1.0, -2.0]))
        return self.drawn[-1]


@pytest.fixture
def make_gan() -> Callable[..., GAN]:
    """A small game on points; the seed of the weights is fixed, `seed` is that of the streams."""

    def make(
        objective: Objective | None = None,
        *,
        steps: int = 6,
        seed: int = 3,
        data: Any = None,
        network: dict[str, Any] | None = None,
        accelerate: str = "none",
        precision: str = "32",
        **recipe: Any,
    ) -> GAN:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            shape: dict[str, Any] = {"width": 8, "depth": 2} | (network or {})
            networks = mlp((2,), **shape)
            settings = Recipe(**{"lr": 1e-2, "batch": 16} | recipe)
            how: dict[str, Any] = {"steps": steps, "seed": seed, "accelerate": accelerate, "precision": precision}
            return GAN(networks, objective or NonSaturating(), settings, data or Noise(), **how)

    return make


@pytest.fixture
def fit() -> Callable[..., pl.Trainer]:
    """Trains for a number of iterations and returns the trainer."""

    def run(gan: GAN, iterations: int, **settings: Any) -> pl.Trainer:
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **settings,
        )
        trainer.fit(gan, iter(range(iterations)))
        return trainer

    return run
