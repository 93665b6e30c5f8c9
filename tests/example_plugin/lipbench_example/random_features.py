"""Random features: an extractor is a module that turns images into features [N, D], and perhaps logits [N, K]."""

import torch
from torch import Tensor, nn


class RandomFeatures(nn.Module):
    """Mean and standard deviation of random filters over an image: untrained, a control for trained features.

    Args:
        width: number of filters.
        size: pixels a side of a filter.
    """

    filters: Tensor

    def __init__(self, width: int = 32, size: int = 5) -> None:
        super().__init__()
        self.size = size
        rng = torch.Generator().manual_seed(0)
        self.register_buffer("filters", torch.randn(width, size * size, generator=rng) / size)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] to features [N, 2 width]."""
        patches = nn.functional.unfold(images.mean(dim=1, keepdim=True), self.size)
        found = (self.filters @ patches).relu()
        return torch.cat([found.mean(dim=2), found.std(dim=2)], dim=1)
