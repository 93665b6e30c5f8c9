import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate, stats

from lipbench.bench.studies import STUDIES, Setting, Size
from lipbench.bench.studies.engine import store
from lipbench.bench.studies.engine.judge import judge, select
from lipbench.bench.studies.theory import (
    discriminator,
    t01_push_forward,
    t03_product_measures,
    t04_monotone_plans,
    t05_lipschitz_maps,
    t08_convexity,
    t10_other_costs,
    t12_jensen_shannon_value,
    t13_no_logarithm,
    t15_mode_dropping,
    t16_perfect_discriminator,
    t17_transversality,
    t18_gradient_bound,
    t19_displacement,
    t20_penalty_sign,
    t21_continuity,
)
from lipbench.bench.studies.training.sheet import Sheet, sheet
from lipbench.objectives.slopes import line, slopes

LONGER = {"T4", "T11", "T12", "T15", "T16", "T17", "T19", "T20"}
# The verdict of each part of a claim, in the order of `Study.parts`.
VERDICTS = {
    "T1": ["reproduced"],
    "T2": ["reproduced", "false as stated"],
    "T3": ["false as stated"],
    "T4": ["reproduced"],
    "T5": ["false as stated"],
    "T6": ["false as stated", "reproduced"],
    "T7": ["reproduced", "false as stated", "reproduced"],
    "T8": ["reproduced", "false as stated"],
    "T9": ["reproduced"],
    "T10": ["reproduced"],
    "T11": ["reproduced"],
    "T12": ["reproduced"],
    "T13": ["false as stated"],
    "T14": ["reproduced"],
    "T15": ["reproduced", "not reproduced", "not reproduced"],
    "T16": ["reproduced"],
    "T17": ["reproduced"],
    "T18": ["reproduced", "false as stated", "reproduced"],
    "T19": ["false as stated"],
    "T20": ["false as stated"],
    "T21": ["reproduced"],
}


def measurements(name: str) -> pd.DataFrame:
    study = STUDIES[name]
    size = study.sizes["quick"]
    assert isinstance(size, Size)
    setting = Setting("quick", tuple(range(size.seeds)), size.options, Path(), Path())
    return store.frame(study.run(setting))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONGER else []) for name in VERDICTS]
)
def test_theory_verdicts_come_from_the_measurements(name: str, tmp_path: Path) -> None:
    study, rows = STUDIES[name], measurements(name)
    assert [part.outcome for part in judge(study, rows).parts] == VERDICTS[name]
    study.plot(rows).savefig(tmp_path / "plot.png")
    for criterion in study.criteria:
        wrong = rows.copy()
        size = max(1.0, abs(criterion.threshold))
        beyond = criterion.threshold + (size if criterion.op.startswith("<") else -size)
        read = select(rows, criterion).index
        assert len(read)
        wrong[criterion.measurement] = wrong[criterion.measurement].astype(float)
        wrong.loc[read, criterion.measurement] = beyond
        findings = [f for part in judge(study, wrong).parts for f in part.findings if f.criterion == criterion]
        assert findings[0].holds is False


def test_push_forward_integrals_have_their_closed_forms() -> None:
    h = t01_push_forward.TEST_FUNCTIONS
    assert t01_push_forward.integral(h["y"]) == pytest.approx(1.0, rel=1e-9)
    assert t01_push_forward.integral(h["exp(−y)"]) == pytest.approx(1 / math.sqrt(3), rel=1e-9)
    mass = stats.chi2(1).cdf(2.0) - stats.chi2(1).cdf(0.5)
    assert t01_push_forward.integral(h["mass of [½, 2]"]) == pytest.approx(mass, rel=1e-9)
    # the characteristic function of χ²(1) is (1 − 2it)^(−1/2)
    assert t01_push_forward.integral(h["sin 3y"]) == pytest.approx((1 / np.sqrt(1 - 6j)).imag, rel=1e-8)


