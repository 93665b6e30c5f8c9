"""What plots show: lines, medians that do not follow the survivors, crosses, and styles that stay apart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lipbench.bench.records.quantities import KNOWN
from lipbench.bench.records.reader import RunRecord, read_run, read_runs
from lipbench.bench.records.schema import Measured, RunOutcome, RunResult
from lipbench.bench.report.blocks import Block, Group
from lipbench.bench.report.curves import Curve, curves, log_scale, sample_runs, styles
from lipbench.bench.report.palette import CYCLE

STEPS = [0, 10, 20, 30]


def _run(seed: int, w1: list[float], diverged_at: int | None = None, steps: list[int] = STEPS) -> RunRecord:
    spec: dict[str, Any] = {"run": f"r{seed}", "seed": seed, "objective": "o"}
    status = "completed" if diverged_at is None else "diverged"
    measured = Measured(steps=steps[-1], metrics={}, floors={}, protocol={})
    result = RunResult(f"r{seed}", {}, RunOutcome(status, diverged_at=diverged_at), measured=measured)
    history = pd.DataFrame({"step": steps, "seconds": [0.1 * (seed + 1) * s for s in steps], "w1": w1, "x": w1})
    return RunRecord(Path(), spec, result, history.astype(float), None)


def _curve(*runs: RunRecord, key: str = "w1", against: str = "step") -> Curve:
    metric = KNOWN.get(key) or KNOWN["critic_loss"].__class__(key, key)
    (found,) = curves(Block(("d", "a", "r"), (Group("o", runs),), {}), metric, against)
    return found


def test_curves_median_is_taken_step_by_step() -> None:
    found = _curve(_run(0, [4, 3, 2, 1]), _run(1, [5, 1, 9, 3]), _run(2, [9, 2, 3, 8]))
    assert found.x.tolist() == STEPS and found.y.tolist() == [5, 2, 3, 3]
    assert [line.y.tolist() for line in found.lines] == [[4, 3, 2, 1], [5, 1, 9, 3], [9, 2, 3, 8]]


def test_curves_median_counts_diverged_seeds_as_the_worst() -> None:
    dead = _run(1, [5, 1, np.nan], diverged_at=15, steps=[0, 10, 20])
    found = _curve(_run(0, [4, 3, 2, 1]), dead, _run(2, [9, 2, 3, 8]))
    assert found.x.tolist() == STEPS and found.y.tolist() == [5, 2, 3, 8]  # the worse of the two that are left
    most_dead = _curve(_run(0, [4, 3, 2, 1]), dead, _run(2, [9, 2, np.nan, np.nan], diverged_at=12))
    assert most_dead.x.tolist() == [0, 10] and most_dead.y.tolist() == [5, 2]


def test_curves_without_a_direction_take_the_median_of_those_left() -> None:
    dead = _run(1, [5, 1], diverged_at=15, steps=[0, 10])
    found = _curve(_run(0, [4, 3, 2, 1]), dead, _run(2, [9, 2, 3, 8]), key="x")
    assert found.y.tolist() == [5, 2, 2.5, 4.5]


def test_curves_against_seconds_use_each_runs_own_clock() -> None:
    found = _curve(_run(0, [4, 3, 2, 1]), _run(1, [5, 1, 9, 3]), _run(2, [9, 2, 3, 8]), against="seconds")
    assert found.lines[2].x.tolist() == pytest.approx([0, 3, 6, 9])
    assert found.x.tolist() == pytest.approx([0, 2, 4, 6])


def test_cross_stands_where_the_run_diverged_at_its_last_finite_value() -> None:
    (line,) = _curve(_run(1, [5, 1, np.nan], diverged_at=15, steps=[0, 10, 20]), against="seconds").lines
    assert line.cross == (pytest.approx(3.0), 1.0)  # step 15 at 0.2 s a step
    run = _run(1, [5, 1, 7, 9], diverged_at=15)
    outcome = RunOutcome("completed", diverged_at=15, recovered=True)
    (recovered,) = _curve(replace(run, result=replace(run.result, outcome=outcome))).lines
    assert recovered.cross == (15.0, 1.0)
    assert (line.recovered, recovered.recovered) == (False, True)
    assert _curve(_run(0, [4, 3, 2, 1])).lines[0].cross is None


def test_curves_thin_long_histories_but_keep_both_ends() -> None:
    steps = list(range(5000))
    run = _run(0, [float(s) for s in steps], steps=steps)
    (found,) = curves(Block(("d", "a", "r"), (Group("o", (run,)),), {}), KNOWN["w1"], most=50)
    assert len(found.x) == len(found.lines[0].x) == 50
    assert (found.x[0], found.x[-1]) == (found.lines[0].x[0], found.lines[0].x[-1]) == (0, 4999)


def test_curves_leave_out_objectives_without_values() -> None:
    empty = _run(0, [np.nan] * 4)
    assert curves(Block(("d", "a", "r"), (Group("o", (empty,)),), {}), KNOWN["w1"]) == []
    assert curves(Block(("d", "a", "r"), (Group("o", (empty,)),), {}), KNOWN["fd"]) == []


@pytest.mark.parametrize(
    ("key", "ends", "log"),
    [
        ("w1", (0.1, 5.0), True),
        ("critic_estimate", (0.1, 5.0), True),
        ("w1", (1.0, 5.0), False),
        ("w1", (0.0, 500.0), False),
        ("w1", (np.nan, np.nan), False),
        ("high_quality", (0.1, 5.0), False),  # better the higher it is
        ("generator_grad_norm", (1.0, 5.0), True),
    ],
)
def test_log_scale_needs_positive_values_over_a_wide_range(key: str, ends: tuple[float, float], log: bool) -> None:
    metric = KNOWN[key]
    assert log_scale(Block(("d", "a", "r"), (), {}, {(metric.name, ""): ends}), metric) == log


def test_styles_differ_for_more_objectives_than_there_are_colours() -> None:
    found = styles([f"o{i}" for i in range(2 * len(CYCLE) + 3)])
    assert len({(s.colour, s.dashes) for s in found.values()}) == len(found)
    assert found["o0"].dashes == () and found["o7"].dashes != () and found["o0"].colour == found["o7"].colour


def test_sample_runs_prefer_a_seed_that_all_objectives_have(sweep: Path) -> None:
    runs = [r for r in read_runs(sweep) if r.block[0] == "mnist5k"]
    names = ["minimax", "sn-gan"]
    groups = tuple(Group(o, tuple(r for r in runs if r.objective == o)) for o in names)
    shown = sample_runs(Block(("d", "a", "r"), groups, {}))
    assert {o: r.seed for o, r in shown.items() if r} == {"minimax": 1, "sn-gan": 1}  # seed 0 of sn-gan was skipped


def test_sample_runs_without_a_common_seed_take_each_ones_first(
    make_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=2)
    (tmp_path / "runs" / "a-8gaussians-matched-0" / "samples.npz").unlink()
    (tmp_path / "runs" / "b-8gaussians-matched-1" / "samples.npz").unlink()
    groups = tuple(Group(o, tuple(r for r in read_runs(tmp_path) if r.objective == o)) for o in "ab")
    shown = sample_runs(Block(("d", "a", "r"), groups, {}))
    assert {o: r.seed for o, r in shown.items() if r} == {"a": 1, "b": 0}
    result = tmp_path / "runs" / "a-8gaussians-matched-1" / "result.json"
    assert read_run(result.parent).samples is not None and json.loads(result.read_text())["status"] == "completed"
