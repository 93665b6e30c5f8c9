"""Optimal transport and divergences of small discrete measures, exactly: linear programmes and enumeration.

No sampling and no training here; measures are weights [n] on points [n, d].
"""

from itertools import permutations, product

import numpy as np
import ot
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.special import rel_entr

Array = NDArray[np.float64]


def distances(x: Array, y: Array, power: float = 1.0) -> Array:
    """‖x_i − y_j‖₂^power, [n, m]; without the cancellation of the expanded square."""
    return np.linalg.norm(x[:, None, :] - y[None, :, :], axis=-1) ** power


def uniform(n: int) -> Array:
    """Weights 1/n, [n]."""
    return np.full(n, 1.0 / n)


def plan(a: Array, b: Array, cost: Array) -> Array:
    """An optimal coupling [n, m] of weights a [n] and b [m] (POT's network simplex)."""
    return np.asarray(ot.emd(a, b, cost, numItermax=1_000_000))


def transport_cost(a: Array, b: Array, cost: Array) -> float:
    """Kantorovich's optimum: the least Σ c_ij π_ij over couplings π of a [n] and b [m]."""
    return float((plan(a, b, cost) * cost).sum())


def wasserstein(x: Array, y: Array, a: Array | None = None, b: Array | None = None, p: float = 1.0) -> float:
    """W_p between the measures a on x [n, d] and b on y [m, d]; uniform weights by default. Not raised to the p."""
    a = uniform(len(x)) if a is None else a
    b = uniform(len(y)) if b is None else b
    return transport_cost(a, b, distances(x, y, p)) ** (1.0 / p)


def maps(n: int, m: int) -> NDArray[np.int64]:
    """All m^n maps from n points to m points, [m^n, n]; for a handful of points only."""
    return np.array(list(product(range(m), repeat=n)))


def monge_cost(a: Array, b: Array, cost: Array, tolerance: float = 1e-12) -> float:
    """The least Σ a_i c_{i,T(i)} over maps T that push a [n] forward to b [m]; inf where no map does."""
    found = [
        float((a * cost[np.arange(len(a)), image]).sum())
        for image in maps(len(a), len(b))
        if push_forward_error(a, b, image) <= tolerance
    ]
    return min(found, default=float("inf"))


def push_forward_error(a: Array, b: Array, image: NDArray[np.int64]) -> float:
    """Total variation between T#a and b, where T sends point i to point image[i]."""
    return total_variation(np.bincount(image, weights=a, minlength=len(b)).astype(np.float64), b)


def assignment_costs(cost: Array) -> Array:
    """Mean cost of each of the n! permutations of an n × n cost, in lexicographic order."""
    n = len(cost)
    return cost[np.arange(n), np.array(list(permutations(range(n))))].mean(axis=1)


def best_potential(weights: Array, gaps: Array) -> tuple[float, Array]:
    """max Σ w_i f_i over f [n] with f_i − f_j ≤ gaps_ij for all i, j: Kantorovich–Rubinstein with one potential.

    Args:
        weights: [n], the difference of two probability vectors on the same points.
        gaps: [n, n], distances, or another non-negative symmetric bound.
    """
    n = len(weights)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    rows = np.arange(len(i))
    signs = np.concatenate([np.ones(len(i)), -np.ones(len(i))])
    matrix = csr_array((signs, (np.concatenate([rows, rows]), np.concatenate([i, j]))), shape=(len(i), n))
    # A constant added to f changes nothing, so f_0 = 0 makes the optimum a point.
    bounds = [(0.0, 0.0)] + [(None, None)] * (n - 1)
    solution = linprog(-weights, A_ub=matrix, b_ub=gaps[i, j], bounds=bounds, method="highs")
    return float(-solution.fun), np.asarray(solution.x)


def total_variation(p: Array, q: Array) -> float:
    """½‖p − q‖₁ of probability vectors [n]."""
    return float(0.5 * np.abs(p - q).sum())


def kullback_leibler(p: Array, q: Array) -> float:
    """Σ p log(p/q) in nats; inf where p puts mass where q has none."""
    return float(rel_entr(p, q).sum())


def jensen_shannon(p: Array, q: Array) -> float:
    """½KL(p‖m) + ½KL(q‖m), m = (p + q)/2, in nats: between 0 and log 2."""
    middle = 0.5 * (p + q)
    return 0.5 * kullback_leibler(p, middle) + 0.5 * kullback_leibler(q, middle)


def on_union(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Uniform measures on x [n, d] and y [m, d] as weights on the union of their points: (points, p, q)."""
    points, place = np.unique(np.concatenate([x, y]), axis=0, return_inverse=True)
    place = place.ravel()
    p = np.bincount(place[: len(x)], minlength=len(points)) / len(x)
    q = np.bincount(place[len(x) :], minlength=len(points)) / len(y)
    return points, p, q


def worst_cycle(cost: Array, length: int) -> float:
    """How much cheaper a cyclic exchange of `length` matched pairs can be: max of Σ c_ii − Σ c_{i,i+1}.

    Args:
        cost: [k, k], c_ij = cost from the source of pair i to the target of pair j; the matching is the diagonal.
        length: 2 or 3.
    """
    own = np.diag(cost)
    if length == 2:
        return float((own[:, None] + own[None, :] - cost - cost.T).max())
    stay = own[:, None, None] + own[None, :, None] + own[None, None, :]
    # c(i→j) + c(j→k) + c(k→i), indexed [i, j, k]
    exchange = cost[:, :, None] + cost[None, :, :] + cost.T[:, None, :]
    return float((stay - exchange).max())


def parallel_lines(theta: float, n: int) -> tuple[Array, Array]:
    """n equally spaced points on the segments {0} × [0, 1] and {θ} × [0, 1] (Arjovsky et al. 2017, example 1)."""
    heights = np.linspace(0.0, 1.0, n)
    return np.stack([np.zeros(n), heights], axis=1), np.stack([np.full(n, theta), heights], axis=1)
