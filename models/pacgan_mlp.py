"""PacGAN's networks for points (Lin et al. 2018), and a critic that looks at several samples at once: packing."""

from math import ceil

import torch
from torch import Tensor, nn

from ..objectives.checks import positive_integer
from ..objectives.errors import BadInput
from .mlp import DEEPEST
from .networks import Networks, Unsuited, normal_initialise

MOST_PACKED = 100  # samples; the paper has up to 4


class Maxout(nn.Module):
    """The largest of `pieces` features, those at j, k + j, 2k + j, … (Goodfellow et al. 2013)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """[B, pieces·k] → [B, k]."""
        return x.unflatten(1, (self.pieces, -1)).amax(dim=1)


class PackedCritic(nn.Module):
    """A critic of packs of m samples, used as one of samples: each sample has the logit of its pack (Lin et al. 2018).

    Neighbours in a batch are a pack, stacked along channels. A mean over the logits of a batch is one over its packs,
    so that objectives train it as they are. A batch that is no multiple of m is filled up with its first samples. The
    slope of the sum of all logits at a sample is m times that of its pack's.

    Args:
        critic: maps packs [B/m, m·C, …] to logits [B/m].
        packing: m.
    """

    mixes_samples = "packing makes a logit depend on several samples, so a slope per sample is undefined"

    def __init__(self, critic: nn.Module, packing: int) -> None:
        super().__init__()
        self.critic, self.packing = critic, packing

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, …] → [B]."""
        n, m = len(x), self.packing
        whole = ceil(n / m) * m
        if whole > n:
            x = torch.cat([x] * ceil(whole / n))[:whole]
        logits = self.critic(x.unflatten(0, (-1, m)).flatten(1, 2))
        return logits[:, None].expand(-1, m).flatten()[:n]


def pacgan_mlp(
    shape: tuple[int, ...],
    *,
    width: int = 400,
    depth: int = 4,
    critic_width: int = 200,
    critic_depth: int = 3,
    pieces: int = 5,
    packing: int = 1,
    latent_dim: int = 2,
) -> Networks:
    """PacGAN's generator with batch norm and ReLU, and its maxout critic of packs (Lin et al. 2018, arXiv:1712.04086).

    A minibatch has `packing` samples for each that the recipe asks for, as there: it is of so many packs. Weights begin
    at N(0, 0.02²), biases at zero; layers before a batch norm have none.

    Args:
        shape: of one sample.
        width: units of the generator's hidden layers.
        depth: number of these.
        critic_width: units of the critic's hidden layers.
        critic_depth: number of these.
        pieces: linear functions of which a unit of the critic is the largest.
        packing: samples that the critic sees together; 1 is a critic of single samples.
        latent_dim: dimension of the normal latent.

    Raises:
        Unsuited: for images.
        BadInput: for a value that is not allowed.
    """
    if len(shape) != 1:
        raise Unsuited(f"pacgan-mlp: samples of shape {tuple(shape)}: must be points")
    sizes = {"width": width, "critic_width": critic_width, "pieces": pieces, "latent_dim": latent_dim}
    for name, value in sizes.items():
        positive_integer(name, value)
    for name, value, most in (
        ("depth", depth, DEEPEST),
        ("critic_depth", critic_depth, DEEPEST),
        ("packing", packing, MOST_PACKED),
    ):
        if positive_integer(name, value) > most:
            raise BadInput(f"{name}={value}: must be at most {most}")
    generator = _generator(latent_dim, shape[0], width, depth).apply(normal_initialise)
    critic = _critic(packing * shape[0], critic_width, critic_depth, pieces).apply(normal_initialise)
    packed = critic if packing == 1 else PackedCritic(critic, packing)
    return Networks(generator, packed, latent_dim, packing=packing)


def _generator(inputs: int, outputs: int, width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(depth):
        # The running statistics forget as in the authors' code.
        norm = nn.BatchNorm1d(width, momentum=0.05)
        layers += [nn.Linear(inputs if i == 0 else width, width, bias=False), norm, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def _critic(inputs: int, width: int, depth: int, pieces: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(inputs if i == 0 else width, pieces * width), Maxout(pieces)]
    return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))
