"""Raw records of trained runs on both sides of every criterion; the pictures are drawn from the same records."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lipbench.bench.report.statistics import ENOUGH
from lipbench.bench.studies import STUDIES, Outcome, Setting, Size
from lipbench.bench.studies.engine import report, store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.training.toy_games import GRID, RING, SN

Rows = list[dict[str, Any]]
REPRODUCED, NOT, OPEN = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE
DISPUTED = Outcome.DISPUTED


def end(seed: int, objective: str, **other: Any) -> dict[str, Any]:
    row = {"seed": seed, "objective": objective, "dataset": "25gaussians", "recipe": "common", "status": "completed"}
    row |= {"floor": 0.1, "w1_tail": 0.2, "w1_tail_sd": 0.01, "w1_final": 0.2, "modes_tail": 20.0}
    return row | {"mode_kl_tail": 0.05, "generator_grad_norm_tail": 1.0} | other


def outcomes(name: str, rows: Rows, folder: Path | None = None) -> list[Outcome]:
    measurements = store.frame(rows)
    if folder is not None:
        draw(name, measurements, folder)
    return [part.outcome for part in judge(STUDIES[name], measurements).parts]


def draw(name: str, measurements: pd.DataFrame, folder: Path) -> None:
    report.draw(STUDIES[name], measurements, folder, dpi=40)


def collapse(constraint: float, minimax_ring: float = 0.9) -> Rows:
    """Mode-KLs with medians .9 (minimax), .6 (NS) and the given one of each constraint; W1 .3 of SN on the ring."""
    rows: Rows = []
    for seed, factor in enumerate((0.5, 1.0, 40.0)):
        levels = {"minimax": 0.9, "NS": 0.6} | {name: constraint for name in ("clip .1", "clip .01", "GP .1", "SN")}
        rows += [end(seed, name, mode_kl_tail=level * factor) for name, level in levels.items()]
        ring = {"minimax n=5": minimax_ring * factor, "SN": 0.3}
        rows += [end(seed, name, dataset="8gaussians", w1_tail=w1) for name, w1 in ring.items()]
        for name in (*levels, "minimax n=5"):
            data = "8gaussians" if name == "minimax n=5" else "25gaussians"
            course = {"seed": seed, "objective": name, "dataset": data, "recipe": "common"}
            rows += [course | {"step": step, "w1": 0.5, "modes": step, "mode_kl": 1.0} for step in (0, 10)]
    return rows


def test_s5_wants_a_third_of_the_better_unconstrained_median_and_three_times_sns_w1(tmp_path: Path) -> None:
    assert outcomes("S5", collapse(0.6 / 3 - 1e-9, 0.9 + 1e-9), tmp_path) == [REPRODUCED] * 5
    assert outcomes("S5", collapse(0.6 / 3 + 1e-6, 0.9 - 1e-6)) == [NOT] * 5


def test_s5_judges_each_constraint_by_itself() -> None:
    rows = [r | {"mode_kl_tail": 0.5} if r["objective"] == "GP .1" and "status" in r else r for r in collapse(0.1)]
    assert outcomes("S5", rows) == [REPRODUCED, REPRODUCED, NOT, REPRODUCED, REPRODUCED]


def test_s5_other_recipes_change_nothing() -> None:
    other = [r | {"recipe": "published", "mode_kl_tail": 1e-6} for r in collapse(0.1) if "status" in r]
    assert outcomes("S5", collapse(0.5) + other)[:4] == [NOT] * 4


def test_s5_a_diverged_run_counts_as_the_worst() -> None:
    rows = collapse(0.1)
    for row in rows:
        if row["objective"] == "SN" and row["seed"] > 0 and "status" in row:
            row |= {"mode_kl_tail": math.inf, "status": "diverged"}
    assert outcomes("S5", rows)[3] == NOT


def settings(good: Mapping[str, str], **bad: Any) -> Rows:
    """Settings A–F at three seeds: objective → the letters that succeed; the others get `bad`."""
    return [
        end(seed, name, setting=letter, half="settings", **({} if letter in letters else bad))
        for seed in range(3)
        for name, letters in good.items()
        for letter in "ABCDEF"
    ]


def pairs(both: int, only_gp: int, only_ns: int, neither: int) -> Rows:
    found = [("GP .1", "NS")] * both + [("GP .1",)] * only_gp + [("NS",)] * only_ns + [()] * neither
    rows: Rows = []
    for network, good in enumerate(found):
        for name in ("GP .1", "NS"):
            row = end(0, name, network=network, half="architectures", w1_tail=0.2 if name in good else 9.0)
            rows.append({k: v for k, v in row.items() if k != "seed"})
    return rows


@pytest.mark.parametrize(
    "bad", [{"status": "diverged"}, {"mode_kl_tail": 0.1001}, {"w1_tail": 0.4001}, {"w1_tail": math.inf}]
)
def test_s6_counts_successes_by_all_three_conditions(bad: dict[str, Any]) -> None:
    enough = pairs(10, 6, 0, 3)
    assert outcomes("S6", settings({"SN": "ABCDE", "GP .1": "ABF"}, **bad) + enough) == [REPRODUCED] * 2
    assert outcomes("S6", settings({"SN": "ABCD", "GP .1": "ABF"}, **bad) + enough)[0] == NOT
    assert outcomes("S6", settings({"SN": "ABCDE", "GP .1": "ABDE"}, **bad) + enough)[0] == NOT


def test_s6_the_limits_of_success_belong_to_it() -> None:
    at_the_limit = settings({"SN": "", "GP .1": "AB"}, mode_kl_tail=0.1, w1_tail=0.4)
    rows = [
        r | {"status": "diverged"} if r["objective"] == "GP .1" and r["setting"] in "DEF" else r for r in at_the_limit
    ]
    assert outcomes("S6", rows)[0] == REPRODUCED


@pytest.mark.parametrize(
    ("only_gp", "only_ns", "verdict"), [(6, 0, REPRODUCED), (5, 0, NOT), (11, 2, REPRODUCED), (10, 2, NOT), (0, 0, NOT)]
)
def test_s6_wants_gp_alone_five_times_as_often_and_a_sign_test(only_gp: int, only_ns: int, verdict: Outcome) -> None:
    rows = settings({"SN": "ABCDEF", "GP .1": "ABC"}, status="diverged") + pairs(3, only_gp, only_ns, 4)
    derived = STUDIES["S6"].derive(store.frame(rows))
    p = stats.binomtest(only_gp, only_gp + only_ns).pvalue if only_gp else 1.0
    assert derived["sign_p"].dropna().tolist() == [pytest.approx(p)]
    assert outcomes("S6", rows)[1] == verdict


def test_s6_says_nothing_of_architectures_that_were_not_run(tmp_path: Path) -> None:
    rows = settings({"SN": "ABCDEF", "GP .1": "ABC"}, status="diverged", w1_tail=math.inf)
    assert outcomes("S6", rows, tmp_path) == [REPRODUCED, OPEN]
    draw("S6", store.frame(rows + pairs(3, 6, 1, 4)), tmp_path)


def tracking(gp: Sequence[float], clip: Sequence[float]) -> Rows:
    """Courses of five evaluations at three seeds; NS has ρ = .1 (median), GP and clip the given orders of estimates."""
    rows: Rows = []
    for seed, ns in enumerate(([3, 1, 5, 2, 4], [2, 4, 1, 5, 3], [5, 4, 3, 2, 1])):
        for name, estimates in {"NS": ns, "GP 10": gp, "clip .01": clip, "SN": [1, 2, 3, 4, 5]}.items():
            rows += [
                {"seed": seed, "objective": name, "step": place, "w1": 0.1 * place, "estimate": value, "gap": -value}
                for place, value in enumerate(estimates, start=1)
            ]
    return rows


def rank_correlation(order: Sequence[float]) -> float:
    found: Any = stats.spearmanr(order, range(5))
    return found.statistic


def test_s7_wants_both_rank_correlations_three_tenths_above_the_median_of_ns(tmp_path: Path) -> None:
    ns = sorted(rank_correlation(order) for order in ([3, 1, 5, 2, 4], [2, 4, 1, 5, 3], [5, 4, 3, 2, 1]))
    above, below = [2, 1, 4, 5, 3], [2, 5, 1, 3, 4]
    rho = [rank_correlation(order) for order in (above, below)]
    assert rho[0] - ns[1] >= 0.3 > rho[1] - ns[1]
    assert outcomes("S7", tracking(above, above), tmp_path) == [REPRODUCED]
    assert outcomes("S7", tracking(above, below)) == outcomes("S7", tracking(below, above)) == [NOT]


def costs(**ratios: float) -> Rows:
    names = {"mlp": ("MLP 3×128", "GP"), "dcgan": ("DCGAN", "GP"), "sn": ("DCGAN", "SN")}
    rows: Rows = []
    for seed in range(3):
        for networks in ("MLP 3×128", "DCGAN"):
            for constraint in ("none", "clip", "GP", "SN"):
                given = [ratios[k] for k, place in names.items() if place == (networks, constraint)]
                ratio = given[0] if given else 1.0
                rows.append({"seed": seed, "networks": networks, "constraint": constraint, "ratio": ratio})
                rows[-1]["seconds"] = 0.01 * ratio
    return rows


@pytest.mark.parametrize(("mlp", "dcgan"), [(1.29, 2.0), (3.01, 2.0), (2.0, 1.29), (2.0, 3.01)])
def test_s8_wants_gps_cost_between_two_bounds_on_both_networks(mlp: float, dcgan: float) -> None:
    assert outcomes("S8", costs(mlp=mlp, dcgan=dcgan, sn=1.31)) == [NOT] * 2


def test_s8_reproduced(tmp_path: Path) -> None:
    assert outcomes("S8", costs(mlp=1.31, dcgan=2.99, sn=1.29), tmp_path) == [REPRODUCED] * 2


def advice(**changes: Any) -> Rows:
    """Records under which every piece of advice holds, with these numbers in place of some."""
    use = {"miss_1": 0.6, "miss_5": 0.5, "miss_20": 0.5, "sds": (1, 2, 3, 4, 5, 6), "batch": 0.9, "layer": 0.4}
    use |= {"none": 0.5, "minimax_50": 2.01, "GP_50": 1.19} | changes
    rows: Rows = []
    for seed in range(3):
        for n in (1, 5, 20, 50):
            about = {"seed": seed, "objective": "GP .1", "factor": "n_critic", "n_critic": n}
            rows.append(about | end(seed, "GP .1", w1_tail=use["GP_50"] if n == 50 else 1.0))
            miss = use.get(f"miss_{n}", 0.0)  # 50 steps are another question: they must not count here
            rows += [
                about | {"step": s, "w1": w1, "slope": 2.0, "estimate": 2.0 * w1 * (1 - miss)}
                for s, w1 in ((1, 3.0), (2, 1.0))
            ]
        minimax = {"factor": "n_critic", "objective": "minimax"}
        rows += [
            end(seed, "minimax", w1_tail=w1) | minimax | {"n_critic": n}
            for n, w1 in ((1, 1.0), (50, use["minimax_50"]))
        ]
        rates = (5e-5, 1.5e-4, 5e-4, 1.5e-3, 5e-3, 1e-2)
        rows += [
            end(seed, "GP .1", factor="lr", lr=lr, w1_tail_sd=sd) for lr, sd in zip(rates, use["sds"], strict=True)
        ]
        rows += [end(seed, "GP .1", factor="norm", norm=k, w1_tail=use[k]) for k in ("none", "batch", "layer")]
    return rows


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (0, {"miss_20": 0.501}),
        (0, {"miss_5": 0.6, "miss_20": 0.6}),
        (0, {"miss_5": math.inf, "miss_20": math.inf}),
        (0, {"miss_1": math.inf, "miss_5": math.inf, "miss_20": math.inf}),
        (1, {"sds": (1, 2, 3, 6, 5, 4)}),
        (1, {"sds": (6, 5, 4, 3, 2, 1)}),
        (2, {"batch": 0.49}),
        (3, {"minimax_50": 1.99}),
        (3, {"GP_50": 1.21}),
        (3, {"GP_50": math.inf}),
    ],
)
def test_s10_each_piece_of_advice_has_its_own_verdict(part: int, changes: dict[str, Any]) -> None:
    assert outcomes("S10", advice(**changes)) == [NOT if place == part else REPRODUCED for place in range(4)]


def test_s10_reproduced_throughout(tmp_path: Path) -> None:
    assert outcomes("S10", advice(), tmp_path) == [REPRODUCED] * 4


def test_s10_the_share_missed_is_of_all_of_w1_and_in_units_of_the_slope() -> None:
    rows = [r | {"estimate": 2.0 * (3.0 if r["step"] == 1 else 0.0)} if r.get("slope") else r for r in advice()]
    derived = STUDIES["S10"].derive(store.frame(rows))
    np.testing.assert_allclose(derived["error_5"], [0.25] * 3)  # 0 of the first's 3 missed, all of the second's 1


def remedies(gain: float, gain_10: float) -> Rows:
    rows = [end(seed, "NS", weight=0.0, modes_tail=10.0 + seed) for seed in range(3)]
    for name in ("feature matching", "minibatch discrimination"):
        for weight, more in ((1.0, gain), (10.0, gain_10)):
            rows += [end(seed, name, weight=weight, modes_tail=10.0 + seed + more) for seed in range(3)]
    return rows


def test_s11_wants_three_modes_gained_and_half_of_them_lost_at_ten_times_the_weight(tmp_path: Path) -> None:
    assert outcomes("S11", remedies(3.0, 1.5), tmp_path) == [REPRODUCED, REPRODUCED] * 2
    assert outcomes("S11", remedies(3.0, 1.6)) == [REPRODUCED, NOT] * 2


@pytest.mark.parametrize("gain_10", [-5.0, 2.9])
def test_s11_nothing_gained_can_not_be_lost(gain_10: float) -> None:
    assert outcomes("S11", remedies(2.9, gain_10)) == [NOT, OPEN] * 2


def steadiness(order: list[int]) -> Rows:
    """Five objectives with final W1 1 … 5 whose unsteadiness has this order, on both data sets."""
    names = ("minimax", "NS", "clip .1", "GP .1", "SN")
    rows: Rows = []
    for seed in range(3):
        for data in ("8gaussians", "25gaussians"):
            for place, (name, sd) in enumerate(zip(names, order, strict=True), start=1):
                rows.append(end(seed, name, dataset=data, w1_final=float(place), w1_tail_sd=0.1 * sd))
    return rows


def test_s14_wants_a_rank_correlation_of_a_half_and_names_the_steady_and_poor(tmp_path: Path) -> None:
    assert outcomes("S14", steadiness([2, 1, 5, 3, 4]), tmp_path) == [REPRODUCED] * 2  # ρ = .6
    assert outcomes("S14", steadiness([2, 5, 1, 3, 4])) == [NOT] * 2  # ρ = .3
    derived = STUDIES["S14"].derive(store.frame(steadiness([3, 5, 4, 2, 1])))
    flags = derived.dropna(subset="steady_poor").groupby("objective")["steady_poor"].mean()
    assert flags.to_dict() == {"GP .1": 1, "SN": 1}


def test_s14_names_the_steady_and_poor_of_each_data_set_alone() -> None:
    rows = [r for r in steadiness([3, 5, 4, 2, 1]) if r["dataset"] == "8gaussians"]
    rows += [r for r in steadiness([1, 2, 3, 4, 5]) if r["dataset"] == "25gaussians"]
    ring, even = judge(STUDIES["S14"], store.frame(rows)).parts
    named = [
        [e.measure.where["objective"] for e in part.reported if e.measure.measurement == "steady_poor"]
        for part in (ring, even)
    ]
    assert named == [["GP .1", "SN"], []]
    (sd,) = [e.value for e in ring.reported if e.measure.measurement == "unsteady"]
    assert sd == pytest.approx(0.3)


def test_s14_tells_what_evaluations_of_one_generator_differ_by() -> None:
    rows = [r | {"w1_noise": 0.01 * r["w1_final"]} for r in steadiness([3, 5, 4, 2, 1])]
    for part in judge(STUDIES["S14"], store.frame(rows)).parts:
        told = {e.measure.measurement: e.value for e in part.reported}
        assert told["noise"] == pytest.approx(0.03) and told["unsteady"] == pytest.approx(0.3)


def test_s14_reads_s5s_runs_in_the_common_setting_and_makes_none(tmp_path: Path) -> None:
    for scale in ("smoke", "quick", "full"):
        of_s5, own = (STUDIES[name].sizes[scale] for name in ("S5", "S14"))
        assert isinstance(of_s5, Size) and isinstance(own, Size)
        assert own.options.items() == of_s5.options.items() - {("recipes", of_s5.options.get("recipes"))}
        assert own.seeds == of_s5.seeds
    setting = Setting("smoke", (0,), {"steps": 1, RING: (SN,), GRID: ()}, tmp_path, tmp_path / "runs")
    made = []
    for name in ("S5", "S14"):
        assert STUDIES[name].run(setting)
        made.append(sorted((tmp_path / "runs" / "runs").iterdir()))
    assert made[0] == made[1] and len(made[0]) == 1


def notebook(advantages: list[float]) -> Rows:
    rows: Rows = []
    for seed, advantage in enumerate(advantages):
        rows += [end(seed, "GAN", w1_tail=1.0 + advantage), end(seed, "WGAN", w1_tail=1.0)]
        for name in ("GAN", "WGAN", "WGAN-GP"):
            about = {"seed": seed, "objective": name, "w1": 1.0, "modes": 3}
            rows += [about | {"step": 0}, about | {"step": 7, "gradient": 0.5}]
    return rows


def test_s15_is_decided_only_by_an_interval_that_excludes_nought(tmp_path: Path) -> None:
    assert outcomes("S15", notebook([0.1, 0.2, 0.05] * 2), tmp_path) == [REPRODUCED]
    assert outcomes("S15", notebook([-0.1, -0.2, -0.05] * 2)) == [NOT]
    assert outcomes("S15", notebook([0.1, 0.2, -0.05] * 2)) == [OPEN]
    assert outcomes("S15", notebook([0.1] * 5)) == [OPEN]  # their range is no 95 % interval


def test_s15_has_seeds_enough_for_its_interval_at_full() -> None:
    size = STUDIES["S15"].sizes["full"]
    assert isinstance(size, Size) and size.seeds >= ENOUGH


def test_s15_counts_a_seed_at_which_both_diverge_as_a_tie() -> None:
    rows = notebook([0.1, 0.2, 0.05])
    for seed in (3, 4, 5, 6):
        rows += [end(seed, name, w1_tail=math.inf) for name in ("GAN", "WGAN")]
    assert outcomes("S15", rows) == [OPEN]


def diffusion(modes: float, sd: float) -> Rows:
    """Three games, of which the steadiest has the median sd .01, and a diffusion model with these values."""
    rows: Rows = []
    for seed, factor in enumerate((0.5, 1.0, 40.0)):
        for name, level in {"minimax": 0.03, "GP .1": 0.01, "SN": 0.02}.items():
            rows.append(end(seed, name, w1_tail_sd=level * factor))
        rows.append(end(seed, "DDPM", w1_tail_sd=sd * factor, modes_tail=modes + seed - 1, high_quality_tail=0.5))
        # They decide nothing, and are no games.
        for name in ("DDPM × 10", "the data"):
            rows.append(end(seed, name, w1_tail_sd=1e-9, modes_tail=25.0, high_quality_tail=0.5))
    return [*rows, {"seed": 0, "objective": "DDPM", "x": 0.5, "y": -0.5}]


def test_k3_wants_every_mode_and_a_smaller_sd_than_the_steadiest_game(tmp_path: Path) -> None:
    assert outcomes("K3", diffusion(25.0, 0.01 - 1e-9), tmp_path) == [REPRODUCED, REPRODUCED]
    assert outcomes("K3", diffusion(24.9, 0.01)) == [NOT, DISPUTED]


def test_k3_a_game_that_diverges_is_not_the_steadiest() -> None:
    rows = [r | {"w1_tail_sd": math.inf} if r["objective"] == "GP .1" else r for r in diffusion(25.0, 0.02 - 1e-9)]
    assert outcomes("K3", rows) == [REPRODUCED, REPRODUCED]


def test_k3_a_diffusion_model_that_diverges_does_not_drop_out_where_all_games_do() -> None:
    rows = [r if r["objective"] == "DDPM" else r | {"w1_tail_sd": math.inf} for r in diffusion(25.0, 0.01)]
    assert outcomes("K3", rows) == [REPRODUCED, REPRODUCED]
    lost = [r | {"w1_tail_sd": math.inf} if r["objective"] == "DDPM" and r["seed"] else r for r in rows]
    assert outcomes("K3", lost) == [REPRODUCED, DISPUTED]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["S5", "S6", "S7", "S8", "S10", "S11", "S14", "S15", "K3"])
def test_trained_studies_run_at_smoke(name: str, tmp_path: Path) -> None:
    size = STUDIES[name].sizes["smoke"]
    assert isinstance(size, Size)
    measurements = store.frame(STUDIES[name].run(Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs")))
    estimates = [f.measured for part in judge(STUDIES[name], measurements).parts for f in part.findings]
    assert estimates
    # Two objectives on the ring are too few to rank.
    left_out = {"S14": 1}
    assert sum(math.isnan(found.value) for found in estimates) == left_out.get(name, 0)
    draw(name, measurements, tmp_path)
    assert (name == "S15") == (tmp_path / "ring5.gif").exists()
