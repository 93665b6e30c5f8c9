"""Formulas on features against scipy, plain numpy, torch-fidelity and torchmetrics."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from lipbench.bench.metrics.features import (
    SMALL,
    Gaussian,
    coverage,
    factor,
    frechet_distance,
    gaussian,
    inception_score,
    kernel_distance,
    radii,
    subsets,
)


def skewed(n: int, dim: int, seed: int, shift: float = 0.0) -> Tensor:
    """Correlated features [n, dim], float32, of unequal scales and all positive, as pooled features are."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=rng) / dim**0.5 * torch.logspace(0, -2, dim)
    return (torch.randn(n, dim, generator=rng) @ mixing + shift).exp()


def fit(features: Tensor, part: int = 10_000) -> Any:
    chunks = [chunk.double() for chunk in features.split(part)]
    total, products = (torch.stack(parts).sum(0) for parts in ([c.sum(0) for c in chunks], [c.T @ c for c in chunks]))
    return gaussian(len(features), total, products)


def by_scipy(a: Tensor, b: Tensor) -> float:
    x, y = a.double().numpy(), b.double().numpy()
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(s @ t))
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t - 2 * root))


@pytest.mark.parametrize("dim", [5, SMALL, SMALL + 1, 200])
def test_frechet_distance_is_scipys(dim: int):
    real, fake = skewed(900, dim, 1), skewed(700, dim, 2, shift=0.1)
    assert frechet_distance(fit(real), fit(fake)) == pytest.approx(by_scipy(real, fake), rel=1e-6)


def test_frechet_distance_of_known_gaussians():
    """Commuting covariances: |μ₁ - μ₂|² + Σ (σ₁ - σ₂)²."""
    rng = torch.Generator().manual_seed(3)
    axes = torch.linalg.qr(torch.randn(300, 300, generator=rng, dtype=torch.float64)).Q
    a, b = torch.linspace(0.1, 2, 300).double(), torch.linspace(3, 0.5, 300).double()
    real, fake = (fit(skewed(400, 300, 4)) for _ in range(2))
    object.__setattr__(real, "covariance", axes * a.square() @ axes.T)
    object.__setattr__(fake, "covariance", axes * b.square() @ axes.T)
    object.__setattr__(fake, "mean", real.mean + 0.5)
    expected = 300 * 0.25 + (a - b).square().sum().item()
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(fake, real) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n_real", "n_fake"), [(150, 90), (600, 90), (90, 600)])
def test_frechet_distance_of_fewer_samples_than_features(n_real: int, n_fake: int):
    """Singular covariances: the Gram form, the general one and torch-fidelity's agree."""
    real, fake = skewed(n_real, 180, 5), skewed(n_fake, 180, 6, shift=0.2)
    known, found = fit(real), fit(fake)
    root = factor(known.covariance)
    assert root.shape[1] == min(180, n_real - 1)
    torch.testing.assert_close(root @ root.T, known.covariance, rtol=1e-9, atol=1e-12)
    general, gram = frechet_distance(known, found, root), frechet_distance(known, found, root, fake)
    statistics = [fid_features_to_statistics(features.double()) for features in (real, fake)]
    expected = fid_statistics_to_metric(statistics[0], statistics[1], False)["frechet_inception_distance"]
    assert gram == pytest.approx(general, rel=1e-7)
    assert general == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dim", [4, 20, SMALL, SMALL + 1])
@pytest.mark.parametrize("overlap", [0, 0.5])
def test_frechet_distance_of_singular_covariances_is_the_closed_form(dim: int, overlap: float):
    """Commuting ones with spreads a and b along shared axes, of which half are 0: |μ₁ - μ₂|² + Σ (a - b)²."""
    rng = torch.Generator().manual_seed(dim)
    axes = torch.linalg.qr(torch.randn(dim, dim, generator=rng, dtype=torch.float64)).Q
    a, b = torch.linspace(0.5, 2, dim).double(), torch.linspace(3, 0.7, dim).double()
    half = dim // 2
    a[half:], b[: half - int(overlap * half)] = 0, 0
    covariances = [axes * spread.square() @ axes.T for spread in (a, b)]
    real, fake = (Gaussian(1000, torch.full((dim,), m), s) for m, s in zip((0.0, 0.25), covariances, strict=True))
    expected = dim / 16 + (a - b).square().sum().item()
    tolerance = 1e-9 if dim <= SMALL else 1e-6  # the faster form takes the roots of eigenvalues that are 0
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=tolerance * expected)
    assert frechet_distance(fake, real) == pytest.approx(expected, abs=tolerance * expected)


