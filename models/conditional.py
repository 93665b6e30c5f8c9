"""What makes networks conditional on a class: batch norm by class, projection, labels beside the input.

Mirza and Osindero 2014 (arXiv:1411.1784), Dumoulin et al. 2017 (arXiv:1610.07629) and Miyato and Koyama 2018
(arXiv:1802.05637). The layers stand in the networks' chains and take labels as objectives/conditioning.py says.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..objectives.checks import choice, natural_number
from ..objectives.conditioning import TakesLabels, bound
from ..objectives.errors import BadInput
from .networks import Networks, one_hot

CONDITIONINGS = ("projection", "concat")


class ConditionalBatchNorm(TakesLabels):
    """Batch norm over the whole batch, then a gain and a bias by class, which start at 1 and 0 (Dumoulin et al. 2017).

    Args:
        norm: of the features [B, C, …], without a gain and a bias of its own.
        classes: K; 2·K·C parameters.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.gain = nn.Parameter(torch.ones(classes, norm.num_features))
        self.bias = nn.Parameter(torch.zeros(classes, norm.num_features))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, …] → the same shape."""
        labels, size = self.labels_of(x), (len(x), -1) + (1,) * (x.dim() - 2)
        gain, bias = (table.index_select(0, labels).view(size) for table in (self.gain, self.bias))
        return self.norm(x) * gain + bias


def batch_norm(
    channels: int, classes: int = 0, kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d] = nn.BatchNorm2d
) -> nn.Module:
    """Batch norm of feature maps, or of vectors, by class where there are classes."""
    return ConditionalBatchNorm(kind(channels, affine=False), classes) if classes else kind(channels)


class JoinLabels(TakesLabels):
    """x with its class behind it, one-hot: further coordinates of a vector, constant maps of an image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, …] → [B, C + classes, …]."""
        hot = one_hot(self.labels_of(x), self.classes, x.dtype)
        return torch.cat([x, hot.view(*hot.shape, *(1,) * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], dim=1)


class ProjectionHead(TakesLabels):
    """h, y ↦ ⟨V_y, h⟩ + ψ(h) with a linear head ψ (Miyato and Koyama 2018, eq. 5).

    V is a linear layer on the one-hot class, which is what an embedding is: so every objective treats it as a layer of
    weights (spectral norm, clipping, …). The head is the last layer, where objectives look for it.
    """

    def __init__(self, head: nn.Linear, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.embedding = nn.Linear(classes, head.in_features, bias=False)
        nn.init.xavier_uniform_(self.embedding.weight)
        self.head = head

    def forward(self, h: Tensor) -> Tensor:
        """Features [B, F] → logits [B, 1]."""
        embedded = self.embedding(one_hot(self.labels_of(h), self.classes, h.dtype))
        return self.head(h) + (embedded * h).sum(1, keepdim=True)


class ConditionalGenerator(nn.Module):
    """(z, y) ↦ G(z, y), for labels y of their own or one-hot behind the latents, as `draw_latent` has them.

    Args:
        network: takes latents [B, k], bound to labels.
        classes: K.
    """

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, classes

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents [B, k] and labels [B], or latents [B, k + K] → samples [B, …]."""
        if labels is None:
            latent, labels = latent[:, : -self.classes], latent[:, -self.classes :].argmax(1)
        with bound(self.network, labels):
            return self.network(latent)


@dataclass(frozen=True)
class Condition:
    """Of how many classes networks are asked for one, 0 for unconditional ones, and how they are told.

    `projection`: batch norm by class in a generator (without batch norm the class stands beside its latents), a
    projection head in a critic. `concat`: the class stands beside latents and samples.

    Raises:
        BadInput: for one class, and for an unknown conditioning.
    """

    classes: int = 0
    conditioning: str = "projection"

    def __post_init__(self) -> None:
        choice("conditioning", self.conditioning, CONDITIONINGS)
        if natural_number("classes", self.classes) == 1:
            raise BadInput("classes=1: one class is no condition: must be 0 (unconditional), or 2 or more")

    @property
    def maps(self) -> int:
        """How many channels the class adds to a critic's samples."""
        return self.classes if self.conditioning == "concat" else 0

    def classes_of_norm(self, norm: str) -> int:
        """How many classes a generator's norm knows."""
        return self.classes if norm == "batch" and self.conditioning == "projection" else 0

    def beside_latents(self, norm: str) -> int:
        """How many coordinates the class adds to a generator's latents: where its norm does not know it."""
        return 0 if self.classes_of_norm(norm) else self.classes

    def generator_input(
        self, norm: str, linear: Callable[[int, int], nn.Linear], inputs: int, outputs: int
    ) -> nn.Module:
        """A generator's first layer, with the class beside the latents where its norm does not know it."""
        if not (beside := self.beside_latents(norm)):
            return linear(inputs, outputs)
        return nn.Sequential(JoinLabels(beside), linear(inputs + beside, outputs))

    def critic_input(self) -> list[nn.Module]:
        """What stands before a critic's layers."""
        return [JoinLabels(self.classes)] if self.maps else []

    def critic_head(self, head: nn.Linear) -> nn.Module:
        """A critic's head, or what projects onto the class besides."""
        return ProjectionHead(head, self.classes) if self.classes and not self.maps else head

    def networks(self, generator: nn.Module, critic: nn.Module, latent_dim: int, latent: str = "normal") -> Networks:
        """The pair, whose latents end in the class where there are classes."""
        if self.classes:
            generator = ConditionalGenerator(generator, self.classes)
        return Networks(generator, critic, latent_dim, latent, self.classes)


UNCONDITIONAL = Condition()
