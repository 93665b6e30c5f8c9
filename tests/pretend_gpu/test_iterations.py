"""Iterations on the pretended GPU: on one device, without a wait of the host, and what the CPU computes bit for bit."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.data import Dataset, load
from lipbench.models import CHUNK, Iteration, Networks
from lipbench.models.acceleration import TrainingLoop
from lipbench.models.dcgan import dcgan
from lipbench.models.local_cnn import local_cnn
from lipbench.models.mlp import mlp
from lipbench.models.resnet import sngan_resnet, wgangp_resnet
from lipbench.models.sngan_cnn import sngan_cnn
from lipbench.objectives import (
    BUILTINS,
    Batch,
    GradientPenalty,
    InstanceNoise,
    Minimax,
    NonSaturating,
    Objective,
    SpectralNorm,
    WeightClipping,
)
from lipbench.objectives.slopes import POINTS

MakeLoop = Callable[..., TrainingLoop]
State = Callable[[Iteration], Tensor]
MAIN = {"minimax": Minimax, "wgan-clip": WeightClipping, "wgan-gp": GradientPenalty, "sn-gan": SpectralNorm}
RECIPES: dict[str, dict[str, Any]] = {
    "adam, all options": {"ema": 0.9, "decay": "linear", "generator_batch": 12, "critic_lr": 2e-2, "n_critic": 2},
    "rmsprop, all options": {"optimizer": "rmsprop", "ema": 0.9, "decay": "linear", "generator_batch": 12},
    "other betas": {"betas": (0.5, 0.999), "n_critic": 3},
}
ARCHITECTURES: dict[str, Callable[..., Networks]] = {
    "dcgan": partial(dcgan, channels=4, latent_dim=4),
    "sngan-cnn": partial(sngan_cnn, channels=4, latent_dim=4),
    "sngan-resnet": partial(sngan_resnet, channels=4, latent_dim=4),
    "wgangp-resnet": partial(wgangp_resnet, channels=4, latent_dim=4),
    "local-cnn": partial(local_cnn, channels=4, noise=1, attention=True),
}


class Mixing(NonSaturating):
    """Adds noise that it makes on the CPU."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.randn(x.shape)


class ForeignStream(NonSaturating):
    """Draws on the GPU from a stream of the CPU."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.randn(x.shape, device=x.device, generator=torch.Generator())


class Asking(NonSaturating):
    """Decides by a value."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        loss = super().critic_loss(critic, batch)
        return loss if loss.item() > 0 else -loss


class Selecting(NonSaturating):
    """Takes some of the samples, by their values."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x[x[:, 0] > -100]


class Converting(NonSaturating):
    """Computes with numpy."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x * float(x.detach().numpy().std())


def same(here: TrainingLoop, there: TrainingLoop, state_of: State) -> None:
    """Everything of the second lies on the GPU, and has the values of the first."""
    lies = [*there.iteration.parts.parameters(), *there.iteration.parts.buffers(), there.iteration.scalars]
    assert {x.device for x in lies} == {torch.device("cuda:0")}
    assert torch.equal(state_of(there.iteration), state_of(here.iteration))


@pytest.mark.parametrize("name", BUILTINS)
def test_iteration_of_every_objective(gpu: Any, make_loop: MakeLoop, state_of: State, name: str) -> None:
    """An objective says of itself that it is capturable exactly where the host does not wait."""
    here, there = make_loop(BUILTINS[name](), "cpu"), make_loop(BUILTINS[name](), "cuda")
    gpu.waits.clear()
    here.run(3)
    there.run(3)
    assert there.iteration.objective.capturable == (gpu.waits == [])
    same(here, there, state_of)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", MAIN)
def test_iteration_with_every_recipe(gpu: Any, make_loop: MakeLoop, state_of: State, name: str, recipe: str) -> None:
    here, there = (make_loop(MAIN[name](), device, **RECIPES[recipe]) for device in ("cpu", "cuda"))
    here.run(3)
    with gpu:
        there.run(3)
    same(here, there, state_of)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("name", MAIN)