def test_pooled_error_shows_a_bias_that_every_seed_shares() -> None:
    names, standards = t01_push_forward.TEST_FUNCTIONS, (0.1, 0.1, 0.1, 0.2, 0.1)
    rows = [
        {
            "function": name,
            "seed": seed,
            "error": 1.6 * standard * (-1.0) ** (seed * (name != "y")),
            "standard": standard,
        }
        for seed, standard in enumerate(standards)
        for name in names
    ]
    found = {row["function"]: row["pooled_z"] for row in t01_push_forward.pooled(rows)}
    assert found.pop("y") == pytest.approx(1.6 * 0.6 / math.sqrt(0.08))
    assert max(found.values()) < 1e-12


def test_push_forward_control_sees_a_map_that_is_one_percent_off() -> None:
    # the standard error of a mean of χ²(1), variance 2, over n draws
    expected = 0.01 / math.sqrt(2.0 / t01_push_forward.SAMPLES)
    rows = store.frame(t01_push_forward.run(Setting("quick", (0, 1), {}, Path(), Path())))
    assert rows["wrong_z"].dropna().tolist() == pytest.approx([expected] * 2, abs=3.0)
    assert rows["z"].dropna().max() < 4.0 < rows["wrong_z"].min()


def test_product_coupling_costs_variances_and_the_gap_of_means() -> None:
    rng = np.random.default_rng(3)
    x, y, a, b = rng.normal(size=5), rng.normal(size=4), rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    found = t03_product_measures.compare(a, b, (x[:, None] - y[None, :]) ** 2)
    expected = a @ x**2 - (a @ x) ** 2 + b @ y**2 - (b @ y) ** 2 + (a @ x - b @ y) ** 2
    assert found["product"] == pytest.approx(expected, rel=1e-12)
    assert found["optimal"] == pytest.approx(w2_squared_on_the_line(x, y, a, b), rel=1e-9)


def test_control_of_the_product_coupling_sees_an_excess_of_either_sign() -> None:
    a, b, cost = np.ones(1), np.array([0.25, 0.75]), np.array([[1.0, 2.0]])
    assert t03_product_measures.compare(a, b, cost)["abs_excess"] == pytest.approx(0.0, abs=1e-15)
    half = np.full(2, 0.5)
    found = t03_product_measures.compare(half, half, -np.eye(2))  # a gain of 1 at best, and of 1/2
    assert (found["excess"], found["abs_excess"]) == pytest.approx((-0.5, 0.5))


def w2_squared_on_the_line(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """∫ (F⁻¹ − G⁻¹)² over the common refinement of the two quantile functions."""
    i, j = np.argsort(x), np.argsort(y)
    fx, fy = np.cumsum(a[i]), np.cumsum(b[j])
    levels = np.unique(np.concatenate([[0.0], fx, fy]))
    middles, widths = 0.5 * (levels[1:] + levels[:-1]), np.diff(levels)
    qx = x[i][np.minimum(np.searchsorted(fx, middles), len(x) - 1)]
    qy = y[j][np.minimum(np.searchsorted(fy, middles), len(y) - 1)]
    return float(np.sum(widths * (qx - qy) ** 2))


def test_matching_on_the_line_is_the_optimum_in_sorted_order_and_dear_in_another() -> None:
    found = t04_monotone_plans.on_the_line(np.random.default_rng(5))
    assert found["sorted_error"] < 1e-12
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=t04_monotone_plans.LINE), rng.exponential(size=t04_monotone_plans.LINE)
    # E(X − Y)² of independent pairs less that of sorted ones: twice the gap of E XY
    assert found["unsorted_excess"] == pytest.approx(2.0 * (np.sort(x) @ np.sort(y) - x @ y) / len(x), rel=1e-9)
    assert found["unsorted_excess"] > 1.0


def test_map_over_the_gap_pushes_the_normal_to_the_two_intervals() -> None:
    x = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    image = t05_lipschitz_maps.to_gap(x)
    target = np.concatenate([-2 + (np.arange(500) + 0.5) / 500, 1 + (np.arange(500) + 0.5) / 500])
    np.testing.assert_allclose(image, target, atol=1e-9)


