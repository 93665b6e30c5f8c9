"""Raw records of the image studies on both sides of every criterion; the pictures are drawn from the same records."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from scipy import stats

from lipbench.bench.studies import STUDIES, Outcome
from lipbench.bench.studies.claims.weights_and_spectra.g02 import lost
from lipbench.bench.studies.engine import report, store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.measures.weights import share_of_extremes

Rows = list[dict[str, Any]]
REPRODUCED, NOT, OPEN, FALSE = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE, Outcome.FALSE
SEEDS = (0, 1, 2)


def end(seed: int, objective: str, **other: Any) -> dict[str, Any]:
    row = {"seed": seed, "objective": objective, "dataset": "cifar10", "status": "completed", "metric": "FID"}
    row |= {"data": "cifar10"}
    row |= {"floor": 5.0, "fd_tail": 40.0, "fd_tail_sd": 1.0, "fd_final": 40.0, "fd_best": 40.0}
    return row | other


def outcomes(name: str, rows: Rows, folder: Path | None = None) -> list[Outcome]:
    measurements = store.frame(rows)
    if folder is not None:
        draw(name, measurements, folder)
    return [part.outcome for part in judge(STUDIES[name], measurements).parts]


def draw(name: str, measurements: pd.DataFrame, folder: Path) -> None:
    report.draw(STUDIES[name], measurements, folder, dpi=40)


def comparison(**changes: tuple[float, float]) -> Rows:
    """Objective → (FD of the tail, final over best); by the medians SN 20, GP 30, clip 40, the first two get worse."""
    levels = {"minimax": (25.0, 1.31), "NS": (31.0, 1.0), "clip": (40.0, 1.0), "GP": (30.0, 1.0), "SN": (20.0, 1.1)}
    rows: Rows = []
    for name, (tail, worsening) in {**levels, **changes}.items():
        for seed, factor in enumerate((0.5, 1.0, 40.0)):
            rows.append(end(seed, name, fd_tail=tail * factor, fd_best=10.0, fd_final=10.0 * worsening))
            course = {"seed": seed, "objective": name}
            rows += [course | {"step": step, "fd": fd} for step, fd in ((0, 99.0), (1000, tail))]
    return rows


def test_g3_reproduced(tmp_path: Path) -> None:
    assert outcomes("G3", comparison(), tmp_path) == [REPRODUCED] * 4


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"SN": (30.0, 1.1)}, 0),
        ({"clip": (29.9, 1.0)}, 0),
        ({"minimax": (25.0, 1.3)}, 1),
        ({"NS": (30.0, 1.0)}, 2),
        ({"SN": (20.0, 1.11)}, 3),
    ],
)
def test_g3_each_part_has_its_own_threshold(changes: dict[str, tuple[float, float]], part: int) -> None:
    assert outcomes("G3", comparison(**changes)) == [NOT if place == part else REPRODUCED for place in range(4)]


def test_g3_either_fault_of_an_unconstrained_game_is_enough() -> None:
    assert outcomes("G3", comparison(minimax=(30.1, 1.0), NS=(1.0, 1.31))) == [REPRODUCED] * 4


def test_g3_sn_at_its_best_says_nothing_where_every_game_is() -> None:
    assert outcomes("G3", comparison(minimax=(30.1, 1.1))) == [REPRODUCED] * 3 + [Outcome.INCONCLUSIVE]


def test_g3_says_what_the_kept_record_is_without_the_control_that_was_added() -> None:
    part = STUDIES["G3"].parts[3]
    fixed = replace(part, criteria=tuple(criterion for criterion in part.criteria if not criterion.control))
    _, measurements = store.read(Path(__file__).parents[3] / "results/reference/images/G3")
    found = [judge(replace(STUDIES["G3"], parts=(one,)), measurements).outcome for one in (part, fixed)]
    assert found == [OPEN, REPRODUCED]
    assert (
        "added after the first record" in part.caveat and "that record (results/reference) is reproduced" in part.caveat
    )


@pytest.mark.parametrize("best", [10.0, math.inf])
def test_g3_a_diverged_run_counts_as_the_worst(best: float) -> None:
    rows = comparison()
    for row in rows:
        if row["seed"] > 0 and "status" in row and row["objective"] in ("SN", "minimax"):
            row |= {"status": "diverged", "fd_tail": math.inf, "fd_final": math.inf, "fd_best": best}
    assert outcomes("G3", rows) == [NOT, REPRODUCED, REPRODUCED, NOT]


def tracking(gp: Sequence[float], clip: Sequence[float]) -> Rows:
    """Courses of five evaluations; NS has ρ = .1 (median over seeds), GP and clip the given orders of estimates."""
    rows: Rows = []
    for seed, ns in enumerate(([3, 1, 5, 2, 4], [2, 4, 1, 5, 3], [5, 4, 3, 2, 1])):
        for name, estimates in {"NS": ns, "GP": gp, "clip": clip, "SN": [1, 2, 3, 4, 5], "minimax": ns}.items():
            about = {"seed": seed, "objective": name, "metric": "FD(x)"}
            rows += [
                about | {"step": place, "fd": 10.0 * place, "estimate": value, "gap": -value}
                for place, value in enumerate(estimates, start=1)
            ]
    return rows


def test_g4_wants_both_rank_correlations_three_tenths_above_the_median_of_ns(tmp_path: Path) -> None:
    above, below = [2, 1, 4, 5, 3], [2, 5, 1, 3, 4]
    rho: list[Any] = [stats.spearmanr(order, range(5)).statistic for order in (above, below, [2, 4, 1, 5, 3])]  # pyright: ignore[reportAttributeAccessIssue]
    assert rho[0] - rho[2] >= 0.3 > rho[1] - rho[2]
    assert outcomes("G4", tracking(above, above), tmp_path) == [REPRODUCED]
    assert outcomes("G4", tracking(above, below)) == outcomes("G4", tracking(below, above)) == [NOT]
    assert outcomes("G4", [*tracking(above, above), stopped("minimax"), stopped("SN")]) == [REPRODUCED]


@pytest.mark.parametrize("name", ["GP", "clip", "NS"])
def test_g4_a_run_that_stopped_helps_no_objective(name: str) -> None:
    """Most of the courses before they stopped would give GP and clip a ρ of 1, and NS one of −1."""
    rows = [r for r in tracking([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) if r["objective"] != name or r["step"] <= 2]
    assert outcomes("G4", [*rows, *(stopped(name, seed) for seed in (0, 1))]) == [NOT]


def stopped(name: str, seed: int = 0) -> dict[str, Any]:
    return {"seed": seed, "objective": name, "metric": "FD(x)", "stopped": 3}


def gradients(**changes: Sequence[float]) -> Rows:
    """Objective → gradients at steps 0, 50 and 4,000."""
    levels = {"minimax": (1.0, 0.5, 1e-4), "non-saturating": (1.0, 5.0, 500.0), "GP": (9.0, 6.0, 7.0)}
    levels |= {"SN": (0.01, 4.0, 2.0), "clip 0.1": (1.0, 50.0, 700.0), "clip 0.01": (1.0, 0.01, 0.04)}
    return [
        {"seed": seed, "objective": name, "step": step, "gradient": gradient}
        for seed in SEEDS
        for name, curve in {**levels, **changes}.items()
        for step, gradient in zip((0, 50, 4000), curve, strict=True)
    ]


def test_g1_has_s2s_thresholds_with_the_fall_from_the_largest_gradient(tmp_path: Path) -> None:
    assert outcomes("G1", gradients(), tmp_path) == [REPRODUCED] * 2
    assert outcomes("G1", gradients(minimax=(1e-6, 0.5, 4.9e-4))) == [REPRODUCED] * 2
    assert outcomes("G1", gradients(minimax=(1e-6, 0.5, 5.1e-4))) == [NOT, REPRODUCED]
    assert outcomes("G1", gradients(minimax=(1.0, 0.5, math.inf))) == [NOT, REPRODUCED]
    assert outcomes("G1", gradients(GP=(9.0, 6.0, 12.1))) == [REPRODUCED, NOT]
    assert outcomes("G1", gradients(SN=(0.01, 4.0, 0.39))) == [REPRODUCED, NOT]


def critics(**changes: float) -> Rows:
    """Rows in which all that S3, S16 and S17 say of critics holds, with these numbers at the second seed."""
    levels = {"clip": 0.71, "GP": 0.009, "start": 0.69, "tight": 1.0, "bound": 1.0, "sigma": 1.09, "operator": 1.5}
    rows: Rows = []
    for seed in SEEDS:
        use = {**levels, **(changes if seed == 1 else {})}
        clip, gp, sn = ({"seed": seed, "critic": name} for name in ("clip", "GP", "SN"))
        rows += [clip | {"extreme": use["clip"], "clipped_start": use["start"]}, gp | {"extreme": use["GP"]}]
        rows += [sn | {"extreme": 0.5}, gp | {"tightness": use["tight"], "slope": 1.0, "sigma": 9.0, "kind": "linear"}]
        rows += [clip | {"tightness": 0.5, "bound_share": use["bound"], "slope": 1.0}]
        rows += [sn | {"kind": "linear", "layer": 2, "sigma": 1.0, "operator": 1.0}]
        rows += [sn | {"kind": "convolution", "layer": 1, "sigma": use["sigma"], "operator": use["operator"]}]
        rows += [sn | {"kind": "convolution", "layer": 0, "sigma": 1.0, "operator": 1.0}]
        for about in (clip, gp, sn):
            rows += [about | {"left": left, "width": 1.0, "share": 0.5} for left in (-1.0, 0.0)]
            rows += [about | {"layer": 0, "place": place, "value": 1.0 - place / 2} for place in (0.0, 1.0)]
            rows += [about | {"layer": 1, "place": 0.0, "value": 1.0}]
    return rows


@pytest.mark.parametrize(
    ("changes", "part", "verdict"),
    [
        ({"clip": 0.69}, 0, NOT),
        ({"GP": 0.011}, 0, NOT),
        ({"start": 0.7}, 0, OPEN),
        ({"tight": 1.00001}, 1, NOT),
        ({"bound": 1.00001}, 1, NOT),
        ({"sigma": 1.11}, 2, NOT),
        ({"sigma": 0.89}, 2, NOT),
        ({"operator": 1.1}, 3, OPEN),
    ],
)
def test_g2_each_part_has_its_own_threshold(changes: dict[str, float], part: int, verdict: Outcome) -> None:
    holds = [REPRODUCED, REPRODUCED, REPRODUCED, FALSE]
    assert outcomes("G2", critics()) == holds
    assert outcomes("G2", critics(**changes)) == [verdict if place == part else holds[place] for place in range(4)]


def test_g2_pictures(tmp_path: Path) -> None:
    draw("G2", store.frame(critics()), tmp_path)


def test_g2_a_critic_without_numbers_is_the_worst_by_every_criterion() -> None:
    for name, clip in (("clip", 0.01), ("GP", None), ("SN", None)):
        rows = [row for row in critics() if row["critic"] != name or row["seed"] != 1]
        shares = share_of_extremes(torch.tensor([0.5, math.nan]), torch.tensor([0.5, 0.0]), clip)
        found = outcomes("G2", [*rows, {"seed": 1, "critic": name, **shares, **lost(clip)}])
        assert found[1] == NOT
        assert found[0] == (REPRODUCED if name == "SN" else NOT)
        assert found[2] == (NOT if name == "SN" else REPRODUCED)


def settings(good: Mapping[str, str], **bad: Any) -> Rows:
    """Settings A–F: objective → the letters that succeed, at twice the best of the seed; the others get `bad`."""
    rows: Rows = []
    for seed, level in enumerate((1.0, 10.0, 100.0)):
        for name, letters in good.items():
            for letter in "ABCDEF":
                row = end(seed, name, setting=letter, fd_tail=2 * level)
                rows.append(row if letter in letters else row | {k: v * level for k, v in bad.items()})
        rows.append(end(seed, "clip", setting="A", fd_tail=level))
    return rows


def test_g5_success_is_at_most_twice_the_best_fd_of_the_seed(tmp_path: Path) -> None:
    assert outcomes("G5", settings({"SN": "ABCDE", "GP": "ABF"}, fd_tail=2.01), tmp_path) == [REPRODUCED]
    assert outcomes("G5", settings({"SN": "ABCD", "GP": "ABF"}, fd_tail=2.01)) == [NOT]
    assert outcomes("G5", settings({"SN": "ABCDE", "GP": "ABDE"}, fd_tail=2.01)) == [NOT]
    assert outcomes("G5", settings({"SN": "", "GP": "ABF"}, fd_tail=2.0)) == [NOT]  # GP: as many of either half


def test_g5_a_diverged_run_does_not_succeed(tmp_path: Path) -> None:
    rows = settings({"SN": "ABCDEF", "GP": "ABC"}, fd_tail=math.inf)
    assert outcomes("G5", rows, tmp_path) == [REPRODUCED]
    for row in rows:
        if row["objective"] == "SN" and row["setting"] in "AB":
            row["status"] = "diverged"
    assert outcomes("G5", rows) == [NOT]


def costs(gp: float, sn: float, critic_step: float = 9.0) -> Rows:
    rows: Rows = []
    for seed in SEEDS:
        for timed in ("iteration", "critic step"):
            for name, ratio in {"none": 1.0, "clip": 1.0, "GP": gp, "SN": sn}.items():
                use = ratio if timed == "iteration" else critic_step
                rows.append({"seed": seed, "timed": timed, "constraint": name, "ratio": use, "seconds": 0.1 * use})
                rows[-1]["device"] = "a GPU"
    return rows


def test_g7_holds_the_whole_iteration_against_s8s_bounds(tmp_path: Path) -> None:
    assert outcomes("G7", costs(1.31, 1.29), tmp_path) == outcomes("G7", costs(2.99, 0.9)) == [REPRODUCED] * 2
    assert outcomes("G7", costs(1.29, 1.31)) == outcomes("G7", costs(3.01, 1.31, critic_step=1.0)) == [NOT] * 2


def advice(**changes: float) -> Rows:
    """Records under which every piece of advice holds, with these numbers in place of some."""
    use = {"error_1": 0.9, "error_5": 0.89, "none": 30.0, "batch": 41.0, "layer": 40.0, "minimax_5": 60.0, "GP_5": 36.0}
    use |= {"minimax_1": 30.0, "GP_1": 30.0} | changes
    rows: Rows = []
    for seed in SEEDS:
        for name, n in itertools.product(("GP", "minimax"), (1, 5)):
            rows.append(end(seed, name, factor="n_critic", n_critic=n, fd_tail=use[f"{name}_{n}"]))
        for n in (1, 5):
            about = {"seed": seed, "objective": "GP", "factor": "n_critic", "n_critic": n}
            rows.append(about | {"error": use[f"error_{n}"], "w1": 5.0})
        rows += [end(seed, "GP", factor="norm", norm=k, fd_tail=use[k]) for k in ("none", "batch", "layer")]
    return rows


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"error_5": 0.9}, 0),
        ({"error_5": math.inf, "error_1": math.inf}, 0),
        ({"batch": 39.9}, 1),
        ({"batch": 29.9, "layer": 20.0}, 1),
        ({"minimax_5": 59.0}, 2),
        ({"GP_5": 36.1}, 2),
        ({"GP_5": math.inf}, 2),
    ],
)
def test_g6_each_piece_of_advice_has_its_own_verdict(changes: dict[str, float], part: int) -> None:
    assert outcomes("G6", advice(**changes)) == [NOT if place == part else REPRODUCED for place in range(3)]


def test_g6_reproduced_throughout(tmp_path: Path) -> None:
    assert outcomes("G6", advice(), tmp_path) == [REPRODUCED] * 3


MADE = {
    "G6": advice,
    "G1": gradients,
    "G2": critics,
    "G3": comparison,
    "G4": lambda: tracking([2, 1, 4, 5, 3], [2, 1, 4, 5, 3]),
    "G5": lambda: settings({"SN": "ABCDE", "GP": "AB"}, fd_tail=9.0),
    "G7": lambda: costs(2.0, 1.0),
}


@pytest.mark.parametrize("name", MADE)
def test_image_studies_say_nothing_with_fewer_than_three_seeds(name: str) -> None:
    rows = [row for row in MADE[name]() if row["seed"] < 2]
    assert set(outcomes(name, rows)) == {OPEN}
