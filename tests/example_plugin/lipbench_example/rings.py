"""Two rings: a data set is a function that returns samples to train on, and samples that are held out."""

import torch
from torch import Tensor


def rings(n: int = 2000, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """Two rings of radius 1 and 2."""
    rng = torch.Generator().manual_seed(0)
    angle = 2 * torch.pi * torch.rand(2 * n, generator=rng)
    radius = torch.randint(1, 3, (2 * n,), generator=rng) + noise * torch.randn(2 * n, generator=rng)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return points[:n], points[n:]
