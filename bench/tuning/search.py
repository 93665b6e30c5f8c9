"""The search itself: draws, makes the runs, chooses the best of each objective, and makes that one with fresh seeds."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ...objectives.errors import BadInput, unknown
from ..config.plugins import find_objective
from ..config.spec import RunSpec, expand
from ..config.suite import Suite
from ..data import POINTS, load
from ..records.quantities import KNOWN, Quantity
from ..records.reader import RunRecord
from ..records.store import Store, locked, telling_disk_trouble, write_json
from ..report.trials import Trial, Tuned, value_of
from ..report.tuning import report_tuning
from ..run.train import RunContext
from ..sweep.executors import Executor
from ..sweep.progress import say
from ..sweep.runner import check_suite, records_of_specs, sweep_of
from .draws import configured, draw, shown
from .ranges import Ranges, check_keys, ranges_of

POINT_METRICS = ("w1", "modes", "high_quality", "mode_kl")


@dataclass(frozen=True)
class Plan:
    """One objective in one block: the run it starts from, its ranges, the drawn configurations with their runs, and
    the seeds that the best one gets, none of which a configuration is chosen by.
    """

    base: RunSpec
    ranges: Ranges
    trials: list[tuple[dict[str, Any], RunSpec]]
    metric: Quantity
    fresh: range


def tune(
    suite: Suite,
    folder: Path,
    place: RunContext,
    executor: Executor | int,
    budget: int,
    metric: str | None,
    data_dir: Path | None,
    console: Console,
) -> int:
    """Tries `budget` configurations per objective at the suite's first seed, and the best of each with fresh seeds.

    Args:
        suite: what to tune; its `tune` has the ranges, its `seeds` say how many fresh ones are used.
        folder: where the suite file lies.
        place: its folder gets search/ (all configurations), best/ (an ordinary results folder), tables and plot.
        executor: makes the runs; a number stands for so many worker processes here.
        budget: configurations per objective and block.
        metric: whose tail mean is compared; None: w1 on points, fd on images.
        data_dir: where data sets kept in files are looked for.
        console: gets the progress and the tables.

    Returns:
        The exit status: 1 if a run failed, else 0.

    Raises:
        BadInput: for anything in the suite, its ranges or the metric that cannot be used, before the first run.
    """
    if budget < 1:
        raise BadInput(f"--budget {budget}: must be 1 or more")
    plans = plan(suite, folder, budget, metric, data_dir)
    check_suite(suite, [p.base for p in plans], place, data_dir, console)
    Store(place.folder / "search")  # made first: there must be a folder to lock
    with telling_disk_trouble(place.folder), locked(place.folder):
        write_json(place.folder / "tune.json", _about(suite, budget, plans))
        return _search(suite, plans, place, executor, budget, console)


def _search(
    suite: Suite, plans: Sequence[Plan], place: RunContext, executor: Executor | int, budget: int, console: Console
) -> int:
    searched = replace(place, folder=place.folder / "search")
    specs = [spec for p in plans for _, spec in p.trials]
    say(f"{suite.name}: {budget} configurations for each of {len(plans)} objectives and blocks", console)
    records = {r.id: r for r in records_of_specs(specs, searched, executor, console)}
    tuned = [_tuned(p, records, budget) for p in plans]
    best = [spec for p, found in zip(plans, tuned, strict=True) for spec in _fresh(p, found)]
    status = sweep_of(suite, best, replace(place, folder=place.folder / "best"), executor, console) if best else 0
    report_tuning(place.folder, tuned, console)
    return 1 if status or any(record.status == "failed" for record in records.values()) else 0


def plan(suite: Suite, folder: Path, budget: int, metric: str | None, data_dir: Path | None = None) -> list[Plan]:
    """What is tried, per objective and block. Raises BadInput for a metric or ranges that cannot be used."""
    plans = []
    expand(suite, folder, data_dir)  # tells what is there twice; below every data set is looked at alone
    for dataset in suite.datasets:
        quantity, seeds = _metric(metric, dataset, suite), suite.seeds_on(dataset)
        one = suite.model_copy(update={"datasets": [dataset], "seeds": [min(seeds)]})
        bases = expand(one, folder, data_dir)
        founds = {base.objective_target: find_objective(base.objective_target, folder) for base in bases}
        names = list(dict.fromkeys(n for target, found in founds.items() for n in (target, found.cls.name)))
        check_keys(suite.tune, list(founds.values()), names, suite.where)
        for base in bases:
            ranges = ranges_of(suite.tune, founds[base.objective_target], names, suite.where)
            free = {key: one for key, one in ranges.items() if not _fixed(key, base)}
            trials = list(_trials(base, free, budget, suite.where))
            plans.append(Plan(base, free, trials, quantity, range(max(seeds) + 1, max(seeds) + 1 + len(seeds))))
    return plans


def _fixed(key: str, base: RunSpec) -> bool:
    """Whether the suite gives the objective this argument, so that it stands in its label, as in `r1(gamma=5.00)`."""
    return re.search(rf"[(, ]{re.escape(key)}=", base.objective) is not None


def _trials(base: RunSpec, ranges: Ranges, budget: int, where: str) -> Iterator[tuple[dict[str, Any], RunSpec]]:
    for i in range(budget if base.skip is None else 1):
        values = draw(ranges, i)
        spec = configured(base, values, f"{base.recipe} #{i + 1}", where)
        yield shown(spec, values), spec


def _metric(name: str | None, dataset: str, suite: Suite) -> Quantity:
    here = [k for k, q in KNOWN.items() if q.quality and q.better and (k in POINT_METRICS) == (dataset in POINTS)]
    key = name or ("w1" if dataset in POINTS else "fd")
    if key not in here:
        raise BadInput(f"--metric: on {dataset}: {unknown('metric', key, here)}")
    measured = _measured(dataset, suite)
    if key not in measured:
        raise BadInput(f"{suite.where}: --metric {key}: not measured on {dataset}; measured: {', '.join(measured)}")
    return KNOWN[key]


def _measured(dataset: str, suite: Suite) -> Sequence[str]:
    """Which of the metrics that can be compared the suite's runs have."""
    if dataset not in POINTS:
        return suite.evaluation.metrics
    return POINT_METRICS if load(dataset).mixture is not None else ["w1"]


def _tuned(plan: Plan, records: dict[str, RunRecord], budget: int) -> Tuned:
    trials = [Trial(v, records[spec.id], value_of(records[spec.id], plan.metric)) for v, spec in plan.trials]
    base = plan.base
    block = base.dataset, base.architecture, base.recipe
    return Tuned(block, base.objective, plan.metric, budget, len(plan.fresh), trials)


def _fresh(plan: Plan, found: Tuned) -> Iterator[RunSpec]:
    if found.best is not None:
        for seed in plan.fresh:
            yield replace(plan.trials[found.best][1], seed=seed, recipe=found.label)


def _about(suite: Suite, budget: int, plans: Sequence[Plan]) -> dict[str, Any]:
    return {
        "name": suite.name,
        "budget": budget,
        "metrics": {p.base.dataset: p.metric.key for p in plans},
        "ranges": {p.base.objective: {key: one.record() for key, one in p.ranges.items()} for p in plans},
        "suite": suite.model_dump(),
    }
