"""Iterations on the pretended GPU: on one device, without a wait of the host, and what the CPU computes bit for bit."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.data import Dataset, load
from lipbench.models import CHUNK, Iteration
from lipbench.models.acceleration import TrainingLoop
from lipbench.models.dcgan import dcgan
from lipbench.models.local_cnn import local_cnn
from lipbench.models.mlp import mlp
from lipbench.models.pacgan_mlp import pacgan_mlp
from lipbench.models.resnet import sngan_resnet, wgangp_resnet
from lipbench.models.sngan_cnn import sngan_cnn
from lipbench.objectives import (
    BUILTINS,
    Batch,
    GradientPenalty,
    InstanceNoise,
    NonSaturating,
    Objective,
    SpectralNorm,
    WeightClipping,
)
from lipbench.objectives.slopes import POINTS

MakeLoop = Callable[..., TrainingLoop]
State = Callable[[Iteration], Tensor]
Game = tuple[Callable[[], Objective], dict[str, Any]]
EVERY_OPTION: dict[str, Any] = {"ema": 0.9, "decay": "linear", "generator_batch": 12, "critic_lr": 2e-2, "n_critic": 2}
PIXELS = torch.randint(256, (64, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
IMAGES = Dataset("noise", (3, 32, 32), PIXELS, None, None, None, None, "random pixels")
CONDITIONAL = partial(mlp, width=8, depth=2, classes=5)


def on_images(make: Callable[..., Any], **how: Any) -> dict[str, Any]:
    return {"data": IMAGES, "networks": partial(make, channels=4, **how), "batch": 4}


GAMES: dict[str, Game] = {
    **{name: (BUILTINS[name], {}) for name in BUILTINS},
    **{f"penalty at {at}": (partial(GradientPenalty, at=at, one_sided=True), {}) for at in POINTS},
    "noise that ends": (partial(InstanceNoise, until=2), {}),
    "adam, every option": (GradientPenalty, EVERY_OPTION),
    "rmsprop, every option": (WeightClipping, EVERY_OPTION | {"optimizer": "rmsprop"}),
    "bf16": (GradientPenalty, {"precision": "bf16"}),
    "tf32": (SpectralNorm, {"precision": "tf32"}),
    **{name: (SpectralNorm, {"data": load(name)}) for name in ("25gaussians", "swissroll", "ring5", "digits")},
    "conditional": (GradientPenalty, {"data": load("ring5"), "networks": CONDITIONAL}),
    "conditional images": (
        SpectralNorm,
        {
            "data": load("digits"),
            "networks": partial(dcgan, channels=4, latent_dim=4, classes=10),
            "generator_batch": 4,
        },
    ),
    "packed, simultaneous": (
        NonSaturating,
        {"networks": partial(pacgan_mlp, width=8, depth=2, critic_width=4, packing=2), "updates": "simultaneous"},
    ),
    "dcgan": (SpectralNorm, on_images(dcgan, latent_dim=4)),
    "sngan-cnn": (GradientPenalty, on_images(sngan_cnn, latent_dim=4)),
    "sngan-resnet": (SpectralNorm, on_images(sngan_resnet, latent_dim=4)),
    "wgangp-resnet": (GradientPenalty, on_images(wgangp_resnet, latent_dim=4)),
    "local-cnn": (GradientPenalty, on_images(local_cnn, noise=1, attention=True)),
}


@pytest.mark.parametrize("game", GAMES)
def test_iteration_is_the_cpus(gpu: Any, make_loop: MakeLoop, state_of: State, game: str) -> None:
    """Where an objective says that it is capturable, the host does not wait."""
    objective, how = GAMES[game]
    here, there = (make_loop(objective(), device, **how) for device in ("cpu", "cuda"))
    gpu.waits.clear()
    for loop in (here, there):
        loop.run(1 if how.get("data") is IMAGES else 3)
    assert gpu.waits == [] or not there.iteration.objective.capturable
    lies = [*there.iteration.parts.parameters(), *there.iteration.parts.buffers(), there.iteration.scalars]
    assert {x.device for x in lies} == {torch.device("cuda:0")}
    assert torch.equal(state_of(there.iteration), state_of(here.iteration))


def test_iteration_waits_only_for_the_clock(gpu: Any, make_loop: MakeLoop) -> None:
    loop = make_loop(SpectralNorm(), "cuda")
    gpu.waits.clear()
    loop.run(CHUNK)
    assert gpu.waits == ["synchronize"] * 2


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


@pytest.mark.parametrize(
    ("objective", "error"),
    [
        (Mixing, "same device"),
        (ForeignStream, "'cuda' device type for generator"),
        (Asking, "the host waits"),
        (Selecting, "the host waits"),
        (Converting, "numpy"),
    ],
)
def test_iteration_mistakes_are_found(gpu: Any, make_loop: MakeLoop, objective: type[Objective], error: str) -> None:
    loop = make_loop(objective(), "cuda")
    with pytest.raises((RuntimeError, TypeError), match=error), gpu:
        loop.run(1)