def test_convexity_counterexample_has_its_closed_form() -> None:
    rows = store.frame(t08_convexity.run(Setting("quick", (0,), {}, Path(), Path())))
    curve = rows[rows["kind"] == "counterexample"]
    np.testing.assert_allclose(curve["w2"], np.sqrt(curve["t"]), atol=1e-12)
    np.testing.assert_allclose(curve["w1"], curve["t"], atol=1e-12)


@pytest.mark.parametrize("excess", [[-0.5, -0.1], [-0.5, 0.013], [0.2, 0.3], [0.0, 0.0]])
def test_bins_of_the_excess_show_a_violation(excess: list[float]) -> None:
    edges = t08_convexity.bin_edges(np.array(excess))
    assert np.isclose(edges, 0.0, atol=1e-12).any() and edges[-1] > 0
    assert np.histogram(excess, edges)[0].sum() == len(excess)


@pytest.mark.parametrize("seeds", [2, 3])
def test_picture_of_the_fits_says_from_how_many_starts(seeds: int) -> None:
    rows = [
        {"seed": seed, "divergence": name, "mean": 0.0, "sd": 1.0, "value": 0.1}
        for seed in range(seeds)
        for name in ("KL", "reverse KL", "JS")
    ]
    figure = STUDIES["T15"].plot(pd.DataFrame(rows))
    assert figure.get_suptitle().endswith(f"from {seeds} starts")


def test_cross_entropy_is_entropy_plus_kl() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), 3)
    found = t10_other_costs.cross_entropy(p)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(stats.entropy(p[i]) + stats.entropy(p[i], p[j]), rel=1e-12)


def test_density_and_quantiles_equal_scipys() -> None:
    density = discriminator.Density((-1.0, 2.0), (0.5, 1.0))
    x = np.linspace(-4, 6, 50)
    expected = 0.5 * stats.norm.pdf(x, -1, 0.5) + 0.5 * stats.norm.pdf(x, 2, 1)
    np.testing.assert_allclose(density.pdf(x), expected, rtol=1e-12)
    single = discriminator.Density((1.0,), (2.0,)).quantiles(9)
    np.testing.assert_allclose(single, stats.norm.ppf((np.arange(9) + 0.5) / 9, 1, 2), atol=1e-3)


def test_game_value_at_the_optimum_is_jensen_shannons() -> None:
    for pair in discriminator.PAIRS:
        best = discriminator.optimum(pair)
        value = discriminator.value(pair, np.log(best), np.log1p(-best))
        assert value == pytest.approx(-2 * np.log(2) + 2 * t12_jensen_shannon_value.jensen_shannon(pair), abs=1e-6)
        assert value > discriminator.value(pair, np.log(0.9 * best), np.log1p(-0.9 * best))


def test_trained_value_is_what_is_held_against_the_minimum() -> None:
    for logit, value in ((0.0, 0.0), (1.0, 2 * math.log(2) - math.log1p(math.e) - math.log1p(1 / math.e))):
        logits = np.full_like(discriminator.GRID, logit)
        found = [t12_jensen_shannon_value.compare(pair, logits) for pair in discriminator.PAIRS]
        rows = store.frame([{"seed": seed} | row for row in found for seed in (0, 1, 2)])
        np.testing.assert_allclose(rows["above_minimum"], value, atol=1e-6)
        equal, different = judge(t12_jensen_shannon_value.STUDY, rows).parts[0].findings[1:]
        assert equal.holds is (value == 0.0) and different.holds is False


def test_optimal_discriminator_of_shifted_gaussians_is_a_sigmoid() -> None:
    expected = 1.0 / (1.0 + np.exp(2.0 * discriminator.GRID))
    np.testing.assert_allclose(discriminator.optimum("shifted"), expected, rtol=1e-9)


def test_optimum_without_logarithms_equals_the_closed_form_of_two_gaussians() -> None:
    p, q = t13_no_logarithm.histogram(0.0), t13_no_logarithm.histogram(1.5)
    variation = 2 * stats.norm.cdf(0.75) - 1
    assert t13_no_logarithm.optimum(p, q) == pytest.approx(1 + variation, abs=1e-3)
    assert t13_no_logarithm.optimum(np.array([0.75, 0.25]), np.array([0.25, 0.75])) == pytest.approx(1.5)
    assert t13_no_logarithm.optimum(p, q, None) == float("inf")


