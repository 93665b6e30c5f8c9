"""Statistics over the seeds of a sweep: numbers in, numbers out.

Knows no records, tables or files. With fewer than MIN_SEEDS values there is no interval.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from ..records.summary import Better

Statistic = Callable[..., Any]

MIN_SEEDS = 3
LEVEL = 0.95
ENOUGH = 6  # the least number of values whose range holds their law's median with a probability of LEVEL
RESAMPLES = 2000
# Stand for infinite values while resampling: infinity minus infinity would poison the percentiles, and the squares of
# these numbers are still finite. Whatever is larger than _HUGE is infinite for the purpose of a table.
_LIGHT, _HEAVY, _HUGE = 1e147, 1e150, 1e100


@dataclass(frozen=True)
class Estimate:
    """A statistic of n values with its interval; low and high are None where n is too small for one."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """Objective A against B on one metric; a positive difference means that A is better."""

    difference: Estimate
    improvement: Estimate
    wins: int
    pairs: int
    sign_p: float


@dataclass(frozen=True)
class Scatter:
    """Standard deviations over seeds: as measured, the evaluation's share of it, and what is left without that.

    `variance` is what is left, squared, and can be negative by chance. It is None, and `note` says why, where there are
    too few seeds or no repeated evaluations.
    """

    seeds: float | None
    evaluation: float | None
    variance: float | None
    n: int
    note: str | None = None

    @property
    def without(self) -> float | None:
        """The root of `variance`, cut off at 0: too large on average where the seeds hardly differ."""
        return None if self.variance is None else max(0.0, self.variance) ** 0.5


def median(values: Sequence[float]) -> float:
    """The median; NaN of nothing, and halfway between -inf and inf. An infinite value ranks at its end."""
    return _statistic(values, np.median)


def interval(values: Sequence[float], statistic: Statistic = np.median) -> tuple[float, float] | None:
    """Interval of a statistic of the law that the values are drawn from; None with fewer than MIN_SEEDS of them.

    Of the median it is exact, whatever the law: from the k-th lowest to the k-th highest value, k = `median_rank`. It
    covers what `median_coverage` says, at least 95 % from ENOUGH values on. Of another statistic it is the 95 %
    percentile bootstrap, which covers less where values are few: of the interquartile mean some 75 % with 3,
    90 % with 5.
    """
    if len(values) < MIN_SEEDS:
        return None
    if statistic is not np.median:
        return bootstrap_interval(values, statistic)
    ordered, k = sorted(map(float, values)), median_rank(len(values))
    return ordered[k - 1], ordered[-k]


def median_rank(n: int) -> int:
    """The largest k at which the interval from the k-th lowest to the k-th highest of n values covers LEVEL, else 1."""
    return max(1, int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)))


def median_coverage(n: int, k: int | None = None) -> float:
    """Probability that the law's median lies between the k-th lowest and the k-th highest of n independent values.

    Outside it are fewer than k values on one side, 1 - 2·P(Binomial(n, ½) < k). More where the law has jumps. By
    default k is `median_rank`.
    """
    k = median_rank(n) if k is None else k
    return 1 - 2 * float(stats.binom.cdf(k - 1, n, 0.5))


def bootstrap_interval(values: Sequence[float], statistic: Statistic) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of a statistic of the values.

    The resampling has its own fixed seed, so equal values give equal intervals. A resample whose statistic is
    undefined, as halfway between -inf and inf, counts as -inf for the low end and as inf for the high one.
    """
    ends = [_percentiles(data, statistic) for data in _stand_ins(values)]
    return ends[0][0], ends[-1][1]


