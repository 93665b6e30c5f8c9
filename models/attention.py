"""Self-attention between all places of a feature map (Zhang et al. 2019, SAGAN, arXiv:1805.08318). No networks here."""

import torch
from torch import Tensor, nn

NARROWER = 8  # the paper's k: queries, keys and values have C / 8 channels


class SelfAttention(nn.Module):
    """x ↦ x + γ·o(x), where o at a place is a mean over all places, weighted by how well they answer it.

    SAGAN's equations 1 to 3, without bias. γ starts at 0, so that a network begins as if the block were not there.

    Args:
        channels: C of the feature maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // NARROWER)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)  # f
        self.query = nn.Conv2d(channels, inner, 1, bias=False)  # g
        self.value = nn.Conv2d(channels, inner, 1, bias=False)  # h
        self.out = nn.Conv2d(inner, channels, 1, bias=False)  # v
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → the same shape."""
        keys, queries, values = (layer(x).flatten(2) for layer in (self.key, self.query, self.value))
        scores = queries.transpose(1, 2) @ keys  # [B, j, i]: s_ij = f(x_i)ᵀ g(x_j)
        answers = values @ scores.softmax(dim=2).transpose(1, 2)  # [B, C', j]: Σ_i β_ji h(x_i)
        return x + self.gamma * self.out(answers.unflatten(2, x.shape[2:]))