def test_optimum_without_logarithms_is_right_where_the_densities_nearly_agree() -> None:
    p, q = t13_no_logarithm.histogram(0.0), t13_no_logarithm.histogram(4.0)
    assert t13_no_logarithm.optimum(p, q) == pytest.approx(1 + 0.5 * np.abs(p - q).sum(), abs=1e-9)


def test_divergences_of_gaussians_equal_closed_form_and_quadrature() -> None:
    def one(mean: float, sd: float) -> torch.Tensor:
        pair = torch.tensor([mean], dtype=torch.float64), torch.tensor([math.log(sd)], dtype=torch.float64)
        return t15_mode_dropping.log_normal(*pair)

    p, q = one(1.0, 1.5), one(-0.5, 2.0)
    expected = math.log(2.0 / 1.5) + (1.5**2 + 1.5**2) / (2 * 2.0**2) - 0.5
    assert t15_mode_dropping.kl(p, q).item() == pytest.approx(expected, rel=1e-8)

    def integrand(x: float) -> float:
        a, b = stats.norm.pdf(x, 1.0, 1.5), stats.norm.pdf(x, -0.5, 2.0)
        return float(0.5 * (a * np.log(2 * a / (a + b)) + b * np.log(2 * b / (a + b))))

    reference = integrate.quad(integrand, -15, 15)[0]
    assert t15_mode_dropping.js(p, q).item() == pytest.approx(reference, rel=1e-7)


def test_fit_under_kl_matches_the_moments() -> None:
    target = t15_mode_dropping.log_target()
    means, sds, _ = t15_mode_dropping.fit(t15_mode_dropping.DIVERGENCES["KL"], target, (0, 1))
    np.testing.assert_allclose(means, 0.0, atol=1e-3)
    np.testing.assert_allclose(sds, math.sqrt(t15_mode_dropping.MODE**2 + 1), rtol=1e-3)


def test_where_a_start_lies_decides_what_reverse_kl_covers_and_not_its_width() -> None:
    # near the middle, wide and narrow; off it, wide
    rows = store.frame(t15_mode_dropping.run(Setting("quick", (1, 26, 12), {}, Path(), Path())))
    ends = rows[(rows["divergence"] == "reverse KL") & rows["seed"].notna()]
    starts = [t15_mode_dropping.start(seed) for seed in (1, 26, 12)]
    np.testing.assert_allclose(ends["start_mean"], [mean for mean, _ in starts])
    np.testing.assert_allclose(ends["start_sd"], [math.exp(log_sd) for _, log_sd in starts])
    assert (ends["start_mean"].abs() < 1.5).tolist() == [True, True, False]
    assert (ends["start_sd"] > 3.0).tolist() == [True, False, True]
    assert ends["modes"].tolist() == [2, 2, 1]


def test_best_js_optimum_covers_one_of_modes_far_apart() -> None:
    target = t15_mode_dropping.log_target(6.0)
    fits = torch.tensor([[0.0, math.log(6.22)], [6.0, 0.0]]).double()
    wide, one = (t15_mode_dropping.log_normal(*fitted[:, None]) for fitted in fits)
    values = [t15_mode_dropping.js(target, fitted).item() for fitted in (wide, one)]
    found = t15_mode_dropping.fit(t15_mode_dropping.DIVERGENCES["JS"], target, (0, 1, 2))
    best = t15_mode_dropping.best(*found, 6.0)
    assert best == {
        "mode": 6.0,
        "best_modes": 1,
        "least_one": pytest.approx(values[1], abs=1e-4),
        "least_both": pytest.approx(values[0], abs=1e-4),
    }


def test_covered_counts_modes_within_two_standard_deviations() -> None:
    assert t15_mode_dropping.covered(0.0, 1.6, 4.5) == 0
    assert t15_mode_dropping.covered(0.0, 1.6) == 2
    assert t15_mode_dropping.covered(0.0, 1.4) == 0
    assert t15_mode_dropping.covered(3.0, 1.0) == 1