@pytest.mark.parametrize("dim", [16, 64, 300])
def test_frechet_distance_of_equal_sets_is_zero_and_never_below(dim: int):
    for seed in range(20):
        features = torch.randn(30, dim, generator=torch.Generator().manual_seed(seed))
        again = features[torch.randperm(30, generator=torch.Generator().manual_seed(seed))]
        assert 0 <= frechet_distance(fit(features), fit(again), samples=again) < 1e-6


def test_moments_of_parts_are_those_of_the_whole():
    features = skewed(700, 30, 7)
    whole, parts = fit(features), fit(features, 111)
    assert (parts.n, parts.mean.dtype) == (700, torch.float64)
    np.testing.assert_allclose(parts.mean, features.double().mean(0), rtol=1e-12)
    np.testing.assert_allclose(parts.covariance, np.cov(features.double().numpy(), rowvar=False), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(whole.covariance, parts.covariance, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("n", "splits"), [(700, 1), (700, 7), (100, 60), (190, 100), (605, 4)])
def test_inception_score_is_torch_fidelitys(n: int, splits: int):
    """Where the parts cannot be equal, too."""
    logits = skewed(n, 40, 8).log() * 4
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    expected = isc_features_to_metric(logits[order], splits=splits, shuffle=False)["inception_score_mean"]
    assert inception_score(logits, splits) == pytest.approx(expected, rel=1e-9)
    assert expected > 1.2


@pytest.mark.parametrize("scale", [1.0, 2000.0])
def test_inception_score_is_finite_where_probabilities_underflow(scale: float):
    """The classes that no sample has get e^-2000, 0 in floating point, times a logarithm that is not finite."""
    one, two = torch.zeros(60, dtype=torch.long), torch.arange(60) % 2
    assert inception_score(torch.eye(10)[one] * scale, 1) == pytest.approx(1.0, abs=1e-12)
    if scale > 100:
        assert inception_score(torch.eye(10)[two] * scale, 1) == pytest.approx(2.0, abs=1e-12)


def test_inception_score_and_subsets_leave_the_global_streams_alone():
    torch.manual_seed(0)
    before, numpys = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    logits = skewed(100, 10, 21)
    assert inception_score(logits, 10) == inception_score(logits, 10)
    list(subsets(50, 50, 3, 20))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpys)


