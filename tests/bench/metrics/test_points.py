"""Metrics on points against scipy, closed forms and samples built by hand."""

import json
import warnings
from math import log, sqrt

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import entropy, wasserstein_distance
from torch import Tensor

from lipbench.bench.data import Dataset, Mixture, load
from lipbench.bench.metrics.points import PointMetrics, any_coverage, mode_coverage, w1_floor, wasserstein1
from lipbench.objectives import BadInput

THREE = Mixture(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 20.0]]), 0.5)


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def assignment_cost(x: Tensor, y: Tensor) -> float:
    cost = cdist(x.double().numpy(), y.double().numpy())
    return float(cost[linear_sum_assignment(cost)].mean())


@pytest.mark.parametrize("d", [1, 2, 5])
def test_wasserstein1_equals_the_best_assignment(d: int) -> None:
    x, y = normal(120, d, 0), normal(120, d, 1) * 0.3 + 2
    assert wasserstein1(x, y) == pytest.approx(assignment_cost(x, y), abs=1e-9)


def test_wasserstein1_on_a_toy_equals_the_best_assignment() -> None:
    rng = torch.Generator().manual_seed(2)
    data = load("8gaussians")
    x, y = data.sample(400, rng), data.sample(400, rng)
    assert wasserstein1(x, y) == pytest.approx(assignment_cost(x, y), abs=1e-9)


def test_wasserstein1_on_a_line_in_the_plane_equals_scipy_on_unequal_samples() -> None:
    a, b = normal(70, 1, 3), normal(41, 1, 4).exp()
    direction = torch.tensor([[0.6, -0.8]])
    x, y = a.double() * direction + 5, b.double() * direction + 5
    assert wasserstein1(x, y) == pytest.approx(wasserstein_distance(a.flatten(), b.flatten()), abs=1e-7)


def test_wasserstein1_on_a_line_is_the_mean_gap_of_sorted_points() -> None:
    a, b = normal(90, 1, 5).double(), 3 * normal(90, 1, 6).double()
    expected = (a.sort(dim=0).values - b.sort(dim=0).values).abs().mean().item()
    zero = torch.zeros(90, 1)
    assert wasserstein1(torch.cat([zero, a], 1), torch.cat([zero, b], 1)) == pytest.approx(expected, abs=1e-9)


def test_wasserstein1_of_a_shift_is_its_length_and_of_itself_zero() -> None:
    x = normal(50, 2, 7).double()
    assert wasserstein1(x, x + torch.tensor([3.0, -4.0])) == pytest.approx(5, abs=1e-9)
    assert wasserstein1(x, x) == 0


def test_wasserstein1_moves_mass_between_unequal_samples() -> None:
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 1.0], [3.0, 4.0], [0.0, -2.0], [0.0, 0.0]])
    assert wasserstein1(x, y) == pytest.approx((1 + 5 + 2 + 0) / 4, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5001, 3), (3, 5001), (0, 3)])
