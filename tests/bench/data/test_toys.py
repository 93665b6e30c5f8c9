"""The toys against closed forms, the published list of centres, scipy and scikit-learn."""

from math import pi, sin, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, ks_2samp, multivariate_normal
from sklearn.datasets import make_swiss_roll
from torch import Tensor

from lipbench.bench.data import Dataset, Mixture, load

N = 40_000


def draw(name: str, n: int = N, seed: int = 3) -> Tensor:
    return load(name).sample(n, torch.Generator().manual_seed(seed)).double()


def mixture_of(dataset: Dataset) -> Mixture:
    assert dataset.mixture is not None
    return dataset.mixture


def assert_drawn_from_even_mixture(points: Tensor, centres: Tensor, sigma: float) -> None:
    """Every mode equally often, and around its centre N(0, σ²·I), within four standard errors."""
    distance, mode = torch.cdist(points, centres.double()).min(dim=1)
    counts = torch.bincount(mode, minlength=len(centres))
    assert chisquare(counts.numpy()).pvalue > 1e-3
    residual = (points - centres.double()[mode]) / sigma
    n = residual.numel()
    assert residual.mean().item() == pytest.approx(0, abs=4 / sqrt(n))
    assert residual.square().mean().item() == pytest.approx(1, abs=4 * sqrt(2 / n))
    assert (residual[:, 0] * residual[:, 1]).mean().item() == pytest.approx(0, abs=4 / sqrt(n / 2))
    assert distance.max().item() < 6 * sigma


def test_8gaussians_centres_are_those_of_the_published_code() -> None:
    h = 1 / sqrt(2)
    published = {(1, 0), (-1, 0), (0, 1), (0, -1), (h, h), (h, -h), (-h, h), (-h, -h)}
    centres = mixture_of(load("8gaussians")).centres.double()
    expected = torch.tensor(sorted((2 * x / 1.414, 2 * y / 1.414) for x, y in published), dtype=torch.float64)
    distance, match = torch.cdist(centres, expected).min(dim=1)
    assert sorted(match.tolist()) == list(range(8))
    assert distance.max().item() < 1e-6


def test_8gaussians_sample_has_the_published_radius_and_spread() -> None:
    angle = np.arange(8) * pi / 4
    centres = torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], axis=1) * 2 / 1.414)
    assert_drawn_from_even_mixture(draw("8gaussians"), centres, 0.02 / 1.414)
    assert mixture_of(load("8gaussians")).sigma == pytest.approx(0.014144, abs=1e-6)


def test_25gaussians_sample_is_a_grid_of_the_published_spacing() -> None:
    ticks = np.array([-4, -2, 0, 2, 4]) / 2.828
    centres = torch.from_numpy(np.array([(x, y) for x in ticks for y in ticks]))
    assert_drawn_from_even_mixture(draw("25gaussians"), centres, 0.05 / 2.828)
    spacing = torch.nn.functional.pdist(mixture_of(load("25gaussians")).centres.double()).min().item()
    assert spacing == pytest.approx(0.70721, abs=1e-5)


def test_swissroll_moments_match_their_closed_form() -> None:
    # t uniform on [1.5π, 4.5π]: E[t cos t] = 2, E[t sin t] = 2/(3π), E[t²] = 9.75π².
    points = 7.5 * draw("swissroll")
    error = 4 * points.std(dim=0) / sqrt(N)
    assert points[:, 0].mean().item() == pytest.approx(2, abs=error[0].item())
    assert points[:, 1].mean().item() == pytest.approx(2 / (3 * pi), abs=error[1].item())
    squared = points.square().sum(dim=1)
    assert squared.mean().item() == pytest.approx(9.75 * pi**2 + 2 * 0.25**2, abs=4 * squared.std().item() / sqrt(N))


def test_swissroll_noise_around_the_curve_is_a_quarter() -> None:
    # The curve is r = θ, its arms 2π apart. With noise (ε_r, ε_θ) the gap r − θ is ε_r − ε_θ/r to first order, of
    # variance σ²·(1 + E[1/t²]), and E[1/t²] = 1/(1.5π·4.5π).
    x, y = (7.5 * draw("swissroll")).T
    gap = torch.hypot(x, y) - torch.atan2(y, x)
    gap = torch.remainder(gap + pi, 2 * pi) - pi
    expected = 0.25**2 * (1 + 1 / (1.5 * pi * 4.5 * pi))
    assert gap.mean().item() == pytest.approx(0, abs=4 * sqrt(expected / N) + 0.001)  # 0.001: second order
    assert gap.square().mean().item() == pytest.approx(expected, rel=4 * sqrt(2 / N) + 0.002)


def test_swissroll_has_the_distribution_of_scikit_learn() -> None:
    ours = draw("swissroll", 5000).numpy()
    theirs = make_swiss_roll(5000, noise=0.25, random_state=1)[0][:, [0, 2]] / 7.5
    for project in ((1, 0), (0, 1), (0.6, 0.8), (0.8, -0.6)):
        result: Any = ks_2samp(ours @ project, theirs @ project)
        assert result.pvalue > 1e-3


def test_swissroll_knows_no_modes() -> None:
    assert load("swissroll").mixture is None


def test_ring5_is_500_fixed_points_centred_with_largest_coordinate_one() -> None:
    train = load("ring5").train
    assert train is not None
    assert (train.shape, train.dtype) == ((500, 2), torch.float32)
    assert train.mean(dim=0).abs().max().item() < 1e-6
    assert train.abs().max().item() == 1.0


