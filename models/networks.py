"""What every architecture hands over: a generator, a critic and the latent law. The layers themselves are elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..objectives.errors import BadInput
from ..objectives.layers import MaxMin


class Unsuited(BadInput):
    """This architecture cannot make samples of this shape, whatever its settings: a run of it is skipped, not wrong."""


@dataclass
class Networks:
    """A generator from latents [B, latent_dim + classes] to samples, and a critic from samples to logits [B].

    `latent` is the law of the first latent_dim coordinates: `normal`, N(0, I), or `uniform`, U(−1, 1)^latent_dim. What
    follows is the class asked for, one-hot; there are 0 classes where the networks are not conditional, else the critic
    is called within `bound(critic, labels)`. `packing` is how many samples have a logit together; a minibatch has that
    many for each one that a recipe asks for.
    """

    generator: nn.Module
    critic: nn.Module
    latent_dim: int
    latent: str = "normal"
    classes: int = 0
    packing: int = 1


def one_hot(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """[n, classes] of labels [n]; waits for no device, as `functional.one_hot` may."""
    return (labels[:, None] == torch.arange(classes, device=labels.device)).to(dtype)


def draw_latent(
    networks: Networks,
    n: int,
    rng: torch.Generator,
    dtype: torch.dtype | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """Latents [n, latent_dim + classes] from the networks' latent law, on the stream's device.

    Args:
        networks: say what law.
        n: how many.
        rng: the stream.
        dtype: of the latents; torch's default if None.
        labels: the classes asked for [n], of conditional networks; drawn evenly if None.
    """
    size = (n, networks.latent_dim)
    if networks.latent == "uniform":
        latent = torch.rand(size, generator=rng, device=rng.device, dtype=dtype).mul_(2).sub_(1)
    else:
        latent = torch.randn(size, generator=rng, device=rng.device, dtype=dtype)
    if not networks.classes:
        return latent
    if labels is None:
        labels = torch.randint(networks.classes, (n,), generator=rng, device=rng.device)
    return torch.cat([latent, one_hot(labels, networks.classes, latent.dtype)], dim=1)


def classes_asked(networks: Networks, latent: Tensor) -> Tensor | None:
    """The labels [n] in latents [n, latent_dim + classes]; None where there are no classes."""
    return latent[:, networks.latent_dim :].argmax(1) if networks.classes else None


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


def square(name: str, shape: tuple[int, ...], sides: tuple[int, ...]) -> tuple[int, int]:
    """Colours and side of images of `shape`. Raises Unsuited if they are not (1 or 3, S, S) with S in `sides`."""
    if len(shape) != 3 or shape[0] not in (1, 3) or shape[1] != shape[2] or shape[1] not in sides:
        allowed = ", ".join(map(str, sides))
        raise Unsuited(f"{name}: samples of shape {tuple(shape)}: must be (1 or 3, S, S) with S one of {allowed}")
    return shape[0], shape[1]


def normal_initialise(module: nn.Module) -> None:
    """N(0, 0.02²) weights and no bias at the start, as in DCGAN and in SN-GAN's code; for `nn.Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
