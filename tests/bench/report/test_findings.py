"""Verdicts and comparisons in words: who leads, by how much, and whether the seeds settle it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import Block, make_blocks
from lipbench.bench.report.findings import (
    block_verdict,
    comparisons,
    reliability,
    seeds_to_settle,
    survival_curves,
    verdict,
)
from lipbench.bench.report.statistics import rate

Make = Callable[..., Path]


def _blocks(folder: Path) -> list[Block]:
    return make_blocks(read_runs(folder), read_suite(folder))


def _tails(values: dict[tuple[str, int], float]) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        value = values[spec["objective"], spec["seed"]]
        result["metrics"]["w1"] = {"best": value / 2, "final": value, "tail_mean": value, "tail_sd": 0.0}
        result["floors"] = {"w1": 0.1}

    return change


def test_verdict_names_the_winner_its_level_and_every_failure(sweep: Path) -> None:
    text = verdict(_blocks(sweep))
    assert text.startswith(
        "0 of 2 comparisons are settled by their seeds. Not settled: 8gaussians (best median wgan-gp, W1 0"
    )
    assert "mnist5k (best median wgan-gp, FD(mnist-cnn) 13" in text and "× real data's own" in text
    assert text.endswith("Of 24 runs 21 completed, 1 diverged (minimax), 1 failed (wgan-clip), 1 skipped (sn-gan).")


def test_block_verdict_says_that_three_seeds_do_not_settle_it(make_sweep: Make, tmp_path: Path) -> None:
    values = {(o, s): (0.2 if o == "a" else 0.3) + 0.01 * s for o in "ab" for s in range(3)}
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), change=_tails(values))
    assert block_verdict(_blocks(tmp_path)[0]) == (
        "On 8gaussians · mlp-3x128 · matched, a has the best median W1: 0.210, 2.1 × real data's own. "
        "It beats b in 3 of 3 shared seeds: too few to settle it, for that at least 6 seeds are needed."
    )


@pytest.mark.parametrize(("losses", "end"), [(0, "(sign test p = 0.016)."), (2, "(sign test p = 0.45).")])
def test_block_verdict_with_enough_seeds_names_the_test(
    make_sweep: Make, tmp_path: Path, losses: int, end: str
) -> None:
    values = {(o, s): (0.2 if o == "a" else 0.3 if s >= losses else 0.1) for o in "ab" for s in range(7)}
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=7, change=_tails(values))
    text = block_verdict(_blocks(tmp_path)[0])
    assert f"It beats b in {7 - losses} of 7 shared seeds" in text and text.endswith(end)
    assert ("not a settled difference" in text) == (losses > 0)


@pytest.mark.parametrize(
    ("metric", "floor", "told"),
    [
        ("fd", 0.125, "FD(mnist-cnn): 0.300, 2.4 × real data's own."),
        ("fd", 0.0, "FD(mnist-cnn): 0.300."),
        ("fd", -0.1, "FD(mnist-cnn): 0.300."),
        ("kid", 0.125, "KID(mnist-cnn): 0.300."),
    ],
)
def test_block_verdict_divides_by_floors_above_zero_and_by_none_of_kid(
    make_sweep: Make, tmp_path: Path, metric: str, floor: float, told: str
) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        found = {"tail_mean": 0.3 if spec["objective"] == "a" else 0.4}
        result |= {"metrics": {metric: found}, "floors": {metric: floor}}
        result["protocol"] = {metric: {"extractor": "mnist-cnn"}}

    make_sweep(tmp_path, objectives=("a", "b"), datasets=("mnist5k",), change=change)
    assert f"has the best median {told} It beats b" in block_verdict(_blocks(tmp_path)[0])


def test_verdict_with_one_objective_or_no_measured_run_claims_nothing(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path / "one", objectives=("a",), datasets=("8gaussians",))
    assert verdict(_blocks(tmp_path / "one")).endswith(": nothing to compare. All 3 runs completed.")
    statuses = {(o, "8gaussians", s): "failed" for o in "ab" for s in range(2)}
    make_sweep(tmp_path / "none", objectives=("a", "b"), datasets=("8gaussians",), seeds=2, statuses=statuses)
    assert verdict(_blocks(tmp_path / "none")).endswith(
        "o objectives to compare. Of 4 runs 0 completed, 4 failed (a, b)."
    )
    assert "nothing to compare" in block_verdict(_blocks(tmp_path / "none")[0])


def test_verdict_counts_wins_where_winners_differ(make_sweep: Make, tmp_path: Path) -> None:
    datasets = ("8gaussians", "two-gaussians")

    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        good = (spec["objective"] == "a") == (spec["dataset"] == "8gaussians")
        _tails({(spec["objective"], spec["seed"]): 0.2 if good else 0.3})(spec, result)

    make_sweep(tmp_path, objectives=("a", "b"), datasets=datasets, change=change)
    text = verdict(_blocks(tmp_path))
    assert "8gaussians (best median a, W1 0.200, 2 × real data's own); two-gaussians (best median b, W1 0.200" in text


def _diverging(diverged: set[tuple[str, str, int]]) -> dict[tuple[str, str, int], str]:
    return dict.fromkeys(diverged, "diverged")


def _by_objective(a: float, b: float) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        _tails({(spec["objective"], spec["seed"]): a if spec["objective"] == "a" else b})(spec, result)

    return change


def test_verdict_tells_how_many_runs_of_the_best_diverged(make_sweep: Make, tmp_path: Path) -> None:
    statuses = _diverging({("a", "8gaussians", 0), ("a", "8gaussians", 1), ("b", "8gaussians", 0)})
    make_sweep(tmp_path, ("a", "b"), ("8gaussians",), statuses=statuses, change=_by_objective(0.2, 0.3))
    text = verdict(_blocks(tmp_path))
    assert ", a (2 of 3 runs diverged) has the best median W1: 0.200, 2 × real data's own." in text
    assert text.count("runs diverged") == 1  # of the second nothing is claimed


@pytest.mark.parametrize(("seeds", "settled"), [(2, 0), (3, 0), (6, 2)])
def test_verdict_counts_only_what_the_seeds_settle(make_sweep: Make, tmp_path: Path, seeds: int, settled: int) -> None:
    datasets = ("8gaussians", "25gaussians")
    make_sweep(tmp_path, ("a", "b"), datasets, seeds=seeds, change=_by_objective(0.2, 0.3))
    text = verdict(_blocks(tmp_path))
    assert text.startswith(f"{settled} of 2 comparisons are settled by their seeds{': a twice best' * bool(settled)}.")
    assert ("Not settled: 8gaussians" in text) == (settled == 0)
    assert ("too few to call an objective best" in text) == (seeds == 2) == ("best median" not in text)


def test_verdict_calls_a_lone_survivor_no_winner(make_sweep: Make, tmp_path: Path) -> None:
    statuses = {("b", "8gaussians", seed): "failed" for seed in range(3)}
    make_sweep(tmp_path, ("a", "b"), ("8gaussians",), statuses=statuses, change=_by_objective(0.2, 0.3))
    (block,) = _blocks(tmp_path)
    assert "a alone has a finite median W1, so there is no comparison" in block_verdict(block)
    assert block.marked(block.quality[0]) == []


def test_verdict_calls_nobody_best_where_all_are_equal(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, ("a", "b"), ("8gaussians",), change=_by_objective(0.25, 0.25))
    block = _blocks(tmp_path)[0]
    told = "On 8gaussians · mlp-3x128 · matched: all objectives have the same median W1, 0.250."
    assert block_verdict(block) == told and verdict([block]) == f"{told} All 6 runs completed."
    assert comparisons(block) == {}


def test_comparisons_are_of_the_best_against_each_other(sweep: Path) -> None:
    block = _blocks(sweep)[0]
    found = comparisons(block)
    assert found.keys() == {"minimax", "wgan-clip", "sn-gan"}
    assert (found["wgan-clip"].wins, found["wgan-clip"].pairs) == (2, 2)  # its third run failed
    assert found["minimax"].pairs == 3 and found["minimax"].wins == 3  # a diverged seed is beaten
    assert found["sn-gan"].difference.value > 0


def test_comparisons_are_corrected_for_their_number(make_sweep: Make, tmp_path: Path) -> None:
    level = {"a": 0.2, "b": 0.3, "c": 0.4, "d": 0.5}
    values = {(o, s): level[o] + 0.01 * s for o in "abcd" for s in range(6)}
    make_sweep(tmp_path / "many", objectives=tuple("abcd"), datasets=("8gaussians",), seeds=6, change=_tails(values))
    (many,) = _blocks(tmp_path / "many")
    assert {found.sign_p for found in comparisons(many).values()} == {3 * 2 / 2**6}
    assert "too few to settle it, for that at least 7 seeds are needed" in block_verdict(many)
    make_sweep(tmp_path / "two", objectives=tuple("ab"), datasets=("8gaussians",), seeds=6, change=_tails(values))
    assert "(sign test p = 0.031)" in block_verdict(_blocks(tmp_path / "two")[0])


@pytest.mark.parametrize(("others", "seeds"), [(1, 6), (3, 7), (17, 10)])
def test_seeds_to_settle_are_the_least_at_which_winning_all_is_significant(others: int, seeds: int) -> None:
    assert seeds_to_settle(others) == seeds
    assert others * 2 / 2**seeds < 0.05 <= others * 2 / 2 ** (seeds - 1)


def test_reliability_counts_diverged_and_failed_but_not_skipped(sweep: Path) -> None:
    points, images = (reliability(block) for block in _blocks(sweep))
    assert [r.failures for r in points] == [rate(1, 3), rate(1, 3), rate(0, 3), rate(0, 3)]
    assert images[3].failures == rate(0, 2)
    assert all(r.regret is not None and r.regret.value >= 0 for r in points)


def test_survival_curves_show_only_blocks_where_a_run_diverged(sweep: Path) -> None:
    first, second = _blocks(sweep)
    minimax, *others = survival_curves(first)
    assert minimax.x.tolist() == [0, 1160, 3000, 3000] and minimax.y == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3])
    assert all(set(curve.y) == {1.0} for curve in others)
    assert survival_curves(second) == []


def test_runs_that_lost_half_of_the_modes_are_told_apart_from_sound_ones(make_sweep: Make, tmp_path: Path) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        _by_objective(0.2, 0.3)(spec, result)
        modes = {"a": (4.0, 4.5, 3.0), "b": (8.0, 8.0, 5.0)}[spec["objective"]][spec["seed"]]
        result["metrics"]["modes"]["tail_mean"] = modes

    make_sweep(tmp_path, ("a", "b"), ("8gaussians", "own-gaussians"), change=change)
    rings, own = _blocks(tmp_path)
    assert [group.outcome for group in rings.groups] == ["1/3 ok, 2 few modes", "3/3 ok"]
    assert [group.outcome for group in own.groups] == ["3/3 ok"] * 2  # it has no modes to lose
    assert [row.few_modes for row in reliability(rings)] == [rate(2, 3), rate(0, 3)]
    assert [row.few_modes for row in reliability(own)] == [None, None]
    assert "a (2 of 3 runs with few modes) has the best median W1" in block_verdict(rings)
    assert verdict([rings, own]).endswith("All 12 runs completed. 2 completed with few modes (a).")