def test_ring5_is_the_same_whatever_the_global_seed() -> None:
    first = load("ring5").train
    torch.manual_seed(99)
    second = load("ring5").train
    assert first is not None and second is not None
    assert torch.equal(first, second)


def test_ring5_keeps_the_notebooks_shape_under_shift_and_scale() -> None:
    mixture = mixture_of(load("ring5"))
    centres = mixture.centres.double() - mixture.centres.double().mean(dim=0)
    radius = centres.norm(dim=1)
    assert (radius - radius.mean()).abs().max().item() < 1e-6
    assert mixture.sigma / radius.mean().item() == pytest.approx(sqrt(0.0125), rel=1e-5)
    assert (centres[0] / radius[0]).tolist() == pytest.approx([0, 1], abs=1e-6)  # (sin 0, cos 0)
    assert (centres[1] / radius[1]).tolist() == pytest.approx([sin(0.4 * pi), sin(0.1 * pi)], abs=1e-6)


def test_ring5_labels_name_the_mode_of_each_point() -> None:
    ring = load("ring5")
    assert ring.train is not None and ring.labels is not None
    assert torch.bincount(ring.labels).tolist() == [100] * 5
    residual = (ring.train - mixture_of(ring).centres[ring.labels]) / mixture_of(ring).sigma
    assert residual.norm(dim=1).max().item() < 6
    assert residual.square().mean().item() == pytest.approx(1, abs=4 * sqrt(2 / residual.numel()))


def test_ring5_mixture_is_shifted_and_scaled_with_the_points() -> None:
    ring = load("ring5")
    assert ring.train is not None and ring.labels is not None
    noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    residual = (ring.train - mixture_of(ring).centres[ring.labels]) / mixture_of(ring).sigma
    assert torch.allclose(residual.double(), noise, atol=1e-5)


def test_ring5_trains_on_its_points_and_holds_out_fresh_ones() -> None:
    ring = load("ring5")
    assert ring.train is not None
    known = {tuple(p) for p in ring.train.tolist()}
    rng = torch.Generator().manual_seed(5)
    assert {tuple(p) for p in ring.sample(300, rng).tolist()} <= known
    fresh = ring.held_out(N, rng)
    assert known.isdisjoint(tuple(p) for p in fresh.tolist())
    assert_held_out_matches(fresh.double(), mixture_of(ring))


def nearest_mode(points: Tensor) -> Tensor:
    """The mode of ring5 that each point [n, 2] lies nearest to."""
    return torch.cdist(points.double(), mixture_of(load("ring5")).centres.double()).argmin(dim=1)


def test_ring5_random_labels_is_every_point_with_every_class() -> None:
    ring, control = load("ring5"), load("ring5-random-labels")
    assert ring.train is not None and control.train is not None and control.labels is not None
    pairs = {(*point, label) for point in ring.train.tolist() for label in range(5)}
    made = zip(control.train.tolist(), control.labels.tolist(), strict=True)
    assert {(*point, label) for point, label in made} == pairs and len(control.train) == len(pairs)
    # 100 points a mode: a classifier by the nearest centre is right for one label of five, exactly.
    assert (nearest_mode(control.train) == control.labels).double().mean().item() == 0.2


@pytest.mark.parametrize("draw", [Dataset.labelled, Dataset.held_out_labelled])
def test_classes_of_ring5_are_its_modes(draw: Any) -> None:
    points, labels = draw(load("ring5"), N, torch.Generator().manual_seed(5))
    assert labels.unique().tolist() == [0, 1, 2, 3, 4]
    # Half the distance of neighbouring centres is 5.3 σ: one point in 10⁷ is nearer to another centre than its own.
    assert torch.equal(nearest_mode(points), labels)


def assert_held_out_matches(points: Tensor, mixture: Mixture) -> None:
    """First and second moments of the whole mixture (its modes lie only nine σ apart): four standard errors."""
    centres = mixture.centres.double()
    error = 4 * points.std(dim=0) / sqrt(len(points))
    assert ((points.mean(dim=0) - centres.mean(dim=0)).abs() < error).all()
    squared = points.square().sum(dim=1)
    expected = centres.square().sum(dim=1).mean().item() + 2 * mixture.sigma**2
    assert squared.mean().item() == pytest.approx(expected, abs=4 * squared.std().item() / sqrt(len(points)))


@pytest.mark.parametrize("name", ["8gaussians", "25gaussians", "ring5"])
def test_density_equals_scipy(name: str) -> None:
    mixture = mixture_of(load(name))
    points = mixture.sample(200, torch.Generator().manual_seed(1)) + 0.01
    gaussian: Any = multivariate_normal
    each = [gaussian(c.numpy(), mixture.sigma**2).pdf(points.numpy()) for c in mixture.centres.double()]
    assert mixture.density(points.double()).numpy() == pytest.approx(np.mean(each, axis=0), rel=1e-6)


def test_density_has_mass_one_in_any_dimension() -> None:
    line = Mixture(torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64), 0.3)
    x = torch.linspace(-6, 6, 4001, dtype=torch.float64).unsqueeze(1)
    assert torch.trapezoid(line.density(x), x.squeeze(1)).item() == pytest.approx(1, abs=1e-9)