def double_sum(real: np.ndarray, fake: np.ndarray) -> float:
    """The unbiased estimator as it is printed: over pairs of different samples."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    m, n = len(real), len(fake)
    within_real = sum(kernel(real[i], real[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_fake = sum(kernel(fake[i], fake[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within_real + within_fake - 2 * sum(kernel(a, b) for a in real for b in fake) / (m * n)


def test_kernel_distance_is_the_printed_double_sum():
    real, fake = skewed(40, 6, 9), skewed(40, 6, 10, shift=0.3)
    (pair,) = subsets(40, 40, 100, 1000)
    expected = double_sum(real.double().numpy(), fake.double().numpy())
    assert kernel_distance(real, fake, [pair]) == pytest.approx(expected, rel=1e-9)
    some = [(torch.arange(5, 25), torch.arange(20)), (torch.arange(10), torch.arange(30, 40))]
    expected = np.mean([double_sum(real[b].double().numpy(), fake[a].double().numpy()) for a, b in some])
    assert kernel_distance(real, fake, some) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_torch_fidelitys_and_torchmetrics_on_the_same_subsets():
    real, fake = skewed(500, 64, 11), skewed(300, 64, 12, shift=0.05)
    pairs = list(subsets(500, 300, 20, 100))
    found = kernel_distance(real, fake, pairs)
    settings = {"kid_subsets": 20, "kid_subset_size": 100, "rng_seed": 2020, "verbose": False}
    expected = kid_features_to_metric(fake.double(), real.double(), **settings)["kernel_inception_distance_mean"]
    assert found == pytest.approx(expected, abs=1e-9)
    theirs = np.mean([poly_mmd(real[b].double(), fake[a].double()).item() for a, b in pairs])
    assert found == pytest.approx(float(theirs), abs=1e-9)
    assert found > 1e-3


def test_subsets_are_without_replacement_and_one_where_there_is_but_one():
    pairs = list(subsets(50, 30, 4, 20))
    assert len(pairs) == 4
    assert all(len(fake.unique()) == len(real.unique()) == 20 for fake, real in pairs)
    assert max(fake.max() for fake, _ in pairs) < 30 <= max(real.max() for _, real in pairs)
    assert [len(fake) for fake, _ in subsets(30, 30, 4, 1000)] == [30]
    assert [len(real) for _, real in subsets(31, 30, 4, 1000)] == [30] * 4


@pytest.mark.parametrize(("n_real", "n_fake", "of_all"), [(40, 40, True), (40, 25, False)])
def test_kernel_distance_below_the_subset_size_takes_all_of_the_smaller_side(n_real: int, n_fake: int, of_all: bool):
    real, fake = skewed(n_real, 6, 22), skewed(n_fake, 6, 23, shift=0.3)
    pairs = list(subsets(n_real, n_fake, 7, 1000))
    assert len(pairs) == (1 if of_all else 7)
    assert all(fakes.sort().values.tolist() == list(range(n_fake)) for fakes, _ in pairs)
    expected = np.mean([double_sum(real[b].double().numpy(), fake[a].double().numpy()) for a, b in pairs])
    assert kernel_distance(real, fake, pairs) == pytest.approx(expected, rel=1e-9)


def brute_force(points: np.ndarray, centres: np.ndarray) -> float:
    """Share of the points within the ball around any centre that reaches its third nearest neighbour."""
    reach = [sorted(np.linalg.norm(c - centres, axis=1))[3] for c in centres]
    return float(
        np.mean([any(np.linalg.norm(p - c) <= r for c, r in zip(centres, reach, strict=True)) for p in points])
    )


def test_precision_and_recall_are_brute_forces_and_torch_fidelitys():
    real, fake = skewed(150, 8, 13), skewed(110, 8, 14, shift=0.15)
    precision, recall = coverage(fake, real, radii(real)), coverage(real, fake, radii(fake))
    assert precision == pytest.approx(brute_force(fake.double().numpy(), real.double().numpy()), abs=1e-12)
    assert recall == pytest.approx(brute_force(real.double().numpy(), fake.double().numpy()), abs=1e-12)
    settings = {"prc_neighborhood": 3, "prc_batch_size": 64, "save_cpu_ram": True, "verbose": False}
    expected = prc_features_to_metric(fake, real, **settings)
    assert (precision, recall) == pytest.approx(
        (expected["precision"], expected["recall"]), abs=1e-6
    )  # theirs is float32
    assert 0.1 < precision < 0.9 and 0.1 < recall < 0.9 and abs(precision - recall) > 0.05


def test_precision_and_recall_of_more_samples_than_are_compared_at_a_time():
    real, fake = skewed(1060, 4, 15).double(), skewed(1030, 4, 16, shift=0.1).double()
    nearest = torch.cdist(real, real, compute_mode="donot_use_mm_for_euclid_dist").kthvalue(4, dim=1).values
    torch.testing.assert_close(radii(real), nearest.square(), rtol=1e-9, atol=1e-12)
    within = (torch.cdist(fake, real, compute_mode="donot_use_mm_for_euclid_dist") <= nearest).any(dim=1)
    assert coverage(fake, real, nearest.square()) == within.double().mean().item()
    assert 0.1 < within.double().mean() < 0.9


def test_precision_and_recall_of_a_far_offset_do_not_cancel():
    """Distances of 1e-3 between features of size 1e4."""
    near = skewed(60, 5, 17).double() * 1e-3
    found = radii(near + 1e4)
    torch.testing.assert_close(found, radii(near), rtol=1e-4, atol=0)


def test_precision_of_one_repeated_real_is_1_and_its_recall_small():
    real = skewed(200, 6, 18)
    fake = real[7:8].repeat(50, 1)
    assert coverage(fake, real, radii(real)) == 1
    assert coverage(real, fake, radii(fake)) <= 1 / 200


class Passed(nn.Module):
    """Stands in for a network of torchmetrics, which then takes features for images."""

    num_features = 40

    def forward(self, features: Tensor) -> Tensor:
        return features


def test_frechet_distance_of_few_features_is_torchmetrics():
    real, fake = skewed(500, 40, 19).double(), skewed(300, 40, 20, shift=0.3).double()
    theirs = FrechetInceptionDistance(Passed())
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert frechet_distance(fit(real), fit(fake)) == pytest.approx(theirs.compute().item(), rel=1e-10)
