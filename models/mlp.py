"""Multi-layer perceptrons for points in R^d (and small images, flattened)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..objectives.checks import choice, natural_number, positive_integer
from ..objectives.errors import BadInput
from .networks import ACTIVATIONS, LATENTS, NORMS, Networks

DEEPEST = 1000  # layers: making ten thousand takes longer than anybody waits


def _norm(kind: str, width: int) -> list[nn.Module]:
    return {"none": [], "batch": [nn.BatchNorm1d(width)], "layer": [nn.LayerNorm(width)]}[kind]


def perceptron(
    inputs: int, outputs: int, *, width: int, depth: int, activation: str = "relu", norm: str = "none"
) -> nn.Sequential:
    """`depth` hidden layers of `width` units, each linear → norm → activation, and a linear output.

    Weights are Kaiming-normal for ReLU, Glorot-normal otherwise; biases start at zero.
    """
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(inputs if i == 0 else width, width), *_norm(norm, width), ACTIVATIONS[activation]()]
    layers.append(nn.Linear(width, outputs))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            _initialise(layer, activation)
    return nn.Sequential(*layers)


def _initialise(layer: nn.Linear, activation: str) -> None:
    if activation == "relu":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    else:
        nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)


class MLPGenerator(nn.Module):
    """Latents [B, latent_dim] to samples [B, *shape]; images end in tanh."""

    def __init__(self, latent_dim: int, shape: tuple[int, ...], **layers: object) -> None:
        super().__init__()
        self.layers = perceptron(latent_dim, math.prod(shape), **layers)  # pyright: ignore[reportArgumentType]
        self.shape = shape

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim] → [B, *shape]."""
        x = self.layers(latent).unflatten(1, self.shape)
        return x.tanh() if len(self.shape) == 3 else x


def _shift(generator: MLPGenerator, offset: float) -> None:
    head = generator.layers[-1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.bias[0] += offset


class Conditional(nn.Module):
    """(z, y) ↦ (G(z, y), y): latents that end in a one-hot class to points that end in the same.

    Conditional GANs: Mirza & Osindero 2014, arXiv:1411.1784. Such samples are draws from a joint law of points and
    labels, and all that an objective does happens there: a penalty's line from (x, y) to (x′, y′) moves the label too,
    and a Lipschitz critic is so in both.
    """

    def __init__(self, generator: nn.Module, classes: int) -> None:
        super().__init__()
        self.generator, self.classes = generator, classes

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim + classes] → [B, d + classes], where `generator` returns [B, d]."""
        return torch.cat([self.generator(latent), latent[:, -self.classes :]], dim=1)


class MLPCritic(nn.Module):
    """Samples [B, *shape] to logits [B]."""

    def __init__(self, shape: tuple[int, ...], **layers: object) -> None:
        super().__init__()
        self.layers = perceptron(math.prod(shape), 1, **layers)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """[B, *shape] → [B]."""
        return self.layers(x.flatten(1)).squeeze(1)


def mlp(
    shape: tuple[int, ...],
    *,
    width: int = 128,
    depth: int = 3,
    activation: str = "relu",
    norm: str = "none",
    critic_norm: str = "none",
    latent_dim: int = 2,
    latent: str = "normal",
    offset: float = 0.0,
    classes: int = 0,
) -> Networks:
    """Generator and critic with the same `width` × `depth`; 3 × 512 ReLU is the toy setting of Gulrajani et al. 2017.

    Args:
        shape: of one sample.
        width: units of a hidden layer.
        depth: number of hidden layers.
        activation: one of `ACTIVATIONS`.
        norm: the generator's, one of `NORMS`.
        critic_norm: the critic's.
        latent_dim: dimension of the latent, without the class.
        latent: `normal` or `uniform`.
        offset: shifts the generator's points along their first axis at the start: training may undo it.
        classes: of a conditional generator, whose points end in the one-hot class that it was asked for; 0: it is none.

    Raises:
        BadInput: for a value that is not allowed.
    """
    layers: dict[str, Any] = {"activation": choice("activation", activation, ACTIVATIONS)}
    layers |= {name: positive_integer(name, value) for name, value in (("width", width), ("depth", depth))}
    if depth > DEEPEST:
        raise BadInput(f"depth={depth}: must be at most {DEEPEST}")
    positive_integer("latent_dim", latent_dim)
    choice("latent", latent, LATENTS)
    if activation == "maxmin" and width % 2:
        raise BadInput(f"width={width}: must be even for activation 'maxmin', which sorts pairs")
    if not math.isfinite(offset):
        raise BadInput(f"offset={offset}: must be finite")
    if offset and len(shape) == 3:
        raise BadInput(f"offset={offset}: only points can be shifted, images stay within [-1, 1]")
    made = (*shape[:-1], shape[-1] - _classes(classes, shape))
    generator = MLPGenerator(latent_dim + classes, made, **layers, norm=choice("norm", norm, NORMS))
    _shift(generator, offset)
    return Networks(
        Conditional(generator, classes) if classes else generator,
        MLPCritic(shape, **layers, norm=choice("critic_norm", critic_norm, NORMS)),
        latent_dim,
        latent,
        classes,
    )


def _classes(classes: int, shape: tuple[int, ...]) -> int:
    """The number itself; BadInput if it is none, or samples of this shape have no room for a point beside a class."""
    natural_number("classes", classes)
    if classes and len(shape) == 3:
        raise BadInput(f"classes={classes}: only points can end in their class, these samples are images")
    if classes >= shape[-1]:
        raise BadInput(f"classes={classes}: must be below {shape[-1]}, the coordinates of a point with its class")
    return classes
