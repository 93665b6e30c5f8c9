"""A 1-Lipschitz critic made of deel-torchlip's layers (pip install deel-torchlip), for samples of any shape."""

import math
from itertools import pairwise

from deel import torchlip
from torch import Tensor, nn


class Critic(nn.Module):
    """Orthogonal linear layers (Björck) with GroupSort between them; the last one has norm 1 too.

    Args:
        shape: of one sample.
        width: units of a hidden layer, even.
        depth: number of hidden layers.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 128, depth: int = 3) -> None:
        super().__init__()
        sizes = [math.prod(shape), *[width] * depth]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [torchlip.SpectralLinear(inputs, outputs), torchlip.GroupSort2()]
        self.layers = nn.Sequential(*layers, torchlip.FrobeniusLinear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Samples [B, *shape] to logits [B]."""
        return self.layers(x).squeeze(1)