def _percentiles(data: np.ndarray, statistic: Statistic) -> tuple[float, float]:
    if np.ptp(data) == 0:
        return float(_infinite(data[0])), float(_infinite(data[0]))
    found = stats.bootstrap(
        (data,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(_infinite(found.low)), float(_infinite(found.high))


def estimate(values: Sequence[float], statistic: Statistic = np.median) -> Estimate:
    """A statistic of the values with its `interval`, or without one where there are too few of them."""
    low, high = interval(values, statistic) or (None, None)
    return Estimate(_statistic(values, statistic), low, high, len(values))


def iqm_estimate(values: Sequence[float]) -> Estimate:
    """Interquartile mean with its bootstrap interval: of what is left without the lowest and the highest quarter
    (Agarwal et al. 2021, section 4.3).
    """
    return estimate(values, _trimmed_mean)


def paired_differences(a: dict[int, float], b: dict[int, float], better: Better) -> dict[int, float]:
    """By how much A is better than B at each seed that both have. Two equal infinities (both diverged) differ by 0."""
    sign = 1.0 if better == "higher" else -1.0
    return {s: 0.0 if a[s] == b[s] else sign * (a[s] - b[s]) for s in sorted(a.keys() & b.keys())}


def probability_of_improvement(a: Sequence[float], b: Sequence[float], better: Better) -> Estimate:
    """P(a run of A is better than a run of B), ties counted half: the Mann-Whitney statistic (Agarwal et al. 2021).

    The interval is Newcombe's method 5 (Statistics in Medicine 25, 2006, p. 559). A bootstrap would give the
    interval [1, 1] to three seeds that happen to be separated; this one stays honest there.
    """
    if not len(a) or not len(b):
        return Estimate(float("nan"), None, None, 0)
    x, y = np.asarray(a, dtype=float)[:, None], np.asarray(b, dtype=float)[None, :]
    won = x > y if better == "higher" else x < y
    theta = float(np.mean(won + 0.5 * (x == y)))
    few = min(len(a), len(b))
    if few < MIN_SEEDS:
        return Estimate(theta, None, None, few)
    return Estimate(theta, *_newcombe(theta, len(a), len(b)), few)


def compare(a: dict[int, float], b: dict[int, float], better: Better) -> Comparison:
    """A against B, each a mapping from seed to value: paired differences, improvement, and the sign test over seeds."""
    differences = np.array(list(paired_differences(a, b, better).values()))
    wins, losses = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    sign_p = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    improvement = probability_of_improvement(list(a.values()), list(b.values()), better)
    return Comparison(estimate(differences.tolist()), improvement, wins, len(differences), sign_p)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's p-values (1979): the chance of one wrong rejection or more among all of these stays below the level."""
    order, worst, adjusted = np.argsort(p), 0.0, [1.0] * len(p)
    for place, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = worst
    return adjusted


def rate(count: int, n: int) -> Estimate:
    """A share such as the failure rate, with its 95 % Wilson interval (which needs no minimum of runs)."""
    if n == 0:
        return Estimate(float("nan"), None, None, 0)
    interval = stats.binomtest(count, n).proportion_ci(LEVEL, method="wilson")
    return Estimate(count / n, float(interval.low), float(interval.high), n)


def scatter(values: Sequence[float], evaluation_variances: Sequence[float]) -> Scatter:
    """Variance between the seeds' values less the variance that their evaluation adds (one-way random effects).

    Args:
        values: one a seed; those that are not finite are left out.
        evaluation_variances: of the error of each of the values; their mean counts.
    """
    finite = [v for v in values if np.isfinite(v)]
    known = [v for v in evaluation_variances if np.isfinite(v)]
    evaluation = float(np.mean(known)) if known else None
    noise = None if evaluation is None else evaluation**0.5
    if len(finite) < MIN_SEEDS:
        return Scatter(None, noise, None, len(finite), f"{len(finite)} of at least {MIN_SEEDS} seeds")
    between = float(np.var(finite, ddof=1))
    if evaluation is None:
        return Scatter(between**0.5, None, None, len(finite), "evaluations were not repeated")
    return Scatter(between**0.5, noise, between - evaluation, len(finite))


def survival(steps: Sequence[float], died: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Kaplan-Meier: share of runs still alive after each step, for runs that ended at `steps`.

    A run that did not die is censored where it ended. Returns (steps, shares); shares[i] holds from steps[i] on.
    """
    ends, dead = np.asarray(steps, dtype=float), np.asarray(died, dtype=bool)
    if not dead.any():
        return np.array([0.0, ends.max()]), np.array([1.0, 1.0])
    curve = stats.ecdf(stats.CensoredData(uncensored=ends[dead], right=ends[~dead])).sf
    return np.append(0.0, curve.quantiles), np.append(1.0, curve.probabilities)


def expected_best(values: Sequence[float], better: Better) -> np.ndarray:
    """Expected best of k of the N values, drawn without replacement, for k = 1 … N: exact, by order statistics.

    E = Σᵢ v₍ᵢ₎ C(N − i, k − 1) / C(N, k) with v₍₁₎ the best. Infinite as long as a draw may hold infinite values alone.
    """
    ordered = _best_first(values, better)
    n = len(ordered)
    weights = np.array([[math.comb(n - i, k - 1) / math.comb(n, k) for i in range(1, n + 1)] for k in range(1, n + 1)])
    return np.array([float(np.dot(row[row > 0], ordered[row > 0])) for row in weights])


def median_best(values: Sequence[float], better: Better) -> np.ndarray:
    """Median of the best of k of the N values, drawn without replacement, for k = 1 … N: the first in order of quality
    that a draw reaches with a probability of at least one half.
    """
    ordered = _best_first(values, better)
    n = len(ordered)
    missed = np.array([[math.comb(n - i, k) / math.comb(n, k) for i in range(1, n + 1)] for k in range(1, n + 1)])
    return ordered[np.argmax(missed <= 0.5, axis=1)]


def _best_first(values: Sequence[float], better: Better) -> np.ndarray:
    ordered = np.sort(np.asarray(values, dtype=float))
    return ordered if better == "lower" else ordered[::-1]


def regret(final: float, best: float, better: Better) -> float:
    """What stopping at the end rather than at the best evaluation costs: 0 or more."""
    if final == best:
        return 0.0
    return final - best if better == "lower" else best - final


def _trimmed_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return stats.trim_mean(values, proportiontocut=0.25, axis=axis)


def _statistic(values: Sequence[float], statistic: Statistic) -> float:
    """NaN of nothing, and where the statistic is a mean of infinities of both signs."""
    found = {_infinite(statistic(data)) for data in _stand_ins(values)} if len(values) else set()
    return found.pop() if len(found) == 1 else math.nan


def _stand_ins(values: Sequence[float]) -> list[np.ndarray]:
    """The values with finite numbers for infinite ones; where there are infinities of both signs, first with the
    negative and then with the positive ones heavier, so that what is undefined falls to either side.
    """
    data = np.asarray(values, dtype=float)
    weights = [(_HEAVY, _LIGHT), (_LIGHT, _HEAVY)] if data.min() < -_HUGE and data.max() > _HUGE else [(_HEAVY, _HEAVY)]
    return [np.where(data < -_HUGE, -low, np.where(data > _HUGE, high, data)) for low, high in weights]


def _infinite(value: Any) -> float:
    return float(np.sign(value) * np.inf) if abs(value) > _HUGE else float(value)


def _newcombe(theta: float, m: int, n: int) -> tuple[float, float]:
    """Solves |theta - t| = z·sqrt(V(t)) for t on both sides; V as Newcombe's method 5, with (m + n)/2 - 1 in it."""
    z = float(stats.norm.ppf(0.5 + LEVEL / 2))
    k = (m + n) / 2 - 1

    def gap(t: float) -> float:
        variance = t * (1 - t) * (1 + k * (1 - t) / (2 - t) + k * t / (1 + t)) / (m * n)
        return (theta - t) ** 2 - z**2 * variance

    # The gap vanishes at 0 and 1 themselves, whatever theta is: those are not the roots that are meant.
    low = 0.0 if theta == 0 else optimize.brentq(gap, 0.0, min(theta, 1 - 1e-12))
    high = 1.0 if theta == 1 else optimize.brentq(gap, max(theta, 1e-12), 1.0)
    return float(low), float(high)  # pyright: ignore[reportArgumentType]
