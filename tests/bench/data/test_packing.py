"""PacGAN's ring and grid: their law, and that their points are fixed."""

from itertools import product
from math import cos, pi, sin, sqrt

import pytest
import torch
from scipy.stats import chisquare

from lipbench.bench.data import load

CENTRES = {
    "pacgan-ring": ([(cos(2 * pi * k / 8), sin(2 * pi * k / 8)) for k in range(8)], 0.01),
    "pacgan-grid": (list(product((-4, -2, 0, 2, 4), repeat=2)), 0.05),
}


@pytest.mark.parametrize("name", CENTRES)
def test_points_are_100000_of_the_mixture(name: str) -> None:
    data, (centres, sigma) = load(name), CENTRES[name]
    assert data.train is not None and data.train.shape == (100_000, 2)
    points, means = data.train.double(), torch.tensor(centres, dtype=torch.float64)
    distance, mode = torch.cdist(points, means).min(dim=1)
    assert chisquare(torch.bincount(mode, minlength=len(means)).numpy()).pvalue > 1e-3
    residual = (points - means[mode]) / sigma
    assert residual.mean().item() == pytest.approx(0, abs=4 / sqrt(residual.numel()))
    assert residual.square().mean().item() == pytest.approx(1, abs=4 * sqrt(2 / residual.numel()))
    assert distance.max().item() < 6 * sigma


@pytest.mark.parametrize("name", CENTRES)
def test_points_are_the_same_every_time_and_held_out_ones_are_others(name: str) -> None:
    data, rng = load(name), torch.Generator().manual_seed(5)
    assert data.train is not None and torch.equal(data.train, load(name).train)  # pyright: ignore[reportArgumentType]
    known = {tuple(point) for point in data.train.tolist()}
    assert all(tuple(point) in known for point in data.sample(300, rng).tolist())
    assert sum(tuple(point) in known for point in data.held_out(300, rng).tolist()) < 3
