"""Evaluation noise apart from the seeds', and the dependence on the sample size, recomputed by hand."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import Block, make_blocks
from lipbench.bench.report.noise import noise, size_curves
from lipbench.bench.report.notes import notes
from lipbench.bench.report.statistics import scatter
from lipbench.objectives import BadInput

Make = Callable[..., Path]


def _block(folder: Path) -> Block:
    return make_blocks(read_runs(folder), read_suite(folder))[0]


def _again(sd: float, **bias: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        key = "w1" if "gaussians" in spec["dataset"] else "fd"
        result["evaluation_noise"] = {key: {"values": [1.0, 2.0], "sd": sd * (1 + spec["seed"])}}
        result["bias"] = {key: {"sizes": [50, 100], "values": [5.0 + spec["seed"], 4.0 + spec["seed"]], **bias}}
        result["metrics"][key]["tail_mean"] = float(1 + spec["seed"] ** 2)

    return change


def test_scatter_subtracts_the_evaluations_variance() -> None:
    found = scatter([1.0, 4.0, 7.0], [1.0, 2.0, 6.0])
    # variances: 9 between the seeds, of that (1 + 2 + 6)/3 = 3 from the evaluation
    assert (found.seeds, found.evaluation, found.without) == (3.0, math.sqrt(3.0), math.sqrt(6.0))
    explained = scatter([1.0, 4.0, 7.0], [100.0])
    assert (explained.variance, explained.without) == (9.0 - 100.0, 0.0)


def test_scatter_leaves_a_variance_without_bias_where_the_seeds_do_not_differ() -> None:
    """Its root, cut off at 0, cannot be."""
    rng = np.random.default_rng(0)
    found = [scatter(rng.normal(size=5).tolist(), [1.0]) for _ in range(2000)]
    assert np.mean([one.variance for one in found if one.variance is not None]) == pytest.approx(0.0, abs=0.06)
    assert np.mean([one.without for one in found if one.without is not None]) > 0.2


def test_scatter_recovers_the_parts_of_a_simulated_variance() -> None:
    rng = np.random.default_rng(0)
    generators = 5 + 2.0 * rng.normal(size=4000)
    repeated = generators[:, None] + 1.5 * rng.normal(size=(4000, 3))
    found = scatter((generators + 1.5 * rng.normal(size=4000)).tolist(), np.var(repeated, axis=1, ddof=1).tolist())
    assert found.seeds == pytest.approx(2.5, rel=0.05)
    assert found.evaluation == pytest.approx(1.5, rel=0.05)
    assert found.without == pytest.approx(2.0, rel=0.05)


def test_scatter_of_too_few_seeds_or_without_repeats_says_so() -> None:
    few = scatter([1.0, 4.0, math.inf], [1.0])
    assert (few.seeds, few.evaluation, few.without, few.note) == (None, 1.0, None, "2 of at least 3 seeds")
    single = scatter([1.0, 4.0, 7.0], [])
    assert (single.seeds, single.without, single.note) == (3.0, None, "evaluations were not repeated")


def test_noise_counts_the_evaluations_that_a_tail_mean_averages(make_sweep: Make, tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "a", objectives=("a",), datasets=("8gaussians",), change=_again(0.6))
    (row,) = noise(_block(folder))
    # 31 evaluations at 0, 100, …, 3000: six of them are beyond 2400. Seeds have the sds 0.6, 1.2 and 1.8.
    assert row.scatter.evaluation == pytest.approx(math.sqrt((0.36 + 1.44 + 3.24) / 3 / 6), rel=1e-12)
    assert row.scatter.seeds == pytest.approx(np.std([1.0, 2.0, 5.0], ddof=1), rel=1e-12)
    assert row.one_evaluation == pytest.approx(math.sqrt((0.36 + 1.44 + 3.24) / 3), rel=1e-12)
    assert row.limit is None and row.error is None


def test_noise_has_the_extrapolated_distance_over_seeds(make_sweep: Make, tmp_path: Path) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        _again(0.1, limit=3.0 + spec["seed"], error=0.1 * (1 + spec["seed"]))(spec, result)

    block = _block(make_sweep(tmp_path / "a", objectives=("a",), datasets=("mnist5k",), change=change))
    (row,) = noise(block)
    assert row.limit is not None and (row.limit.value, row.limit.low, row.limit.high) == (4.0, 3.0, 5.0)
    assert row.error == pytest.approx(0.2, rel=1e-12)
    (curve,) = size_curves(block)
    assert curve.x.tolist() == [0.0, 0.01, 0.02] and curve.y.tolist() == [4.0, 5.0, 6.0]
    assert len(curve.lines) == 3


def test_records_without_repeats_have_neither_rows_nor_curves_nor_a_note(sweep: Path) -> None:
    blocks = make_blocks(read_runs(sweep), read_suite(sweep))
    assert noise(blocks[0]) == [] and size_curves(blocks[0]) == []
    assert not any("Noise of one evaluation" in note for note in notes(blocks))


def test_notes_tell_the_noise_of_each_dataset(make_sweep: Make, tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "a", objectives=("a", "b"), change=_again(0.0123))
    (note,) = [n for n in notes(make_blocks(read_runs(folder), read_suite(folder))) if "Noise" in n]
    assert note.endswith("spread): W1 0.027 on 8gaussians, FD(mnist-cnn) 0.027 on mnist5k.")


@pytest.mark.parametrize("bad", [[1], {"w1": {"sd": "x"}}, {"w1": 3}, {"w1": {"values": ["a"]}}])
def test_damaged_noise_is_named(make_sweep: Make, tmp_path: Path, bad: Any) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        result["evaluation_noise"] = bad

    folder = make_sweep(tmp_path / "a", objectives=("a",), datasets=("8gaussians",), seeds=1, change=change)
    with pytest.raises(BadInput, match=r"result\.json: 'evaluation_noise[\w.]*' is"):
        read_runs(folder)
