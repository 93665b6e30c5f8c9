"""Multi-layer perceptrons for points in R^d (and small images, flattened)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..objectives.checks import choice, positive_integer
from ..objectives.errors import BadInput
from .conditional import UNCONDITIONAL, Condition, JoinLabels, batch_norm
from .networks import ACTIVATIONS, LATENTS, NORMS, Networks

DEEPEST = 1000  # layers: making ten thousand takes longer than anybody waits


def _norm(kind: str, width: int, classes: int) -> list[nn.Module]:
    return {"none": [], "batch": [batch_norm(width, classes, nn.BatchNorm1d)], "layer": [nn.LayerNorm(width)]}[kind]


def perceptron(
    inputs: int, outputs: int, *, width: int, depth: int, activation: str = "relu", norm: str = "none", classes: int = 0
) -> nn.Sequential:
    """`depth` hidden layers of `width` units, each linear → norm (by class) → activation, and a linear output.

    Weights are Kaiming-normal for ReLU, Glorot-normal otherwise; biases start at zero.
    """
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [
            nn.Linear(inputs if i == 0 else width, width),
            *_norm(norm, width, classes),
            ACTIVATIONS[activation](),
        ]
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

    def __init__(
        self,
        latent_dim: int,
        shape: tuple[int, ...],
        condition: Condition = UNCONDITIONAL,
        norm: str = "none",
        **layers: Any,
    ) -> None:
        super().__init__()
        beside, classes = condition.beside_latents(norm), condition.classes_of_norm(norm)
        self.layers = perceptron(latent_dim + beside, math.prod(shape), **layers, norm=norm, classes=classes)
        if beside:
            self.layers.insert(0, JoinLabels(beside))
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


class MLPCritic(nn.Module):
    """Samples [B, *shape] to logits [B]."""

    def __init__(self, shape: tuple[int, ...], condition: Condition = UNCONDITIONAL, **layers: Any) -> None:
        super().__init__()
        *hidden, head = perceptron(math.prod(shape) + condition.maps, 1, **layers)
        assert isinstance(head, nn.Linear)
        self.layers = nn.Sequential(*condition.critic_input(), *hidden, condition.critic_head(head))

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
    conditioning: str = "projection",
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
        classes: of the data's labels, 0 for unconditional networks.
        conditioning: `projection` (batch norm by class in a generator with `norm: batch`, else the class beside its
            latents; a projection in the critic) or `concat` (labels beside the inputs).

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
    condition = Condition(classes, conditioning)
    generator = MLPGenerator(latent_dim, shape, condition, **layers, norm=choice("norm", norm, NORMS))
    _shift(generator, offset)
    critic = MLPCritic(shape, condition, **layers, norm=choice("critic_norm", critic_norm, NORMS))
    return condition.networks(generator, critic, latent_dim, latent)
