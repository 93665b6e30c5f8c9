"""The search itself: draws, makes the runs, chooses the best of each objective, and makes that one with fresh seeds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...objectives.errors import BadInput, unknown
from ..config.datasets import describe, load_dataset
from ..config.entry_points import METRIC
from ..config.metrics import bring
from ..config.plugins import ResolvedObjective, find_objective
from ..config.spec import RunSpec, expand
from ..config.suite import Suite
from ..data.catalog import DATASETS, Kind, load
from ..metrics.catalog import FAMILIES
from ..metrics.labels import LABELS
from ..records.quantities import KNOWN, Quantity, quantity
from ..records.reader import RunRecord
from ..records.store import Store, locked, telling_disk_trouble, write_json
from ..report.trials import Trial, Tuned, value_of
from ..report.tuning import report_tuning
from ..run.context import RunContext
from ..sweep.apart import apart
from ..sweep.preflight import check_suite
from ..sweep.progress import say
from ..sweep.runner import Runner
from .draws import draw, effective_settings, with_settings
from .ranges import Ranges, check_keys, ranges_of

POINT_METRICS = ("w1", "modes", "high_quality", "mode_kl", "modes_any", "mode_kl_high_quality")


@dataclass(frozen=True)
class TuningPlan:
    """One objective in one block: the run it starts from, its ranges, the drawn configurations with their runs, and
    the seeds that the best one gets, none of which a configuration is chosen by.
    """

    base: RunSpec
    ranges: Ranges
    trials: list[tuple[dict[str, Any], RunSpec]]
    metric: Quantity
    fresh: range


def tune(suite: Suite, runner: Runner, budget: int, metric: str | None = None) -> int:
    """Tries `budget` configurations per objective at the suite's first seed, and the best of each with fresh seeds.

    Args:
        suite: what to tune; its `tune` has the ranges, its `seeds` say how many fresh ones are used.
        runner: makes the runs; its folder gets search/ (all configurations), best/ (an ordinary results folder), tables
            and plot.
        budget: configurations per objective and block.
        metric: whose tail mean is compared; None: w1 on points, fd on images, cosine on pairs.

    Returns:
        The exit status: 1 if a run failed, else 0.

    Raises:
        BadInput: for anything in the suite, its ranges or the metric that cannot be used, before the first run.
    """
    if not 1 <= budget <= suite.max_runs:
        raise BadInput(f"budget: {budget}: must be 1 to {suite.max_runs:,}, unless max_runs says more")
    context, folder = runner.context, runner.context.folder
    plans: list[TuningPlan] = apart(suite, context.suite_folder, runner.console, plan, suite, context, budget, metric)
    check_suite(suite, [p.base for p in plans], runner.context, runner.console)
    Store(folder / "search")  # made first: there must be a folder to lock
    with telling_disk_trouble(folder), locked(folder):
        write_json(folder / "tune.json", _about(suite, budget, plans))
        return _search(suite, plans, runner, budget)


def _search(suite: Suite, plans: Sequence[TuningPlan], runner: Runner, budget: int) -> int:
    specs = [spec for p in plans for _, spec in p.trials]
    say(f"{suite.name}: {budget} configurations for each of {len(plans)} objectives and blocks", runner.console)
    records = {r.id: r for r in _within(runner, "search").records(specs)}
    tuned = [_tuned(p, records, budget) for p in plans]
    best = [spec for p, found in zip(plans, tuned, strict=True) for spec in _best_with_fresh_seeds(p, found)]
    status = _within(runner, "best").sweep(suite, best).status if best else 0
    report_tuning(runner.context.folder, tuned, runner.console)
    return 1 if status or any(record.status == "failed" for record in records.values()) else 0


def _within(runner: Runner, name: str) -> Runner:
    """The same for a folder inside the results folder."""
    return replace(runner, context=replace(runner.context, folder=runner.context.folder / name))


def plan(suite: Suite, context: RunContext, budget: int, metric: str | None = None) -> list[TuningPlan]:
    """What is tried, per objective and block. Raises BadInput for a metric or ranges that cannot be used."""
    plans: list[TuningPlan] = []
    expand(suite, context)  # tells what is there twice; below every data set is looked at alone
    for dataset in suite.datasets:
        seeds = suite.seeds_on(dataset)
        fresh = range(max(seeds) + 1, max(seeds) + 1 + len(seeds))
        one = suite.model_copy(update={"datasets": [dataset], "seeds": [min(seeds)]})
        bases = expand(one, context)
        kind = describe(dataset, context).kind
        compared = _metric(metric, dataset, kind, suite, _brought(bases[0], context))
        targets = dict.fromkeys(base.objective_target for base in bases)
        founds = {target: find_objective(target, context.suite_folder) for target in targets}
        names = list(dict.fromkeys(n for target, found in founds.items() for n in (target, found.cls.name)))
        check_keys(suite.tune, list(founds.values()), names, suite.where)
        for base in bases:
            found = founds[base.objective_target]
            ranges = ranges_of(suite.tune, found, names, suite.where)
            if kind == "pairs" and not suite.tune:  # where no generator waits, more critic steps are a longer run
                ranges = {key: one for key, one in ranges.items() if key != "n_critic"}
            free = {key: one for key, one in ranges.items() if not _is_set_by_suite(key, base)}
            configurations = [draw(free, i) for i in range(budget if base.skip is None else 1)]
            trials = list(_trials(base, found, configurations, suite.where))
            plans.append(TuningPlan(base, free, trials, compared, fresh))
    return plans


def _is_set_by_suite(key: str, base: RunSpec) -> bool:
    """Whether the suite gives the objective this argument, so that it stands in its label, as in `r1(gamma=5.00)`."""
    return re.search(rf"[(, ]{re.escape(key)}=", base.objective) is not None


def _trials(
    base: RunSpec, found: ResolvedObjective, configurations: Sequence[dict[str, Any]], where: str
) -> Iterator[tuple[dict[str, Any], RunSpec]]:
    for i, values in enumerate(configurations, start=1):
        spec = with_settings(base, found, values, f"{base.recipe} #{i}", where)
        yield effective_settings(spec, values), spec


def _brought(base: RunSpec, context: RunContext) -> dict[str, Quantity]:
    """Somebody's metrics that can be compared, by key; they are tried out on the data."""
    if not any(key.startswith(f"{METRIC.name} ") for key in base.sources):
        return {}
    data = load_dataset(base.targets.get("dataset", base.dataset), context)
    brought = bring(base.evaluation, base.sources, base.targets, data, context.suite_folder)
    if data.pair is not None:
        return {}
    measure, _ = FAMILIES["brought"](None, data, base.evaluation, torch.device("cpu"), brought.metrics)
    return {key: quantity(key, how) for key, how in measure.protocol.items() if "better" in how}


