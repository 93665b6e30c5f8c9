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


def test_interval_of_another_statistic_is_scipys_bootstrap_and_repeats() -> None:
    found = s.interval(SKEWED, np.mean)
    reference = stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=s.RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found == (reference.low, reference.high)
    assert found == s.interval(SKEWED, np.mean)


def test_bootstrap_interval_agrees_with_all_resamples_counted_out() -> None:
    values = [0.1, 0.2, 0.4, 0.9, 1.7]
    medians = np.sort([np.median(r) for r in itertools.product(values, repeat=5)])
    exact = medians[int(0.025 * len(medians))], medians[int(0.975 * len(medians))]
    assert s.bootstrap_interval(values, np.median) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "k", "covered"),
    # The range up to 8; what is told elsewhere of 8 and 9 without the outermost: 93.0 and 96.1 %.
    [(3, 1, 75), (4, 1, 87.5), (5, 1, 93.75), (6, 1, 96.875), (7, 1, 98.4), (8, 1, 99.2), (9, 2, 96.1), (20, 6, 95.9)],
)
def test_interval_of_a_median_is_the_narrowest_pair_that_covers_95_percent(n: int, k: int, covered: float) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)
    assert s.interval(values.tolist()) == (k - 1, n - k)
    assert 100 * s.median_coverage(n) == pytest.approx(covered, abs=0.05)
    # The median lies outside if too many of n values fall on one side of it: as heads alone, or tails.
    inside = sum(math.comb(n, heads) for heads in range(k, n - k + 1)) / 2**n
    assert s.median_coverage(n) == pytest.approx(inside, abs=1e-12)
    assert s.median_coverage(n, k + 1) < 0.95 and (inside >= 0.95) == (n >= s.ENOUGH)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 6, 7, 8, 9, 10, 13, 20, 40])
@pytest.mark.parametrize("law", ["normal", "lognormal", "two modes"])
def test_interval_of_a_median_covers_what_is_told(n: int, law: str) -> None:
    rng, trials = np.random.default_rng(n), 20_000
    normal = rng.normal(size=(trials, n))
    draws = {"normal": normal, "lognormal": np.exp(normal), "two modes": normal + 6 * rng.integers(0, 2, (trials, n))}
    true = {"normal": 0.0, "lognormal": 1.0, "two modes": 3.0}[law]
    ordered, k = np.sort(draws[law], axis=1), s.median_rank(n)
    assert s.interval(draws[law][0].tolist()) == (ordered[0, k - 1], ordered[0, -k])
    share = np.mean((ordered[:, k - 1] <= true) & (true <= ordered[:, -k]))
    assert share == pytest.approx(s.median_coverage(n), abs=4 * (0.25 / trials) ** 0.5)


def test_interval_keeps_infinite_ends() -> None:
    for statistic in (np.median, np.max):
        assert s.interval([1.0, 2.0, math.inf], statistic) == (1.0, math.inf)
        assert s.interval([math.inf] * 3, statistic) == (math.inf, math.inf)
    assert s.interval([-math.inf, 3.0, 4.0]) == (-math.inf, 4.0)
    assert s.interval([1.0, 2.0, *[3.0] * 8, math.inf]) == (2.0, 3.0)


def test_holm_is_worked_out_by_hand() -> None:
    # Steps down: 4 × .01, 3 × .02, 2 × .03 = 2 × .03, 1 × .04, each no less than the one before.
    assert s.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06], abs=1e-12)
    assert s.holm([0.5, 0.9]) == [1.0, 1.0] and s.holm([0.2]) == [0.2] and s.holm([]) == []


def test_holm_rejects_wrongly_as_seldom_as_promised() -> None:
    """Two-sided sign tests of ten seeds, of five comparisons that share one side: none is real."""
    rng, wrong, plain = np.random.default_rng(0), 0, 0
    p_of = [float(stats.binomtest(wins, 10).pvalue) for wins in range(11)]
    for _ in range(2000):
        best, others = rng.normal(size=10), rng.normal(size=(5, 10))
        p = [p_of[int(wins)] for wins in (others > best).sum(axis=1)]
        wrong += min(s.holm(p)) < 0.05
        plain += min(p) < 0.05
    assert wrong / 2000 < 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5 and plain > 2 * wrong


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
    assert s.bootstrap_interval([math.inf] * 5 + [-math.inf], np.median) == (-math.inf, math.inf)
    assert s.bootstrap_interval([-math.inf] * 5 + [math.inf], np.median) == (-math.inf, math.inf)


def test_compare_of_objectives_that_diverged_at_alternate_seeds_is_undefined() -> None:
    a, b = dict(enumerate([math.inf, 1.0, math.inf, 1.0])), dict(enumerate([1.0, math.inf, 1.0, math.inf]))
    found = s.compare(a, b, "lower")
    assert math.isnan(found.difference.value) and (found.wins, found.pairs, found.sign_p) == (2, 4, 1.0)


def test_too_few_seeds_have_no_interval() -> None:
    assert s.interval([1.0, 2.0]) is None
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
