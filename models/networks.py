"""What every architecture hands over: a generator, a critic and the latent law. The layers themselves are elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..objectives import BadInput
from ..objectives.layers import MaxMin


class Unsuited(BadInput):
    """This architecture cannot make samples of this shape, whatever its settings: a run of it is skipped, not wrong."""


@dataclass
class Networks:
    """A generator from latents [B, latent_dim] to samples, and a critic from samples to logits [B].

    `latent` is `normal`, N(0, I), or `uniform`, U(−1, 1)^latent_dim.
    """

    generator: nn.Module
    critic: nn.Module
    latent_dim: int
    latent: str = "normal"


def draw_latent(networks: Networks, n: int, rng: torch.Generator, dtype: torch.dtype | None = None) -> Tensor:
    """Latents [n, latent_dim] from the networks' latent law, on the stream's device."""
    size = (n, networks.latent_dim)
    if networks.latent == "uniform":
        return torch.rand(size, generator=rng, device=rng.device, dtype=dtype).mul_(2).sub_(1)
    return torch.randn(size, generator=rng, device=rng.device, dtype=dtype)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "maxmin": MaxMin,
}

NORMS = ("none", "batch", "layer")
LATENTS = ("normal", "uniform")
