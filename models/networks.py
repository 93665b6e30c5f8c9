"""What every architecture hands over: a generator, a critic and the latent law. The layers themselves are elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..objectives import BadInput, unknown
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


def choice(what: str, value: str, allowed: tuple[str, ...] | dict[str, object]) -> str:
    """The value itself; BadInput, which lists what is allowed, if it is not among them."""
    if value not in allowed:
        raise unknown(what, value, list(allowed))
    return value


def positive(what: str, value: int) -> int:
    """The value itself; BadInput if it is below 1."""
    if value < 1:
        raise BadInput(f"{what}={value}: must be a whole number ≥ 1")
    return value
