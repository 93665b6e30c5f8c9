"""The ring and the grid of Gaussians of PacGAN (Lin et al. 2018, 4.1): 100,000 fixed points each. Nothing is read."""

from math import pi
from pathlib import Path

import torch

from .dataset import Dataset, Mixture

POINTS, SEED = 100_000, 0  # one fixed set, whatever the seed of a run


def pacgan_ring(_: Path | None = None) -> Dataset:
    """PacGAN's ring: 8 Gaussians on the unit circle, σ = .01; 100,000 fixed points."""
    angle = torch.arange(8) * (2 * pi / 8)
    return _fixed("pacgan-ring", Mixture(torch.stack([angle.cos(), angle.sin()], dim=1), 0.01))


def pacgan_grid(_: Path | None = None) -> Dataset:
    """PacGAN's grid: 25 Gaussians at {−4, −2, 0, 2, 4}², σ = .05; 100,000 fixed points."""
    axis = 2.0 * torch.arange(-2, 3)
    return _fixed("pacgan-grid", Mixture(torch.cartesian_prod(axis, axis), 0.05))


def _fixed(name: str, mixture: Mixture) -> Dataset:
    """`train` holds the points; `held_out` draws fresh ones from the mixture."""
    train = mixture.sample(POINTS, torch.Generator().manual_seed(SEED))
    source = "synthetic, as in Lin et al. 2018 (arXiv:1712.04086), section 4.1"
    return Dataset(name, (2,), train, None, None, mixture, None, source)
