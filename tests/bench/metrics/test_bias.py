"""The bias of sample distances, on Gaussians whose distance is known in closed form, and by hand."""

import numpy as np
import pytest
import torch
from scipy import linalg

from lipbench.bench.metrics.bias import by_size, extrapolated
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
    assert list(found) == [3, 4, 6, 12]
    # the parts of one size add up to the whole: 2·(0 + … + 11) = 132
    assert found == {3: 132 / 4, 4: 132 / 3, 6: 132 / 2, 12: 132.0}
    for size in (3, 4, 6, 12):
        parts = [pair for pair in seen if len(pair[0]) == size]
        assert sorted(x for a, _ in parts for x in a) == list(range(12))
        assert all([3 * x for x in a] == b for a, b in parts)


def test_by_size_takes_equal_parts_where_the_number_does_not_divide() -> None:
    sizes = []
    by_size(torch.zeros(10, 1), torch.zeros(11, 1), lambda a, b: sizes.append((len(a), len(b))) or 0.0)
    assert sizes == [(2, 2)] * 4 + [(3, 3)] * 3 + [(5, 5)] * 2 + [(10, 10)]


def test_extrapolated_is_the_intercept_of_the_least_squares_line() -> None:
    exact = extrapolated({size: 5 + 300 / size for size in (250, 333, 500, 1000)})
    assert exact["limit"] == pytest.approx(5, rel=1e-9) and exact["error"] == pytest.approx(0, abs=1e-6)
    sizes, heights = np.array([250, 333, 500, 1000]), np.array([7.0, 6.3, 5.2, 4.4])
    design = np.c_[np.ones(4), 1 / sizes]
    solution, residual, *_ = np.linalg.lstsq(design, heights, rcond=None)
    error = np.sqrt(residual[0] / 2 * np.linalg.inv(design.T @ design)[0, 0])
    found = extrapolated(dict(zip(sizes.tolist(), heights.tolist(), strict=True)))
    assert found["limit"] == pytest.approx(solution[0], rel=1e-9)
    assert found["error"] == pytest.approx(error, rel=1e-9)
    assert found["sizes"] == [250, 333, 500, 1000] and found["values"] == heights.tolist()


def test_extrapolated_has_no_limit_where_a_value_is_not_finite() -> None:
    found = extrapolated({250: float("nan"), 1000: 4.0})
    assert found["limit"] is None and found["error"] is None
