"""Statistics over seeds, against scipy, against formulas written out by hand, and by counting."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from lipbench.bench.report import statistics as s

SKEWED = [0.3, 0.1, 2.5, 0.4, 0.2, 0.9, 7.0]


def test_median_and_iqm_of_skewed_values() -> None:
    assert s.median(SKEWED) == 0.4
    # 7 values: a quarter is one value, rounded down, off each end
    assert s.iqm_estimate(SKEWED).value == pytest.approx((0.2 + 0.3 + 0.4 + 0.9 + 2.5) / 5, rel=1e-12)
    assert s.iqm_estimate(SKEWED).value == pytest.approx(stats.trim_mean(SKEWED, 0.25), rel=1e-12)
    assert math.isnan(s.median([]))


def test_median_ranks_infinite_values_at_their_end() -> None:
    assert s.median([1.0, 2.0, math.inf]) == 2.0
    assert s.median([1.0, math.inf, math.inf]) == math.inf
    assert s.median([-math.inf, -math.inf, 3.0]) == -math.inf
    assert s.iqm_estimate([1.0, 2.0, math.inf]).value == math.inf


def test_bootstrap_interval_equals_scipy_and_repeats() -> None:
    found = s.bootstrap_interval(SKEWED)
    reference = stats.bootstrap(
        (SKEWED,), np.median, n_resamples=s.RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found == (reference.low, reference.high)
    assert found == s.bootstrap_interval(SKEWED)


@pytest.mark.parametrize("n", range(s.MIN_SEEDS, s.WHOLE_RANGE + 3))
def test_bootstrap_interval_of_few_seeds_is_their_range(n: int) -> None:
    # of 3 the median of a resample is the least value with probability 7/27 > 2.5 %, so both ends are reached
    values = [0.5, 0.1, 0.2, 0.9, 4.0, 2.0, 0.3][:n]
    assert (s.bootstrap_interval(values) == (min(values), max(values))) is (n <= s.WHOLE_RANGE)


def test_bootstrap_interval_agrees_with_all_resamples_counted_out() -> None:
    values = [0.1, 0.2, 0.4, 0.9, 1.7]
    medians = np.sort([np.median(r) for r in itertools.product(values, repeat=5)])
    exact = medians[int(0.025 * len(medians))], medians[int(0.975 * len(medians))]
    assert s.bootstrap_interval(values) == pytest.approx(exact, abs=1e-12)


def test_bootstrap_interval_keeps_infinite_ends() -> None:
    assert s.bootstrap_interval([1.0, 2.0, math.inf]) == (1.0, math.inf)
    assert s.bootstrap_interval([math.inf] * 3) == (math.inf, math.inf)
    assert s.bootstrap_interval([-math.inf, 3.0, 4.0]) == (-math.inf, 4.0)


def test_median_halfway_between_both_infinities_is_undefined() -> None:
    assert math.isnan(s.median([math.inf, -math.inf, math.inf, -math.inf]))
    assert s.median([math.inf, -math.inf, -math.inf]) == -math.inf
    assert s.median([-math.inf, 1.0, 2.0, math.inf]) == 1.5
    assert s.median([-math.inf, -math.inf, 2.0, math.inf]) == -math.inf
    found = s.estimate([math.inf, -math.inf, math.inf, -math.inf])
    assert math.isnan(found.value) and (found.low, found.high) == (-math.inf, math.inf)


def test_bootstrap_interval_is_never_narrowed_by_an_undefined_resample() -> None:
    # of six draws at least three are the negative one, which makes the median -inf or undefined, with a probability of
    # 6.2 % > 2.5 %; at least four with 0.9 %
    assert s.bootstrap_interval([math.inf] * 5 + [-math.inf]) == (-math.inf, math.inf)
    assert s.bootstrap_interval([-math.inf] * 5 + [math.inf]) == (-math.inf, math.inf)


def test_compare_of_objectives_that_diverged_at_alternate_seeds_is_undefined() -> None:
    a, b = dict(enumerate([math.inf, 1.0, math.inf, 1.0])), dict(enumerate([1.0, math.inf, 1.0, math.inf]))
    found = s.compare(a, b, "lower")
    assert math.isnan(found.difference.value) and (found.wins, found.pairs, found.sign_p) == (2, 4, 1.0)


def test_too_few_seeds_have_no_interval() -> None:
    assert s.bootstrap_interval([1.0, 2.0]) is None
    found = s.estimate([1.0, 2.0])
    assert (found.value, found.low, found.high, found.n) == (1.5, None, None, 2)
    few = s.probability_of_improvement([1.0, 2.0], [3.0, 4.0, 5.0], "lower")
    assert (few.value, few.low, few.high, few.n) == (1.0, None, None, 2)


def test_estimate_of_iqm_brackets_it() -> None:
    found = s.iqm_estimate(SKEWED)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high


def test_paired_differences_are_positive_where_a_is_better() -> None:
    a, b = {0: 1.0, 1: 5.0, 3: math.inf}, {0: 3.0, 1: 4.5, 2: 9.0, 3: math.inf}
    assert s.paired_differences(a, b, "lower") == {0: 2.0, 1: -0.5, 3: 0.0}
    assert s.paired_differences(a, b, "higher") == {0: -2.0, 1: 0.5, 3: 0.0}


def test_probability_of_improvement_is_the_mann_whitney_statistic() -> None:
    x, y = [3.0, 1.0, 2.0, 5.0], [2.0, 4.0, 6.0]
    u = stats.mannwhitneyu(x, y).statistic
    assert s.probability_of_improvement(x, y, "higher").value == pytest.approx(u / 12, abs=1e-12)
    assert s.probability_of_improvement(x, y, "lower").value == pytest.approx(1 - u / 12, abs=1e-12)
    by_hand = np.mean([(a > b) + 0.5 * (a == b) for a in x for b in y])
    assert s.probability_of_improvement(x, y, "higher").value == pytest.approx(by_hand, abs=1e-12)


def _hanley_mcneil(t: float, m: int, n: int) -> float:
    """Hanley and McNeil's variance of the statistic, with Newcombe's (m + n)/2 for m and n in the numerator."""
    mean = (m + n) / 2
    return (t * (1 - t) + (mean - 1) * (t / (2 - t) - t * t) + (mean - 1) * (2 * t * t / (1 + t) - t * t)) / (m * n)


@pytest.mark.parametrize(("x", "y"), [([3.0, 1.0, 2.0, 5.0], [2.0, 4.0, 6.0, 0.5, 9.0]), (SKEWED, [0.05, 0.25, 3.0])])
def test_probability_of_improvement_interval_solves_newcombes_equation(x: list[float], y: list[float]) -> None:
    found = s.probability_of_improvement(x, y, "lower")
    z = stats.norm.ppf(0.975)
    for end in (found.low, found.high):
        assert end is not None
        assert abs(found.value - end) == pytest.approx(z * _hanley_mcneil(end, len(x), len(y)) ** 0.5, rel=1e-6)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high


def test_probability_of_improvement_interval_stays_wide_when_few_seeds_are_separated() -> None:
    three = s.probability_of_improvement([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], "lower")
    ten = s.probability_of_improvement(range(10), range(20, 30), "lower")
    assert three.value == ten.value == 1.0 and three.high == 1.0
    assert three.low is not None and 0.4 < three.low < 0.6
    assert ten.low is not None and 0.75 < ten.low < 0.95
    mirrored = s.probability_of_improvement([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], "higher")
    assert mirrored.low == 0.0 and mirrored.high == pytest.approx(1 - three.low, abs=1e-9)


def test_compare_counts_wins_over_shared_seeds_and_tests_them() -> None:
    a = dict(enumerate([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0]))
    b = dict(enumerate([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1.0]))
    found = s.compare(a, b, "lower")
    assert (found.wins, found.pairs) == (6, 7)
    assert found.difference.value == 3.0
    # two-sided sign test: 2·(C(7,0) + C(7,1))/2^7
    assert found.sign_p == pytest.approx(2 * 8 / 128, rel=1e-12)
    assert s.compare({0: 1.0}, {1: 2.0}, "lower").pairs == 0


def test_rate_is_wilsons_interval() -> None:
    k, n, z = 2, 7, stats.norm.ppf(0.975)
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = s.rate(k, n)
    assert found.value == pytest.approx(p, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half), rel=1e-9)
    never = s.rate(0, 3)
    assert never.low == pytest.approx(0, abs=1e-12) and never.high == pytest.approx(z**2 / (3 + z**2), rel=1e-9)
    assert s.rate(0, 0).low is None


def test_survival_is_kaplan_meier() -> None:
    # deaths at 10 (5 at risk) and 30 (3 at risk); one run ends alive at 20
    steps, shares = s.survival([10, 20, 30, 50, 50], [True, False, True, False, False])
    at = dict(zip(steps, shares, strict=True))
    assert at[0.0] == 1.0
    assert at[10.0] == pytest.approx(4 / 5, rel=1e-12)
    assert at[20.0] == pytest.approx(4 / 5, rel=1e-12)
    assert at[30.0] == pytest.approx(4 / 5 * 2 / 3, rel=1e-12)


def test_survival_without_deaths_stays_at_one() -> None:
    steps, shares = s.survival([30, 50], [False, False])
    assert list(steps) == [0.0, 50.0] and list(shares) == [1.0, 1.0]


def test_regret_is_what_stopping_at_the_best_would_have_saved() -> None:
    assert s.regret(3.0, 1.0, "lower") == 2.0
    assert s.regret(3.0, 8.0, "higher") == 5.0
    assert s.regret(math.inf, math.inf, "lower") == 0.0
