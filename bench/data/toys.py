"""The toys: three streams of the WGAN-GP toy code and the ring of five Gaussians. Nothing is read from files.

Gulrajani et al. 2017, arXiv:1704.00028, figure 1 and its toy code: every scale of the streams is theirs.
The ring with random labels is a control for conditional GANs.
"""

from math import pi
from pathlib import Path

import torch
from torch import Tensor

from .dataset import Dataset, Mixture

_WGAN_GP = "synthetic, as in the toy code of Gulrajani et al. 2017 (arXiv:1704.00028)"
_RING_SEED = 0  # the ring's 500 points are one fixed data set, whatever the seed of a run
_RING_MODES, _RING_PER_MODE = 5, 100


def eight_gaussians(_: Path | None = None) -> Dataset:
    """8 Gaussians on a circle of radius 2, σ = .02, all divided by 1.414."""
    angle = torch.arange(8) * (2 * pi / 8)
    centres = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return _stream("8gaussians", Mixture(centres / 1.414, 0.02 / 1.414))


def twenty_five_gaussians(_: Path | None = None) -> Dataset:
    """A 5×5 grid of spacing 2, σ = .05, all divided by 2.828; a stream where the toy code repeats 100,000 points."""
    axis = 2.0 * torch.arange(-2, 3)
    return _stream("25gaussians", Mixture(torch.cartesian_prod(axis, axis) / 2.828, 0.05 / 2.828))


def swiss_roll(_: Path | None = None) -> Dataset:
    """The first and third coordinate of scikit-learn's Swiss roll, noise .25, divided by 7.5."""
    return Dataset("swissroll", (2,), None, None, None, None, None, _WGAN_GP, stream=_draw_swiss_roll)


def ring5(_: Path | None = None) -> Dataset:
    """5 Gaussians at (sin, cos)(2πk/5), covariance .0125·I: 100 points each, centred, over the largest coordinate.

    `train` holds these 500 points; `held_out` draws fresh ones from the mixture under the same shift and scale.
    """
    angle = torch.arange(_RING_MODES, dtype=torch.float64) * (2 * pi / _RING_MODES)
    centres, sigma = torch.stack([angle.sin(), angle.cos()], dim=1), 0.0125**0.5
    labels = torch.arange(_RING_MODES).repeat_interleave(_RING_PER_MODE)
    rng = torch.Generator().manual_seed(_RING_SEED)
    points = centres[labels] + sigma * torch.randn(len(labels), 2, generator=rng, dtype=torch.float64)
    shift = points.mean(dim=0)
    scale = (points - shift).abs().max()
    mixture = Mixture(((centres - shift) / scale).float(), sigma / scale.item())
    train = ((points - shift) / scale).float()
    source = "synthetic: ring of 5 Gaussians, 100 fixed points each"
    return Dataset("ring5", (2,), train, None, labels, mixture, None, source)


def ring5_random_labels(_: Path | None = None) -> Dataset:
    """ring5's points, each with every class as its label: labels that are independent of the points, a control.

    `train` is the product of the 500 points and the 5 classes, so the independence is exact; nothing is held out.
    """
    ring = ring5()
    assert ring.train is not None
    index, labels = torch.cartesian_prod(torch.arange(len(ring.train)), torch.arange(_RING_MODES)).T
    return Dataset(
        "ring5-random-labels", (2,), ring.train[index], None, labels, None, None, f"{ring.source}, any label"
    )


def _stream(name: str, mixture: Mixture) -> Dataset:
    return Dataset(name, (2,), None, None, None, mixture, None, _WGAN_GP)


def _draw_swiss_roll(n: int, rng: torch.Generator) -> Tensor:
    """t uniform on [1.5π, 4.5π], then (t cos t, t sin t) plus noise: sklearn.datasets.make_swiss_roll in the plane."""
    t = 1.5 * pi * (1 + 2 * torch.rand(n, generator=rng, device=rng.device))
    curve = torch.stack([t * t.cos(), t * t.sin()], dim=1)
    return (curve + 0.25 * torch.randn(n, 2, generator=rng, device=rng.device)) / 7.5
