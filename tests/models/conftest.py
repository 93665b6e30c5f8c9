"""What the tests of models share: real data without a file, a small game, and a trainer that says nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from lipbench.models import GAN, Iteration, Recipe
from lipbench.models.mlp import mlp
from lipbench.objectives import NonSaturating, Objective


@dataclass
class Noise:
    """Real samples: normal, off centre, of a spread that differs by coordinate. Keeps what it drew."""

    drawn: list[Tensor] = field(default_factory=list)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        self.drawn.append(torch.randn(n, 2, generator=rng) * torch.tensor([0.5, 1.5]) + torch.tensor([1.0, -2.0]))
        return self.drawn[-1]


@pytest.fixture
def make_iteration() -> Callable[..., Iteration]:
    """A small game on points, ready to run; the seed of the weights is fixed, `seed` is that of the streams."""

    def make(
        objective: Objective | None = None,
        *,
        steps: int = 6,
        seed: int = 3,
        data: Any = None,
        device: str = "cpu",
        network: dict[str, Any] | None = None,
        accelerate: str = "none",
        precision: str = "32",
        **recipe: Any,
    ) -> Iteration:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            shape: dict[str, Any] = {"width": 8, "depth": 2} | (network or {})
            networks = mlp((2,), **shape)
            settings = Recipe(**{"lr": 1e-2, "batch": 16} | recipe)
            how: dict[str, Any] = {"steps": steps, "seed": seed, "accelerate": accelerate, "precision": precision}
            iteration = Iteration(networks, objective or NonSaturating(), settings, data or Noise(), **how)
        iteration.parts.to(device)
        iteration.make_optimizers()
        iteration.begin()
        return iteration

    return make


@pytest.fixture
def fit() -> Callable[..., pl.Trainer]:
    """Trains to the last step and returns the trainer."""

    def run(gan: GAN, *, accelerator: str = "cpu", ckpt_path: Path | None = None, **settings: Any) -> pl.Trainer:
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **settings,
        )
        trainer.fit(gan, ckpt_path=ckpt_path, weights_only=True)
        return trainer

    return run