def test_iteration_in_every_precision(
    gpu: Any, make_loop: MakeLoop, state_of: State, name: str, precision: str
) -> None:
    """Autocasting is the CPU's here, and TF32 rounds nothing."""
    here, there = (make_loop(MAIN[name](), device, precision=precision) for device in ("cpu", "cuda"))
    here.run(2)
    with gpu:
        there.run(2)
    same(here, there, state_of)


USUAL = [
    ("sn-gan", "dcgan"),
    ("sn-gan", "sngan-cnn"),
    ("wgan-gp", "sngan-cnn"),
    ("sn-gan", "sngan-resnet"),
    ("wgan-gp", "local-cnn"),
]
EVERY = list(itertools.product(MAIN, ("dcgan", "sngan-cnn", "sngan-resnet", "wgangp-resnet", "local-cnn")))


@pytest.mark.parametrize(
    ("name", "architecture"), [pair if pair in USUAL else pytest.param(*pair, marks=pytest.mark.slow) for pair in EVERY]
)
def test_iteration_of_every_architecture(
    gpu: Any, make_loop: MakeLoop, state_of: State, images: Dataset, name: str, architecture: str
) -> None:
    how: dict[str, Any] = {"data": images, "networks": ARCHITECTURES[architecture], "batch": 4}
    here, there = (make_loop(MAIN[name](), device, **how) for device in ("cpu", "cuda"))
    here.run(1)
    with gpu:
        there.run(1)
    same(here, there, state_of)


@pytest.mark.parametrize("data", ["8gaussians", "25gaussians", "swissroll", "ring5", "ring5-labelled", "digits"])
def test_iteration_on_every_kind_of_data(gpu: Any, make_loop: MakeLoop, state_of: State, data: str) -> None:
    here, there = (make_loop(SpectralNorm(), device, data=load(data)) for device in ("cpu", "cuda"))
    here.run(2)
    with gpu:
        there.run(2)
    same(here, there, state_of)


def test_iteration_of_a_conditional_generator_waits_for_nothing(gpu: Any, make_loop: MakeLoop, state_of: State) -> None:
    def networks(shape: tuple[int, ...]) -> Networks:
        return mlp(shape, width=8, depth=2, classes=5)

    how: dict[str, Any] = {"data": load("ring5-labelled"), "networks": networks}
    here, there = (make_loop(GradientPenalty(), device, **how) for device in ("cpu", "cuda"))
    here.run(2)
    with gpu:
        there.run(2)
    same(here, there, state_of)


@pytest.mark.parametrize("at", POINTS)
def test_iteration_with_penalties_at_every_place(gpu: Any, make_loop: MakeLoop, state_of: State, at: str) -> None:
    here, there = (make_loop(GradientPenalty(at=at, one_sided=True), device) for device in ("cpu", "cuda"))
    gpu.waits.clear()
    here.run(2)
    there.run(2)
    assert there.iteration.objective.capturable == (gpu.waits == [])
    same(here, there, state_of)


def test_iteration_with_noise_that_ends(gpu: Any, make_loop: MakeLoop, state_of: State) -> None:
    here, there = (make_loop(InstanceNoise(until=2), device) for device in ("cpu", "cuda"))
    here.run(3)
    there.run(3)
    same(here, there, state_of)


def test_iteration_waits_only_for_the_clock(gpu: Any, make_loop: MakeLoop) -> None:
    loop = make_loop(SpectralNorm(), "cuda")
    gpu.waits.clear()
    loop.run(CHUNK)
    assert gpu.waits == ["synchronize"] * 2


@pytest.mark.parametrize(
    ("objective", "error"),
    [
        (Mixing, "Expected all tensors to be on the same device"),
        (ForeignStream, "Expected a 'cuda' device type for generator"),
        (Asking, "the host waits for the GPU: _local_scalar_dense"),
        (Selecting, "the host waits for the GPU: index with a mask"),
        (Converting, "can't convert cuda:0 device type tensor to numpy"),
    ],
)
def test_iteration_mistakes_are_found(gpu: Any, make_loop: MakeLoop, objective: type[Objective], error: str) -> None:
    loop = make_loop(objective(), "cuda")
    with pytest.raises((RuntimeError, TypeError), match=error), gpu:
        loop.run(1)