def _metric(name: str | None, dataset: str, kind: Kind, suite: Suite, brought: Mapping[str, Quantity]) -> Quantity:
    if name is not None and name in brought:
        return brought[name]
    here = _comparable(kind)
    key = name or here[0]
    if key not in here:
        raise BadInput(f"on {dataset}: {unknown('metric', key, [*here, *brought])}")
    measured = _measured(dataset, kind, suite)
    if key not in measured:
        raise BadInput(f"{suite.where}: metric {key}: not measured on {dataset}; measured: {', '.join(measured)}")
    return KNOWN[key]


def _comparable(kind: Kind) -> list[str]:
    """Metrics of such data by which one configuration is better than another; the usual one first."""
    if kind == "points":
        return list(POINT_METRICS)
    others = [key for key, q in KNOWN.items() if q.quality and q.better and key not in POINT_METRICS]
    return [key for key in others if (key in LABELS) == (kind != "pairs")]


def _measured(dataset: str, kind: Kind, suite: Suite) -> Sequence[str]:
    """Which of the metrics that can be compared the suite's runs have."""
    if kind == "pairs":
        return _comparable(kind)
    if kind != "points":
        return suite.evaluation.of_images
    return POINT_METRICS if dataset in DATASETS and load(dataset).mixture is not None else ["w1"]


def _tuned(plan: TuningPlan, records: dict[str, RunRecord], budget: int) -> Tuned:
    trials = [Trial(v, records[spec.id], value_of(records[spec.id], plan.metric)) for v, spec in plan.trials]
    base = plan.base
    block = base.dataset, base.architecture, base.recipe
    return Tuned(block, base.objective, plan.metric, budget, len(plan.fresh), trials)


def _best_with_fresh_seeds(plan: TuningPlan, found: Tuned) -> Iterator[RunSpec]:
    if found.best is not None:
        for seed in plan.fresh:
            yield replace(plan.trials[found.best][1], seed=seed, recipe=found.label)


def _about(suite: Suite, budget: int, plans: Sequence[TuningPlan]) -> dict[str, Any]:
    return {
        "name": suite.name,
        "budget": budget,
        "metrics": {p.base.dataset: p.metric.key for p in plans},
        "ranges": {p.base.objective: {key: one.record() for key, one in p.ranges.items()} for p in plans},
        "suite": suite.model_dump(),
    }