def test_wasserstein1_refuses_sizes_out_of_reach(n: int, m: int) -> None:
    with pytest.raises(BadInput, match=f"exact W1 of {n} against {m} points: 1 to 5000 a side"):
        wasserstein1(torch.zeros(n, 2), torch.zeros(m, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_wasserstein1_of_points_that_are_not_finite_is_nan(value: float) -> None:
    x = normal(10, 2, 0)
    x[3, 1] = value
    assert np.isnan(wasserstein1(x, normal(10, 2, 1)))
    assert np.isnan(wasserstein1(normal(10, 2, 1), x))


def test_wasserstein1_never_returns_a_cost_short_of_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = ot.emd2
    monkeypatch.setattr(ot, "emd2", lambda *given, **how: solve(*given, **how | {"numItermax": 5}))
    with warnings.catch_warnings(), pytest.raises(RuntimeError, match="did not reach its optimum"):
        warnings.simplefilter("ignore")
        wasserstein1(normal(100, 2, 0), normal(100, 2, 1))


def at_modes(counts: list[int], n: int) -> Tensor:
    """n samples: counts[k] of them 1σ from centre k of THREE, the rest far from all."""
    near = [centre.expand(c, 2) + torch.tensor([0.3, 0.4]) for centre, c in zip(THREE.centres, counts, strict=True)]
    return torch.cat([*near, torch.full((n - sum(counts), 2), 1000.0)])


@pytest.mark.parametrize(
    ("n", "enough"), [(10_000, 20), (20_000, 40), (1500, 3), (1250, 3), (1251, 3), (1000, 2), (500, 1), (100, 1)]
)
def test_mode_coverage_counts_a_mode_from_its_threshold(n: int, enough: int) -> None:
    assert mode_coverage(at_modes([enough, enough - 1, n // 2], n), THREE)["modes"] == 2
    assert mode_coverage(at_modes([enough, enough, n // 2], n), THREE)["modes"] == 3
    assert mode_coverage(at_modes([enough - 1, enough - 1, enough - 1], n), THREE)["modes"] == 0


def test_mode_coverage_share_and_kl_equal_scipy() -> None:
    result = mode_coverage(at_modes([700, 30, 5], 735), THREE)
    assert result["high_quality"] == 1
    assert result["mode_kl"] == pytest.approx(entropy([700, 30, 5], [1, 1, 1]), abs=1e-12)
    assert result["modes"] == 3


def test_mode_coverage_kl_counts_every_sample_in_its_nearest_mode() -> None:
    near = torch.tensor([[4.0, 1.0]] * 60 + [[6.0, 1.0]] * 30 + [[1.0, 12.0]] * 10)  # none within 3σ
    result = mode_coverage(near, THREE)
    assert result["high_quality"] == 0 and result["modes"] == 0
    assert result["mode_kl"] == pytest.approx(entropy([60, 30, 10], [1, 1, 1]), abs=1e-12)


def test_mode_coverage_kl_of_an_empty_mode_is_finite() -> None:
    assert mode_coverage(at_modes([600, 200, 0], 800), THREE)["mode_kl"] == pytest.approx(
        0.75 * log(0.75 * 3) + 0.25 * log(0.25 * 3), abs=1e-12
    )


def test_mode_coverage_kl_runs_from_zero_to_log_k() -> None:
    assert mode_coverage(at_modes([50, 50, 50], 150), THREE)["mode_kl"] == pytest.approx(0, abs=1e-12)
    assert mode_coverage(at_modes([0, 90, 0], 90), THREE)["mode_kl"] == pytest.approx(log(3), abs=1e-12)


def test_mode_coverage_without_finite_samples_is_the_worst_and_finite() -> None:
    worst = mode_coverage(torch.full((200, 2), torch.nan), THREE)
    assert worst == {"modes": 0, "high_quality": 0, "mode_kl": pytest.approx(log(3), abs=1e-12)}


def test_mode_coverage_radius_is_three_sigma_in_the_plane() -> None:
    inside = torch.tensor([[10 + 1.4999, 0], [1.4999 * 0.6, 1.4999 * 0.8]])
    outside = torch.tensor([[10 + 1.5001, 0], [1.5001 * 0.6, 1.5001 * 0.8], [1.2, 1.2]])
    assert mode_coverage(inside, THREE)["high_quality"] == 1
    assert mode_coverage(outside, THREE)["high_quality"] == 0


@pytest.mark.parametrize(("factor", "share"), [(1 - 1e-5, 1), (1 + 1e-5, 0)])
def test_mode_coverage_radius_is_exact_to_five_digits(factor: float, share: float) -> None:
    grid = load("25gaussians").mixture
    assert grid is not None
    angle = torch.linspace(0, 6.2, 50, dtype=torch.float64)
    circle = 3 * grid.sigma * factor * torch.stack([angle.cos(), angle.sin()], dim=1)
    samples = (grid.centres.double()[:, None, :] + circle).flatten(0, 1)
    assert mode_coverage(samples, grid)["high_quality"] == share


def test_mode_coverage_takes_samples_that_are_not_finite_as_of_low_quality() -> None:
    samples = at_modes([40, 40, 20], 100)
    samples[:10], samples[40] = float("nan"), float("inf")
    result = mode_coverage(samples, THREE)
    assert result["high_quality"] == pytest.approx(0.89, abs=1e-12)
    assert result["mode_kl"] == pytest.approx(entropy([30, 39, 20], [1, 1, 1]), abs=1e-12)


def test_any_coverage_counts_a_mode_from_one_high_quality_sample() -> None:
    one = at_modes([2498, 1, 0], 2500)
    assert any_coverage(one, THREE)["modes_any"] == 2
    assert mode_coverage(one, THREE)["modes"] == 1  # lipbench's own rule wants five of 2,500
    far = torch.tensor([[4.0, 1.0]] * 60 + [[1.0, 12.0]] * 40)  # nearest to two modes, none within 3σ
    assert any_coverage(far, THREE)["modes_any"] == 0


def test_any_coverage_kl_is_of_high_quality_samples_alone() -> None:
    sharp = at_modes([600, 200, 100], 1000)  # the other 100 are nearest to the second mode, and far from it
    assert any_coverage(sharp, THREE)["mode_kl_high_quality"] == pytest.approx(entropy([6, 2, 1], [1, 1, 1]), abs=1e-12)
    assert mode_coverage(sharp, THREE)["mode_kl"] != pytest.approx(entropy([6, 2, 1], [1, 1, 1]), abs=1e-3)


@pytest.mark.parametrize("samples", [torch.full((9, 2), torch.nan), torch.full((9, 2), 50.0)])
def test_any_coverage_without_high_quality_samples_is_the_worst_and_finite(samples: Tensor) -> None:
    worst = {"modes_any": 0, "mode_kl_high_quality": pytest.approx(log(3), abs=1e-12)}
    assert any_coverage(samples, THREE) == worst


KNOWN = [("8gaussians", 8), ("25gaussians", 25), ("ring5", 5)]


@pytest.mark.parametrize(("name", "k"), KNOWN)
def test_mode_coverage_of_real_samples_is_that_of_the_mixture(name: str, k: int) -> None:
    data, n = load(name), 10_000
    assert data.mixture is not None
    result = mode_coverage(data.held_out(n, torch.Generator().manual_seed(13)), data.mixture)
    within = 1 - np.exp(-4.5)  # of a Gaussian in the plane, within 3σ
    assert result["modes"] == k
    assert result["high_quality"] == pytest.approx(within, abs=4 * sqrt(within * (1 - within) / n))
    # 2n·KL is χ² with K − 1 degrees of freedom (Wilks).
    degrees = k - 1
    assert 2 * n * result["mode_kl"] == pytest.approx(degrees, abs=4 * sqrt(2 * degrees))


def metrics(dataset: Dataset, seed: int = 0, **sizes: int) -> PointMetrics:
    return PointMetrics(dataset, torch.Generator().manual_seed(seed), **sizes)


def test_point_metrics_measure_the_first_n_against_fresh_reals() -> None:
    data = load("8gaussians")
    fake = normal(500, 2, 14)
    measure = metrics(data, seed=3, n=80, n_modes=300)
    rng = torch.Generator().manual_seed(3)
    first, second = measure(fake), measure(fake)
    assert data.mixture is not None
    assert first["w1"] == pytest.approx(assignment_cost(fake[:80], data.held_out(80, rng)), abs=1e-9)
    assert second["w1"] == pytest.approx(assignment_cost(fake[:80], data.held_out(80, rng)), abs=1e-9)
    assert first["w1"] != second["w1"]
    covered = mode_coverage(fake[:300], data.mixture) | any_coverage(fake[:300], data.mixture)
    assert {k: v for k, v in first.items() if k != "w1"} == covered


def test_point_metrics_count_modes_of_any_sample_on_the_first_2500() -> None:
    data, rng = load("8gaussians"), torch.Generator().manual_seed(0)
    assert data.mixture is not None
    fake = data.mixture.centres[:1].repeat(3000, 1)
    fake[2499], fake[2500] = data.mixture.centres[1], data.mixture.centres[2]
    measure = PointMetrics(data, rng, n=50, n_modes=3000)
    assert measure(fake)["modes_any"] == 2
    assert measure.protocol["modes_any"] == {"n_fake": 2500, "radius_sigmas": 3.0, "covered_from_samples": 1}


def test_point_metrics_repeat_with_their_generator_and_ignore_the_global_one() -> None:
    data, fake = load("25gaussians"), normal(200, 2, 15)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = metrics(data, n=50, n_modes=200)(fake)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert metrics(data, n=50, n_modes=200)(fake) == first
    assert metrics(data, seed=1, n=50, n_modes=200)(fake)["w1"] != first["w1"]


def test_point_metrics_of_the_swiss_roll_are_w1_alone() -> None:
    measure = metrics(load("swissroll"), n=60)
    assert measure.n_fake == 60
    assert measure(normal(60, 2, 16)).keys() == {"w1"} == measure.protocol.keys()


def test_w1_floor_is_the_median_of_real_against_real() -> None:
    data, rng = load("ring5"), torch.Generator().manual_seed(9)
    costs = []
    for _ in range(5):
        both = data.held_out(120, rng)
        costs.append(assignment_cost(both[:60], both[60:]))
    assert w1_floor(data, 60, draws=5, seed=9) == pytest.approx(sorted(costs)[2], abs=1e-9)


def test_point_metrics_floor_is_the_same_for_every_run_and_moves_no_stream() -> None:
    data, fake = load("8gaussians"), normal(100, 2, 17)
    with_floor, without = metrics(data, seed=5, n=40, n_modes=100), metrics(data, seed=5, n=40, n_modes=100)
    assert with_floor.floor == metrics(data, seed=6, n=40, n_modes=100).floor == w1_floor(data, 40)
    assert with_floor(fake) == without(fake)


def test_w1_floor_is_what_a_perfect_generator_gets_and_falls_with_n() -> None:
    data, rng = load("8gaussians"), torch.Generator().manual_seed(18)
    measure = metrics(data, n=200, n_modes=200)
    perfect = [measure(data.sample(200, rng))["w1"] for _ in range(21)]
    assert 0.6 < np.median(perfect) / measure.floor < 1.6
    assert measure.floor < 0.7 * w1_floor(data, 50)


def test_point_metrics_protocol_tells_sizes_and_rules_as_json() -> None:
    protocol = metrics(load("8gaussians"), n=80, n_modes=300).protocol
    assert json.loads(json.dumps(protocol)) == protocol
    assert protocol["w1"] == {"distance": "exact, Euclidean", "n_real": 80, "n_fake": 80, "split": "stream"}
    assert protocol["modes"] == {"n_fake": 300, "radius_sigmas": 3.0, "covered_from_per_mille": 2}
    assert protocol.keys() == {"w1", "modes", "high_quality", "mode_kl", "modes_any", "mode_kl_high_quality"}
    assert protocol["modes_any"]["n_fake"] == protocol["mode_kl_high_quality"]["n_fake"] == 300  # no more are drawn
    assert metrics(load("8gaussians"), n=81, n_modes=300).protocol["w1"] != protocol["w1"]


def test_point_metrics_refuse_what_they_cannot_measure() -> None:
    with pytest.raises(BadInput, match="digits holds images"):
        metrics(load("digits"))
    with pytest.raises(BadInput, match="n = 5001 points: 1 to 5000 are allowed"):
        metrics(load("8gaussians"), n=5001)
    with pytest.raises(BadInput, match="n_modes = 0 points"):
        metrics(load("8gaussians"), n_modes=0)
    with pytest.raises(ValueError, match="299 generated points, 300 are needed"):
        metrics(load("8gaussians"), n=80, n_modes=300)(normal(299, 2, 0))
