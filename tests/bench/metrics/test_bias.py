"""The bias of sample distances, on Gaussians whose distance is known in closed form, and by hand."""

import numpy as np
import pytest
import torch
from scipy import linalg

from lipbench.bench.metrics.bias import by_size, extrapolated, means
from lipbench.bench.metrics.images import frechet_distance


def test_frechet_distance_of_gaussian_features_is_extrapolated_to_the_known_one() -> None:
    rng, dim, n = np.random.default_rng(3), 20, 800
    root, mean = np.eye(dim) + 0.07 * rng.normal(size=(dim, dim)), 0.2 * rng.normal(size=dim)
    covariance = root @ root.T
    exact = mean @ mean + np.trace(np.eye(dim) + covariance - 2 * np.real(linalg.sqrtm(covariance)))
    limits, at_n = [], []
    for _ in range(20):
        real, fake = rng.normal(size=(n, dim)), rng.normal(size=(n, dim)) @ root.T + mean
        found = extrapolated(by_size(torch.tensor(real), torch.tensor(fake), frechet_distance))
        limits.append(found["limit"])
        at_n.append(found["values"][-1])
    standard_error = np.std(limits, ddof=1) / 20**0.5
    assert np.mean(at_n) - exact > 6 * standard_error  # the bias is there to be seen
    assert abs(np.mean(limits) - exact) < 3 * standard_error


def test_by_size_averages_over_disjoint_parts_of_both_sides() -> None:
    real, fake = torch.arange(12.0)[:, None], 3 * torch.arange(12.0)[:, None]
    seen: list[tuple[list[float], list[float]]] = []

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        seen.append((a[:, 0].tolist(), b[:, 0].tolist()))
        return float(b.sum() - a.sum())

    found = by_size(real, fake, distance)
    # the parts of one size add up to the whole: 2·(0 + … + 11) = 132
    assert {size: (len(parts), sum(parts)) for size, parts in found.items()} == {
        3: (4, 132),
        4: (3, 132),
        6: (2, 132),
        12: (1, 132),
    }
    assert found[3] == [6, 24, 42, 60]
    assert means(found) == {"sizes": [3, 4, 6, 12], "values": [132 / 4, 132 / 3, 132 / 2, 132]}
    for size in (3, 4, 6, 12):
        parts = [pair for pair in seen if len(pair[0]) == size]
        assert sorted(x for a, _ in parts for x in a) == list(range(12))
        assert all([3 * x for x in a] == b for a, b in parts)


def test_by_size_takes_equal_parts_where_the_number_does_not_divide() -> None:
    sizes = []
    by_size(torch.zeros(10, 1), torch.zeros(11, 1), lambda a, b: sizes.append((len(a), len(b))) or 0.0)
    assert sizes == [(2, 2)] * 4 + [(3, 3)] * 3 + [(5, 5)] * 2 + [(10, 10)]


def test_extrapolated_is_the_intercept_of_the_least_squares_line() -> None:
    sizes, heights = np.array([250, 333, 500, 1000]), np.array([7.0, 6.3, 5.2, 4.4])
    design = np.c_[np.ones(4), 1 / sizes]
    solution, *_ = np.linalg.lstsq(design, heights, rcond=None)
    parts = {250: [6.0, 8.0, 7.5, 6.5], 333: [6.3, 6.3, 6.3], 500: [5.0, 5.4], 1000: [4.4]}
    found = extrapolated(parts)
    assert found["limit"] == pytest.approx(solution[0], rel=1e-9)
    assert found["sizes"] == [250, 333, 500, 1000] and found["values"] == heights.tolist()
    # squares over 3, 2 and 1 degrees of freedom, of means of 4, 3 and 2: (2.5 / 4 + 0 / 3 + .08 / 2) / 6
    assert found["error"] == pytest.approx((0.665 / 6) ** 0.5, rel=1e-12)


def scattered_limits(dim: int, n: int, shift: float, trials: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Limits and errors of so many pairs of samples of two Gaussians, and the true distance."""
    rng = np.random.default_rng(11)
    root, mean = np.eye(dim) + 0.3 * shift * rng.normal(size=(dim, dim)), shift * rng.normal(size=dim)
    covariance = root @ root.T
    exact = mean @ mean + np.trace(np.eye(dim) + covariance - 2 * np.real(linalg.sqrtm(covariance)))
    limits, errors = [], []
    for _ in range(trials):
        real, fake = rng.normal(size=(n, dim)), rng.normal(size=(n, dim)) @ root.T + mean
        found = extrapolated(by_size(torch.tensor(real), torch.tensor(fake), frechet_distance))
        limits.append(found["limit"])
        errors.append(found["error"])
    return np.array(limits), np.array(errors), float(exact)


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "n", "shift"), [(8, 400, 0.2), (20, 800, 0.2), (2, 2000, 0.05), (20, 800, 0.0)])
def test_extrapolated_error_is_that_of_other_samples(dim: int, n: int, shift: float) -> None:
    limits, errors, exact = scattered_limits(dim, n, shift, 120)
    scale = np.sqrt(np.mean(errors**2)) / limits.std(ddof=1)
    assert 0.75 < scale < (1.35 if shift else 1.9)  # the least squares line's own error is .2 to .4, .7 at 0
    assert np.mean(np.abs(limits - exact) < 2.8 * errors) > 0.85  # Student's t with 4 degrees of freedom: 95 %


def test_extrapolated_error_is_about_that_of_other_samples() -> None:
    limits, errors, _ = scattered_limits(5, 200, 0.2, 30)
    assert 0.6 < np.sqrt(np.mean(errors**2)) / limits.std(ddof=1) < 1.6


def test_extrapolated_has_no_limit_where_a_value_is_not_finite() -> None:
    found = extrapolated({250: [4.0, float("nan")], 1000: [4.0]})
    assert found["limit"] is None and found["error"] is None
