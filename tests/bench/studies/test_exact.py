import numpy as np
import ot
import pytest
from scipy import stats
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist, jensenshannon

from lipbench.bench.studies.theory import exact


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_distances_equal_scipys(rng: np.random.Generator, power: float) -> None:
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    np.testing.assert_allclose(exact.distances(x, y, power), cdist(x, y) ** power, rtol=1e-12)


def test_wasserstein_on_the_line_equals_scipys(rng: np.random.Generator) -> None:
    x, y, a, b = rng.normal(size=9), rng.exponential(size=6), rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(6))
    expected = stats.wasserstein_distance(x, y, a, b)
    assert exact.wasserstein(x[:, None], y[:, None], a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_wasserstein_of_a_shift_is_the_shift(rng: np.random.Generator, p: float) -> None:
    x = rng.normal(size=(20, 2))
    assert exact.wasserstein(x, x + np.array([3.0, -4.0]), p=p) == pytest.approx(5.0, rel=1e-12)


def test_transport_cost_equals_the_hungarian_method_and_a_linear_programme(rng: np.random.Generator) -> None:
    cost = rng.uniform(size=(8, 8))
    rows, columns = linear_sum_assignment(cost)
    found = exact.transport_cost(exact.uniform(8), exact.uniform(8), cost)
    assert found == pytest.approx(cost[rows, columns].mean(), rel=1e-12)
    a, b, wide = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3)), rng.uniform(size=(4, 3))
    marginals = np.concatenate([np.kron(np.eye(4), np.ones(3)), np.kron(np.ones(4), np.eye(3))])
    reference = linprog(wide.ravel(), A_eq=marginals, b_eq=np.concatenate([a, b])).fun
    assert exact.transport_cost(a, b, wide) == pytest.approx(reference, rel=1e-9)


def test_plan_has_the_right_marginals(rng: np.random.Generator) -> None:
    a, b = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(6))
    coupling = exact.plan(a, b, rng.uniform(size=(4, 6)))
    np.testing.assert_allclose(coupling.sum(axis=1), a, atol=1e-12)
    np.testing.assert_allclose(coupling.sum(axis=0), b, atol=1e-12)


def test_monge_cost_is_the_best_map_or_infinite() -> None:
    cost = np.array([[1.0, 5.0], [2.0, 3.0], [4.0, 1.0]])
    # Two of three equal atoms go to the first target: the third goes to the second, or …
    assert exact.monge_cost(exact.uniform(3), np.array([2 / 3, 1 / 3]), cost) == pytest.approx((1 + 2 + 1) / 3)
    assert exact.monge_cost(exact.uniform(3), np.array([0.5, 0.5]), cost) == float("inf")


def test_push_forward_error_is_the_misplaced_mass() -> None:
    a, b = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4])
    assert exact.push_forward_error(a, b, np.array([0, 1, 0])) == pytest.approx(0.1)
    assert len(exact.maps(3, 2)) == 8


def test_assignment_costs_hold_every_permutation_once(rng: np.random.Generator) -> None:
    cost = rng.uniform(size=(5, 5))
    found = exact.assignment_costs(cost)
    rows, columns = linear_sum_assignment(cost)
    assert len(found) == 120
    assert found.min() == pytest.approx(cost[rows, columns].mean())
    assert found.mean() == pytest.approx(cost.mean())


def test_best_potential_reaches_pots_w1_and_is_lipschitz(rng: np.random.Generator) -> None:
    points = rng.normal(size=(12, 2))
    p, q = rng.dirichlet(np.ones(12), 2)
    gaps = exact.distances(points, points)
    value, potential = exact.best_potential(p - q, gaps)
    assert value == pytest.approx(np.asarray(ot.emd2(p, q, cdist(points, points))).item(), rel=1e-9)
    assert (p - q) @ potential == pytest.approx(value, rel=1e-9)
    assert (np.abs(potential[:, None] - potential[None, :]) <= gaps + 1e-9).all()


def test_divergences_equal_scipys(rng: np.random.Generator) -> None:
    p, q = rng.dirichlet(np.ones(6), 2)
    assert exact.kullback_leibler(p, q) == pytest.approx(stats.entropy(p, q), rel=1e-12)
    assert exact.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q) ** 2, rel=1e-10)
    assert exact.total_variation(p, q) == pytest.approx(np.maximum(p - q, 0).sum(), rel=1e-12)


def test_divergences_of_disjoint_measures() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert exact.kullback_leibler(p, q) == float("inf")
    assert exact.jensen_shannon(p, q) == pytest.approx(np.log(2.0))
    assert exact.total_variation(p, q) == 1.0


def test_on_union_merges_shared_points() -> None:
    x, y = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [2.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
    points, p, q = exact.on_union(x, y)
    np.testing.assert_array_equal(points, [[0, 0], [1, 0], [2, 0], [3, 1]])
    np.testing.assert_allclose(p, [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(q, [0, 0.25, 0.5, 0.25])


@pytest.mark.parametrize("length", [2, 3])
def test_worst_cycle_equals_enumeration(rng: np.random.Generator, length: int) -> None:
    cost = rng.uniform(size=(5, 5))
    cycles = np.array(np.meshgrid(*[range(5)] * length)).reshape(length, -1).T
    gains = [sum(cost[i, i] for i in c) - sum(cost[c[k], c[(k + 1) % length]] for k in range(length)) for c in cycles]
    assert exact.worst_cycle(cost, length) == pytest.approx(max(gains), abs=1e-12)


def test_parallel_lines_are_the_distance_apart() -> None:
    x, y = exact.parallel_lines(-0.3, 5)
    np.testing.assert_allclose(y - x, np.tile([-0.3, 0.0], (5, 1)))
    assert x[:, 1].min() == 0.0 and x[:, 1].max() == 1.0
