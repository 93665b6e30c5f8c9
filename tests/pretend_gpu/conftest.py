"""A GPU that is not there: memory, random streams and CUDA graphs that behave like one's, for the tests in this folder.

It finds what a first day on a GPU would: mixed devices, streams of another device, waits of the host, values taken from
a tensor that lies there. It says nothing of speed or of a GPU's arithmetic: all numbers are the CPU's, bit for bit.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from lipbench.bench.data import Dataset, load
from lipbench.models import Iteration, Networks, Recipe
from lipbench.models.acceleration import TrainingLoop
from lipbench.models.mlp import mlp
from lipbench.models.snapshot import changing
from lipbench.objectives import Objective

from . import calls, driver
from .memory import Watch
from .operations import Operations


@pytest.fixture
def gpu() -> Iterator[Watch]:
    """The GPU `cuda:0` is there. Within the value, as a context, the host must not wait for it."""
    watch = Watch()
    operations = Operations(watch)
    with pytest.MonkeyPatch.context() as patch:
        calls.pretend(patch, watch)
        driver.pretend(patch, watch, operations)
        with operations:
            yield watch


@pytest.fixture
def make_loop() -> Callable[..., TrainingLoop]:
    """A small game without a trainer, as its iterations are on this device; its seeds are fixed."""

    def make(
        objective: Objective,
        device: str,
        *,
        data: Dataset | None = None,
        networks: Callable[[tuple[int, ...]], Networks] = small_mlp,
        accelerate: str = "none",
        precision: str = "32",
        **recipe: Any,
    ) -> TrainingLoop:
        data = load("8gaussians") if data is None else data
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            how: dict[str, Any] = {"steps": 10, "seed": 3, "accelerate": accelerate, "precision": precision}
            settings = Recipe(**{"lr": 1e-2, "batch": 8} | recipe)
            iteration = Iteration(networks(data.shape), objective, settings, data.to(device), **how)
        iteration.parts.to(device)
        iteration.make_optimizers()
        iteration.begin()
        return TrainingLoop(iteration)

    return make


def small_mlp(shape: tuple[int, ...]) -> Networks:
    return mlp(shape, width=8, depth=2)


@pytest.fixture
def state_of() -> Callable[[Iteration], Tensor]:
    """All that training changes, on the CPU: parameters, buffers, optimisers, streams, scalars."""

    def state(iteration: Iteration) -> Tensor:
        size = len(torch.default_generator.get_state())  # what follows says that it is a GPU's
        streams = [iteration.stream(name).get_state()[:size] for name in iteration.drawing]
        changed = (*changing(iteration), *streams, iteration.scalars)
        return torch.cat([x.detach().cpu().double().flatten() for x in changed])

    return state
