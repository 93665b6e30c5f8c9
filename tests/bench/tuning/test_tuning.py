"""The search with an equal budget: ranges, draws, best-of-k curves against enumeration, and a whole small search."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from lipbench.bench.config.plugins import find_objective
from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.quantities import KNOWN
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.records.schema import Measured, RunOutcome, RunResult
from lipbench.bench.records.store import locked
from lipbench.bench.report.statistics import expected_best, median_best
from lipbench.bench.report.trials import Trial, Tuned, value_of
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import LocalExecutor
from lipbench.bench.sweep.runner import Runner
from lipbench.bench.tuning import tune
from lipbench.bench.tuning.draws import draw, uniform_draw, with_settings
from lipbench.bench.tuning.ranges import DEFAULTS, WHOLE, OneOf, Range
from lipbench.bench.tuning.search import plan
from lipbench.models import Recipe
from lipbench.objectives import BadInput

MakeSuite = Callable[..., Suite]


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_best_of_k_curves_agree_with_all_draws_counted_out(better: Any) -> None:
    values, pick = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6], {"lower": min, "higher": max}[better]
    expected, middle = expected_best(values, better), median_best(values, better)
    for k in range(1, 7):
        bests = sorted((pick(draw) for draw in itertools.combinations(values, k)), reverse=better == "higher")
        assert expected[k - 1] == pytest.approx(np.mean(bests), rel=1e-12)
        assert middle[k - 1] == bests[(len(bests) - 1) // 2]


def test_expected_best_is_infinite_until_a_finite_value_is_sure() -> None:
    assert expected_best([2.0, math.inf, 1.0], "lower").tolist() == [math.inf, pytest.approx(4 / 3), 1.0]
    assert expected_best([2.0, math.inf, math.inf], "lower").tolist() == [math.inf, math.inf, 2.0]
    assert median_best([2.0, math.inf, 1.0], "lower").tolist() == [2.0, 1.0, 1.0]


def test_shares_are_uniform_and_of_different_settings_unrelated() -> None:
    lr, beta = (np.array([uniform_draw(key, i) for i in range(2000)]) for key in ("lr", "beta1"))
    assert stats.kstest(lr, "uniform").pvalue > 0.01 and stats.kstest(beta, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(lr, beta)[0, 1]) < 0.06


def test_ranges_are_even_in_what_they_say() -> None:
    u = np.arange(1000) / 1000
    plain, log = (np.array([Range(1e-3, 1e1, log=log).at(x) for x in u]) for log in (False, True))
    assert np.median(plain) == pytest.approx(5.0, rel=0.01) and np.median(log) == pytest.approx(0.1, rel=0.01)
    assert log.min() == 1e-3 and log.max() < 1e1
    whole = [Range(2, 4, whole=True).at(x) for x in u]
    assert [whole.count(n) for n in (2, 3, 4)] == [334, 333, 333] and all(isinstance(n, int) for n in whole)
    chosen = [OneOf(("a", "b", "c", "d")).at(x) for x in u]
    assert [chosen.count(c) for c in "abcd"] == [250] * 4


def test_a_larger_budget_begins_with_the_smaller_ones_configurations(
    make_suite: MakeSuite, context: RunContext
) -> None:
    suite = make_suite(objectives=["minimax", "wgan-gp"], recipe="matched")
    three, five = (plan(suite, context, n) for n in (3, 5))
    for small, large in zip(three, five, strict=True):
        assert [spec.id for _, spec in small.trials] == [spec.id for _, spec in large.trials][:3]
    # the settings of the recipe are drawn alike for both objectives
    shared = [[{k: v[k] for k in DEFAULTS} for v, _ in p.trials] for p in five]
    assert shared[0] == shared[1] and len({v["lr"] for v in shared[0]}) == 5
    assert all("weight" in v and 0.1 <= v["weight"] <= 100 for v, _ in five[1].trials)


def test_plan_starts_from_the_suites_recipe_and_changes_what_is_drawn(
    make_suite: MakeSuite, context: RunContext
) -> None:
    declared = {"lr": {"low": 1e-4, "high": 1e-2, "log": True}, "wgan-gp": {"lr": [0.5], "weight": [7.0]}}
    suite = make_suite(objectives=["minimax", "wgan-gp"], recipe="published", tune=declared, seeds=[4, 6])
    first, second = plan(suite, context, 2)
    (base, *_) = expand(suite, context)
    assert all(s.recipe_spec.betas == base.recipe_spec.betas for _, s in first.trials)
    assert all(s.recipe_spec.lr == 0.5 and s.arguments["weight"] == 7.0 for _, s in second.trials)
    assert all(set(v) == {"lr"} and 1e-4 <= v["lr"] <= 1e-2 for v, _ in first.trials)
    assert all(s.seed == 4 for _, s in first.trials) and list(first.fresh) == [7, 8]
    assert [s.recipe for _, s in first.trials] == ["published #1", "published #2"]


def test_configured_sets_one_beta_and_keeps_the_ratio_of_the_rates(make_suite: MakeSuite, context: RunContext) -> None:
    (spec,) = expand(
        make_suite(recipe={"lr": 0.01, "critic_lr": 0.04, "betas": [0.1, 0.8]}),
        context,
    )
    found = with_settings(spec, find_objective("wgan-gp"), {"lr": 0.001, "beta2": 0.95}, "r", "here").recipe_spec
    assert (found.lr, found.critic_lr, found.betas) == (0.001, pytest.approx(0.004), (0.1, 0.95))


def test_arguments_that_stand_in_the_suite_are_not_drawn(make_suite: MakeSuite, context: RunContext) -> None:
    (one,) = plan(make_suite(objectives=[{"name": "wgan-gp", "weight": 3.0}]), context, 2)
    assert "weight" not in one.ranges and all(s.arguments["weight"] == 3.0 for _, s in one.trials)


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ({"lrr": [1.0]}, r"unknown key 'lrr' \(did you mean 'lr'\?\); known: .*"),
        ({"lr": {"low": 1.0, "high": 0.1}}, "lr: low=1.0, high=0.1: low must be less than high"),
        ({"lr": {"low": 0, "high": 0.1, "log": True}}, "lr: low=0: must be more than 0 where log is true"),
        ({"lr": {"low": "1e-5", "high": 0.1}}, r"lr: low='1e-5', high=0.1: must be finite numbers"),
        ({"lr": {"low": 1, "high": 10**400}}, r"lr: low=1, high=10+: must be finite numbers"),
        ({"betas": [0.5], "beta1": [0.1]}, "betas=0.5: Input should be a valid tuple"),
        ({"betas": [[0.5]], "beta2": [0.1]}, "betas.*: Field required"),
        ({"lr": 0.1}, r"lr: must be \{low: …, high: …, log: true or false\} or a list of choices, not 0.1"),
        ({"lr": []}, "lr: an empty list has nothing to choose from"),
        ({"lr": {"low": 0.1, "high": 1.0, "log": 3}}, "lr: log=3: must be true or false"),
        ({"n_critic": {"low": 1, "high": 2.5}}, "n_critic: low=1, high=2.5: must be whole numbers"),
        ({"wgan-gp": [1]}, r"wgan-gp: must be a mapping from settings to ranges, not \[1\]"),
        ({"wgan-gp": {"clip": [1.0]}}, "wgan-gp: unknown setting 'clip'.*"),
        ({"n_critic": [0]}, "n_critic=0: must be ≥ 1, at most .*"),
        ({"lr": [True]}, "lr=True: must not be true or false"),
        ({"weight": [-1.0]}, ".*weight.*"),
    ],
)
def test_bad_ranges_are_one_clear_line(
    make_suite: MakeSuite, context: RunContext, declared: dict[str, Any], line: str
) -> None:
    with pytest.raises(BadInput, match=f"^suite 'small': tune: {line}$"):
        plan(make_suite(tune=declared), context, 2)


def test_metric_that_does_not_fit_the_data_is_refused_before_any_run(
    make_suite: MakeSuite, context: RunContext
) -> None:
    with pytest.raises(BadInput, match=r"^on 8gaussians: unknown metric 'fd'; known: high_quality, mode_kl,.* w1$"):
        plan(make_suite(), context, 2, "fd")


PAIR = {"datasets": ["funnels:d=2&n=3"], "steps": 2, "evaluation": {"count": 1, "points": 50, "repeats": 0}}


@pytest.mark.parametrize(
    ("metric", "better"), [(None, max), ("gradient_error", min), ("cost_error_scaled", min), ("cosine", max)]
)
def test_critics_on_a_pair_are_tuned_by_what_is_measured_there(
    make_suite: MakeSuite, context: RunContext, metric: str | None, better: Callable[[list[float]], float]
) -> None:
    suite = make_suite(tune={"lr": {"low": 0.001, "high": 0.1, "log": True}}, **PAIR)
    assert tune(suite, Runner(context, LocalExecutor(), Console(quiet=True)), 3, metric) == 0
    trials = pd.read_csv(context.folder / "tune.csv")
    assert set(trials["metric"]) == {metric or "cosine"} and trials["value"].nunique() == 3
    assert trials.loc[trials["best"], "value"].tolist() == [better(trials["value"].tolist())]
    best = pd.read_csv(context.folder / "best" / "runs.csv")
    assert best["seed"].tolist() == [1] and best["status"].tolist() == ["completed"]


def test_critics_on_a_pair_are_not_tuned_by_their_number_of_steps(make_suite: MakeSuite, context: RunContext) -> None:
    (usual,), (asked,) = (plan(make_suite(tune=tune, **PAIR), context, 1) for tune in ({}, {"n_critic": [1, 2]}))
    assert set(usual.ranges) == {"lr", "beta1", "weight"} and set(asked.ranges) == {"n_critic"}


@pytest.mark.parametrize("name", ["fd", "w1", "cost"])
def test_metric_that_no_critic_on_a_pair_has_or_is_better_by_is_refused(
    make_suite: MakeSuite, context: RunContext, name: str
) -> None:
    line = rf"^on funnels:d=2&n=3: unknown metric '{name}'.*; known: cosine, .*gradient_error.*$"
    with pytest.raises(BadInput, match=line):
        plan(make_suite(**PAIR), context, 2, name)


POINTS = """
import torch
def points():
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    return x[:40], x[40:]
"""


def test_somebodys_points_are_tuned_by_w1(make_suite: MakeSuite, context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(POINTS, encoding="utf-8")
    (found,) = plan(make_suite(datasets=["my.py:points"]), context, 1)
    assert found.metric.key == "w1"


METRIC = """
from torchmetrics import Metric
class Gap(Metric):
    higher_is_better = True
    def update(self, samples, real): ...
    def compute(self): return {"a": 1.0, "b": 2.0}