def test_sheet_is_the_same_for_a_seed_and_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = sheet(0), sheet(0), sheet(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.batch(4).real, two.batch(4).real) and torch.equal(one.batch(4).fake, two.batch(4).fake)
    assert not torch.equal(one.matrix, other.matrix)
    assert one.real(3).dtype == torch.float64 and one.fake(3).shape == (3, 16)
    assert torch.linalg.matrix_rank(one.real(100)) == 2


def test_perfect_discriminator_estimates_log_2_and_a_coin_estimates_0() -> None:
    setting = sheet(0)
    zero = t16_perfect_discriminator.evaluate(with_critic(setting, lambda x: torch.zeros(len(x)).double()))
    assert zero["jsd"] == pytest.approx(0.0, abs=1e-12) and zero["accuracy"] == 0.0
    matrix = setting.matrix
    off = torch.eye(16).double() - torch.linalg.pinv(matrix) @ matrix

    def certain(x: torch.Tensor) -> torch.Tensor:
        return torch.where((x @ off).norm(dim=1) < 1e-9, 50.0, -50.0).double()

    perfect = t16_perfect_discriminator.evaluate(with_critic(setting, certain))
    assert perfect["accuracy"] == 1.0 and perfect["jsd"] == pytest.approx(math.log(2))


def with_critic(setting: Sheet, critic: Callable[[torch.Tensor], torch.Tensor]) -> Sheet:
    setting.critic = critic  # pyright: ignore[reportAttributeAccessIssue]
    return setting


def test_near_distances_follow_the_volume_of_a_tube() -> None:
    # Codimension 1: |⟨n, z⟩| of a point of a cube is nearly uniform near 0, so mass doubles with ε.
    def distances(codimension: int) -> np.ndarray:
        rng = np.random.default_rng(0)
        return t17_transversality.near_distances(rng, *t17_transversality.supports(rng, codimension))

    gaps = distances(1)
    assert (gaps < 0.1).mean() / (gaps < 0.05).mean() == pytest.approx(2.0, rel=0.05)
    assert t17_transversality.meeting_share(gaps) == 0.0
    gaps = distances(3)
    assert (gaps < 0.2).mean() / (gaps < 0.1).mean() == pytest.approx(8.0, rel=0.15)


def test_patch_within_the_plane_meets_it_everywhere() -> None:
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.normal(size=(t17_transversality.AMBIENT, t17_transversality.PATCH + 2)))[0]
    gaps = t17_transversality.near_distances(rng, frame[:, :-2], frame[:, -2:])
    assert t17_transversality.meeting_share(gaps) == 1.0


def test_oscillating_discriminator_stays_close_in_sup_norm() -> None:
    grid = torch.linspace(-1, 2, 3001, dtype=torch.float64)
    for frequency in t18_gradient_bound.FREQUENCIES:
        wave, perfect = t18_gradient_bound.oscillating(grid, frequency), t18_gradient_bound.perfect(grid)
        assert (wave - perfect).abs().max() <= t18_gradient_bound.EPSILON + 1e-15
        assert wave.min() >= 0 and wave.max() <= 1
        gradient = math.pi * frequency * t18_gradient_bound.EPSILON / (1 - t18_gradient_bound.EPSILON / 2)
        assert t18_gradient_bound.generator_gradient(frequency) == pytest.approx(gradient, rel=1e-9)


def test_norm_with_slopes_takes_both_at_the_same_point() -> None:
    rows = store.frame(t18_gradient_bound.run(Setting("quick", (0,), {}, Path(), Path()))).dropna(subset=["frequency"])
    x = np.linspace(-0.5, 1.5, 40_001)
    t = np.clip(3.0 * x - 1.0, 0.0, 1.0)
    perfect, falls = 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2), 90.0 * t**2 * (1.0 - t) ** 2
    for row in rows.to_dict("records"):
        turns = 2.0 * math.pi * row["frequency"]
        difference = t18_gradient_bound.EPSILON * np.abs(0.5 * (1.0 + np.sin(turns * (x - 1.0))) - perfect)
        slope = t18_gradient_bound.EPSILON * np.abs(0.5 * turns * np.cos(turns * (x - 1.0)) + falls)
        assert row["with_slope"] == pytest.approx((difference + slope).max(), rel=1e-9)
        assert row["with_slope"] < difference.max() + slope.max() - 1e-6
        bound = row["with_slope"] / (1.0 - row["with_slope"])
        assert row["ratio_with_slope"] == pytest.approx(row["gradient"] / bound, rel=1e-12)


