"""Pairs the runs of two results folders by group and seed, and refuses folders that were measured under two protocols.

Nothing here prints or draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...objectives.errors import BadInput
from ..records.quantities import Quantity, quantity
from ..records.reader import RunRecord, read_runs, read_suite
from .blocks import Block, Group, codes_of, difference, make_blocks
from .statistics import Comparison, Estimate, compare, estimate
from .tables import read_runs_table

SETTINGS = ("objective_spec", "architecture_spec", "recipe_spec", "steps", "accelerate", "precision")


@dataclass(frozen=True)
class MetricPair:
    """One metric of a group, over the seeds that both folders have; a positive difference: the second is better."""

    metric: Quantity
    first: Estimate
    second: Estimate
    comparison: Comparison


@dataclass(frozen=True)
class GroupPair:
    """An objective in one block of both folders.

    `settings` says where what goes by one name is not the same in both, such as "steps (60, 120)".
    """

    key: tuple[str, str, str]
    first: Group
    second: Group
    metrics: list[MetricPair]
    settings: list[str]


@dataclass(frozen=True)
class Pairing:
    """Two folders side by side: shared groups, runs by where they are, and which shared runs are the same.

    `tables_alone` names those of the folders whose runs were read from runs.csv, for want of records.
    """

    names: tuple[str, str]
    groups: list[GroupPair]
    only: tuple[list[RunRecord], list[RunRecord]]
    shared: int
    identical: int
    codes: tuple[list[str], list[str]]
    tables_alone: list[str]


def pair_folders(first: Path, second: Path) -> Pairing:
    """The runs of two results folders, paired by dataset, architecture, recipe, objective and seed.

    Raises BadInput for a damaged record, and one line that names the protocol entry in which the folders differ.
    """
    alone = [_has_tables_alone(folder) for folder in (first, second)]
    records = [read_runs_table(f) if a else read_runs(f) for f, a in zip((first, second), alone, strict=True)]
    blocks, others = _blocks(first, records[0]), _blocks(second, records[1])
    names, groups = _names(first, second), []
    for key in (key for key in blocks if key in others):
        _check_protocol(names, blocks[key], others[key])
        groups += _groups(blocks[key], others[key])
    here, there = _by_key(records[0]), _by_key(records[1])
    shared = [(record, there[key]) for key, record in here.items() if key in there]
    changed = [(a, b) for a, b in shared if a.spec.get("code") != b.spec.get("code") and not any(alone)]
    return Pairing(
        names=names,
        groups=groups,
        only=(_only(here, there), _only(there, here)),
        shared=len(shared),
        identical=sum(identical(a, b) for a, b in shared),
        codes=(codes_of(a for a, _ in changed), codes_of(b for _, b in changed)),
        tables_alone=[name for name, without in zip(names, alone, strict=True) if without],
    )


def _has_tables_alone(folder: Path) -> bool:
    return not (folder / "runs").is_dir() and (folder / "runs.csv").is_file()


def identical(a: RunRecord, b: RunRecord) -> bool:
    """Whether two runs ended alike and measured the same numbers, in everything but times that both have."""
    shared = [name for name in a.metrics.keys() & b.metrics.keys() if not quantity(name).is_time]
    if _ending(a) != _ending(b) or any(a.metrics[name] != b.metrics[name] for name in shared):
        return False
    columns = (a.courses.keys() & b.courses.keys()) - {"seconds"}
    return all(np.array_equal(a.courses[c], b.courses[c], equal_nan=True) for c in columns)


def _ending(run: RunRecord) -> tuple[object, ...]:
    return run.status, run.result.outcome.reason, run.diverged_at, run.measurements.steps


def _blocks(folder: Path, records: Sequence[RunRecord]) -> dict[tuple[str, str, str], Block]:
    return {block.key: block for block in make_blocks(records, read_suite(folder))}


def _names(first: Path, second: Path) -> tuple[str, str]:
    """The folders' own names, or their paths where those are alike."""
    if first.resolve().name == second.resolve().name:
        return str(first), str(second)
    return first.resolve().name, second.resolve().name


def _by_key(records: Sequence[RunRecord]) -> dict[tuple[Any, ...], RunRecord]:
    return {(*record.block, record.objective, record.seed): record for record in records}


def _only(here: Mapping[tuple[Any, ...], RunRecord], there: Mapping[tuple[Any, ...], RunRecord]) -> list[RunRecord]:
    return [record for key, record in here.items() if key not in there]


def _groups(one: Block, other: Block) -> Iterator[GroupPair]:
    """Shared groups, in the first folder's order."""
    there = {group.objective: group for group in other.groups}
    measured = {metric.key for metric in one.quality} & {metric.key for metric in other.quality}
    named = one.quality if one.protocol else other.quality  # without a protocol the extractor is not known
    metrics = [metric for metric in named if metric.key in measured and metric.better is not None]
    for first in one.groups:
        second = there.get(first.objective)
        if second is not None:
            pairs = [_metric(first, second, metric) for metric in metrics]
            yield GroupPair(one.key, first, second, pairs, _settings(first, second))


def _metric(first: Group, second: Group, metric: Quantity) -> MetricPair:
    assert metric.better is not None
    a, b = first.values(metric), second.values(metric)
    a, b = ({seed: values[seed] for seed in sorted(a.keys() & b.keys())} for values in (a, b))
    return MetricPair(metric, estimate(list(a.values())), estimate(list(b.values())), compare(b, a, metric.better))


def _settings(first: Group, second: Group) -> list[str]:
    a, b = first.runs[0].spec, second.runs[0].spec
    known = [name for name in SETTINGS if "recipe_spec" in a.keys() & b.keys()]  # a table has no settings
    return [difference(name, a, b) for name in known if a.get(name) != b.get(name)]


def _check_protocol(names: tuple[str, str], one: Block, other: Block) -> None:
    """Metrics, and the number of evaluations that a tail mean averages, must be the same."""
    for metric, protocol in one.protocol.items():
        if metric in other.protocol and protocol != other.protocol[metric]:
            entry = difference(metric, one.protocol, other.protocol)
            raise BadInput(_refused(names, f"metric '{metric}' on {one.dataset}", entry))
    counts = [(block.runs[0].spec.get("evaluation") or {}).get("count") for block in (one, other)]
    if None not in counts and counts[0] != counts[1]:
        raise BadInput(_refused(names, one.title, f"evaluation.count ({counts[0]}, {counts[1]})"))


def _refused(names: tuple[str, str], what: str, entry: str) -> str:
    return f"{names[0]} and {names[1]} do not share one protocol: {what} differs in {entry}; no comparison is made"