class Odd(Gap):
    higher_is_better = None
"""


def test_metric_of_others_can_be_tuned_for(make_suite: MakeSuite, context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(METRIC, encoding="utf-8")
    evaluation = {"count": 1, "points": 50, "mode_points": 100, "metrics": ["my.py:Gap", "my.py:Odd"]}
    suite = make_suite(evaluation=evaluation)
    (found,) = plan(suite, context, 1, "Gap.b")
    assert (found.metric.key, found.metric.better, found.metric.worst) == ("Gap.b", "higher", -math.inf)
    for name in ("Gap", "Gap.c", "Odd.a"):
        with pytest.raises(
            BadInput, match=rf"^on 8gaussians: unknown metric '{name}'.*known: Gap.a, Gap.b, high_quality"
        ):
            plan(suite, context, 1, name)


@pytest.mark.parametrize(
    ("content", "metric", "line"),
    [
        ({"datasets": ["swissroll"]}, "modes", "metric modes: not measured on swissroll; measured: w1"),
        ({"datasets": ["digits"], "evaluation": {"metrics": ["kid"]}}, None, "metric fd: not .*; measured: kid"),
    ],
)
def test_metric_that_the_suite_does_not_measure_is_refused_before_any_run(
    make_suite: MakeSuite, context: RunContext, content: dict[str, Any], metric: str | None, line: str
) -> None:
    with pytest.raises(BadInput, match=f"^suite 'small': {line}$"):
        plan(make_suite(**content), context, 2, metric)


def test_tune_in_a_folder_where_another_is_at_work_changes_nothing(make_suite: MakeSuite, context: RunContext) -> None:
    (context.folder / "search").mkdir(parents=True)
    (context.folder / "tune.json").write_text("the other's")
    with locked(context.folder), pytest.raises(BadInput, match="another command is at work in this folder"):
        tune(make_suite(), Runner(context, LocalExecutor(), Console(quiet=True)), 1)
    assert (context.folder / "tune.json").read_text() == "the other's"


def test_tune_tells_that_a_folder_cannot_be_written(make_suite: MakeSuite, context: RunContext) -> None:
    context.folder.touch()
    with pytest.raises(BadInput, match="cannot write there: Not a directory"):
        tune(make_suite(), Runner(context, LocalExecutor(), Console(quiet=True)), 1)


def test_range_of_a_whole_number_setting_is_whole(make_suite: MakeSuite, context: RunContext) -> None:
    declared = {key: {"low": 2, "high": 9} for key in ("kernels", "generator_batch", "weight")}
    (one,) = plan(make_suite(objectives=["minibatch-discrimination"], tune=declared), context, 8)
    kinds = {"kernels": int, "generator_batch": int, "weight": float}
    assert all({key: type(value) for key, value in values.items()} == kinds for values, _ in one.trials)


def test_whole_settings_are_those_that_a_recipe_says() -> None:
    hints = get_type_hints(Recipe)
    assert set(WHOLE) == {key for key, hint in hints.items() if hint in (int, int | None)}


def _record(status: str, value: float | None) -> RunRecord:
    measured = Measured(steps=1, metrics={"w1": {"tail_mean": value}}, floors={}, protocol={})
    result = RunResult("r", {}, RunOutcome(status), measured=measured)
    return RunRecord(Path(), {"run": "r"}, result, pd.DataFrame({"step": []}), None)


def test_a_diverged_trial_counts_as_worst_and_is_never_the_best() -> None:
    assert value_of(_record("diverged", 0.01), KNOWN["w1"]) == math.inf
    assert math.isnan(value_of(_record("skipped", None), KNOWN["w1"]))
    records = [_record("diverged", 0.01), _record("completed", 0.5), _record("completed", 0.3), _record("failed", None)]
    trials = [Trial({}, r, value_of(r, KNOWN["w1"])) for r in records]
    tuned = Tuned(("d", "a", "r"), "o", KNOWN["w1"], 4, 3, trials)
    assert tuned.best == 2 and tuned.lost == 2 and tuned.values == [math.inf, 0.5, 0.3, math.inf]
    assert Tuned(("d", "a", "r"), "o", KNOWN["w1"], 1, 3, trials[:1]).best is None


def test_tune_makes_the_budget_the_best_with_fresh_seeds_and_a_table(
    make_suite: MakeSuite, context: RunContext
) -> None:
    tuned = {"lr": [0.001, 0.01, 0.1], "weight": [1.0, 9.0]}
    suite = make_suite(objectives=["minimax", "wgan-gp"], recipe="matched", tune=tuned, steps=2)
    finished: list[dict[str, int]] = []
    for budget in (1, 2):
        console = Console(record=True, width=140)
        assert tune(suite, Runner(context, LocalExecutor(), console), budget) == 0
        runs = (context.folder / "search" / "runs").iterdir()
        finished.append({p.name: (p / "result.json").stat().st_mtime_ns for p in runs})
    assert [len(runs) for runs in finished] == [2, 4]
    assert finished[0].items() <= finished[1].items()  # a larger budget keeps what is there

    trials = pd.read_csv(context.folder / "tune.csv")
    assert trials.groupby("objective").size().to_dict() == {"minimax": 2, "wgan-gp": 2}
    for _, rows in trials.groupby("objective"):
        assert rows.loc[rows["best"], "value"].item() == rows["value"].min()
    best = pd.read_csv(context.folder / "best" / "runs.csv")
    assert set(best["seed"]) == {1} and set(best["recipe"]) == {"matched, best of 2"}
    assert sorted(best["objective"]) == ["minimax", "wgan-gp"]
    curve = pd.read_csv(context.folder / "best-of-k.csv")
    assert curve[curve["k"] == 2]["expected_best"].tolist() == trials.groupby("objective")["value"].min().tolist()
    assert "| minimax | 2 | 0 of 2 | lr=" in (context.folder / "tune.md").read_text()
    assert "Fewer than 3 fresh seeds" in console.export_text()
    assert json.loads((context.folder / "tune.json").read_text())["ranges"]["minimax"] == {"lr": [0.001, 0.01, 0.1]}
    assert [p.suffix for p in (context.folder / "plots").iterdir()] == [".png"]


def test_draw_takes_each_setting_at_its_own_share() -> None:
    ranges = {"lr": Range(0.0, 1.0), "n_critic": OneOf((1, 2))}
    assert draw(ranges, 3) == {"lr": uniform_draw("lr", 3), "n_critic": 1 + int(2 * uniform_draw("n_critic", 3))}