def test_floors_have_their_own_streams_and_every_seed_is_held_to_their_mean() -> None:
    floors = t19_displacement.sample_floors(2)
    x, y, _ = t19_displacement.draw(0)
    assert len({*floors, t19_displacement.wasserstein(x, y)}) == 3
    rows = store.frame(t19_displacement.run(Setting("quick", (0,), {}, Path(), Path())))
    assert rows["floor"].nunique() == t19_displacement.FLOORS
    np.testing.assert_allclose(rows["ratio"].dropna(), rows["independent"].dropna() / rows["floor"].mean())
    wrong = pd.DataFrame({"seed": range(5), "ratio": [9.0, 9.0, 9.0, 9.0, 4.9], "optimal": 0.0})
    assert judge(STUDIES["T19"], wrong).outcome == "inconclusive"


def test_midpoints_of_optimal_pairs_of_a_sample_with_itself_are_the_sample() -> None:
    rng = np.random.default_rng(0)
    x = t19_displacement.ring(rng, 50)
    np.testing.assert_allclose(t19_displacement.midpoints(x, x[::-1], coupled=True), x, atol=1e-12)
    np.testing.assert_allclose(t19_displacement.midpoints(x, x[::-1], coupled=False), 0.5 * (x + x[::-1]))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 2.0, atol=0.1)


def test_critic_starts_with_the_slope_asked_for() -> None:
    for start in t20_penalty_sign.STARTS:
        critic = t20_penalty_sign.critic_with_slope(3, start)
        at = line(t20_penalty_sign.draw(torch.Generator().manual_seed(3)))
        assert slopes(critic, at).mean().item() == pytest.approx(start, rel=1e-9)


def test_penalty_inside_the_maximum_has_the_other_sign() -> None:
    critic = t20_penalty_sign.critic_with_slope(0, 2.0)
    batch = [t20_penalty_sign.draw(torch.Generator().manual_seed(1)) for _ in range(2)]
    plus = t20_penalty_sign.OBJECTIVES["+"](weight=10.0).penalty(critic, batch[0])
    minus = t20_penalty_sign.OBJECTIVES["−"](weight=10.0).penalty(critic, batch[1])
    assert plus.item() == pytest.approx(-minus.item()) and minus.item() > 0


def test_jump_is_the_largest_change_between_neighbours() -> None:
    assert t21_continuity.jump((0.0, 0.5, -0.25, 0.0)) == 0.75
    assert t21_continuity.lines(0.0) == (0.0, 0.0)
    assert t21_continuity.lines(-0.4) == pytest.approx((0.4, math.log(2)))


def test_decay_tells_a_jump_of_the_network_from_a_steady_path() -> None:
    def jumping(latent: np.ndarray, ends: list[tuple[np.ndarray, np.ndarray]], share: float) -> np.ndarray:
        return t21_continuity.generate(latent, ends, round(share))

    steady = t21_continuity.run(Setting("quick", (0, 1, 2), {}, Path(), Path()))
    assert store.frame(steady)["decay"].between(0.08, 0.15).sum() == 3
    network = [t21_continuity.network_row(s, step, jumping) for step in t21_continuity.STEPS for s in (0, 1, 2)]
    rest = [row for row in steady if row.get("kind") not in ("network", "network decay")]
    jumps = store.frame([*rest, *network, *t21_continuity.decays(network)])
    assert (jumps["decay"].dropna() > 0.9).all() and jumps["excess"].max() < 1e-9
    assert judge(STUDIES["T21"], jumps).outcome == "not reproduced"
