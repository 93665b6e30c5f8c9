"""Groups records into blocks within which objectives are comparable, and refuses to mix what must not be mixed.

A block is dataset × architecture × recipe; a group is one objective in it, with all its seeds. The printed tables, the
plots and the page all start from here.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...objectives.errors import BadInput
from ..data.mode_counts import MODE_COUNTS
from ..records.quantities import Quantity, in_order, quantity
from ..records.reader import RunRecord
from ..records.schema import STATUSES
from .extents import extents_of, scale_of
from .statistics import MIN_SEEDS, Estimate, estimate, median, probability_of_improvement

SAME_IN_A_GROUP = (
    *("loss", "objective_spec", "architecture_spec", "recipe_spec", "steps", "evaluation"),
    *("accelerate", "precision"),
)


@dataclass(frozen=True)
class Group:
    """The runs of one objective in one block, by seed."""

    objective: str
    runs: tuple[RunRecord, ...]

    @property
    def measured(self) -> list[RunRecord]:
        return [run for run in self.runs if run.measured]

    @property
    def ok(self) -> int:
        """Runs that were trained to their end and have not lost most of the modes."""
        return self.counts["completed"] - sum(map(has_few_modes, self.runs))

    @property
    def counts(self) -> dict[str, int]:
        """Runs by status; a status that did not occur counts 0."""
        found = Counter(run.status for run in self.runs)
        return {status: found[status] for status in STATUSES}

    @property
    def outcome(self) -> str:
        """How the runs ended, in words: "3/3 ok", or "1/3 ok, 1 few modes, 1 diverged (nan)"."""
        few = self.counts["completed"] - self.ok
        parts = [f"{self.ok}/{len(self.runs)} ok"]
        if few:
            parts.append(f"{few} few modes")
        for status in STATUSES[1:]:
            reasons = sorted({run.result.outcome.reason or "" for run in self.runs if run.status == status} - {""})
            short = f" ({', '.join(reasons)})" if reasons and status == "diverged" else ""
            parts += [f"{self.counts[status]} {status}{short}"] if self.counts[status] else []
        return ", ".join(parts)

    def values(self, metric: Quantity, key: str = "tail_mean") -> dict[int, float]:
        """The metric of every measured run by seed. Diverged seeds stay in.

        A diverged run without a finite value has the worst possible one where the metric has a direction; otherwise,
        and for completed runs, a value that is missing is left out.
        """
        found = {run.seed: _value(run, metric.key, key, metric.worst) for run in self.measured}
        return {seed: value for seed, value in found.items() if not math.isnan(value)}

    def estimate(self, metric: Quantity) -> Estimate:
        """Median over the seeds of the tail mean, with its interval."""
        return estimate(list(self.values(metric).values()))


@dataclass(frozen=True)
class Block:
    """What was run on one dataset with one architecture under one recipe."""

    key: tuple[str, str, str]
    groups: tuple[Group, ...]
    protocol: Mapping[str, Any]
    extents: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def extent(self, metric: Quantity) -> tuple[float, float]:
        """The lowest and the highest value of a metric of completed runs, floors included, in all blocks that were made
        with this one; of all runs where none completed.

        What is counted is compared on one data set alone. NaN where nothing was measured.
        """
        return self.extents.get(scale_of(metric, self.dataset), (math.nan, math.nan))

    @property
    def dataset(self) -> str:
        return self.key[0]

    @property
    def title(self) -> str:
        return " · ".join(self.key)

    @property
    def runs(self) -> list[RunRecord]:
        return [run for group in self.groups for run in group.runs]

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Everything that was measured here, in the order of columns."""
        keys = in_order(key for run in self.runs for key in run.metrics)
        about = {name: text for run in self.runs for name, text in (run.spec.get("about") or {}).items()}
        return [quantity(key, self.protocol.get(key), _meaning(key, about)) for key in keys]

    @property
    def quality(self) -> list[Quantity]:
        """Only what judges samples; the first of them is the one that verdicts are about."""
        return [q for q in self.quantities if q.quality]

    @cached_property
    def floors(self) -> dict[str, float]:
        """Real data's own value per metric: the median over the runs."""
        by_metric: dict[str, list[float]] = {}
        for run in self.runs:
            for key, value in run.floors.items():
                if value is not None and not math.isnan(value):
                    by_metric.setdefault(key, []).append(value)
        return {key: median(values) for key, values in by_metric.items()}

    @cached_property
    def estimates(self) -> dict[tuple[str, str], Estimate]:
        """Median and interval by (objective, metric); computed once."""
        return {(group.objective, q.key): group.estimate(q) for group in self.groups for q in self.quantities}

    @property
    def seed_counts(self) -> list[int]:
        """How many seeds have a value, for each estimate that the printed tables show; 0 where none has."""
        return [self.estimates[group.objective, q.key].n for group in self.groups for q in self.quality]

    def best(self, metric: Quantity) -> list[str]:
        """The objectives with the best median.

        None if the metric has no direction, fewer than MIN_SEEDS seeds have the value, fewer than two objectives have a
        finite median (a lone survivor is no winner), or all medians are equal.
        """
        found = {group.objective: self.estimates[group.objective, metric.key] for group in self.groups}
        finite = {objective: e.value for objective, e in found.items() if math.isfinite(e.value)}
        if metric.better is None or len(finite) < 2:
            return []
        top = (min if metric.better == "lower" else max)(finite.values())
        best = [o for o, value in finite.items() if value == top and found[o].n >= MIN_SEEDS]
        return best if len(best) < len(found) else []

    def marked(self, metric: Quantity) -> list[str]:
        """The best, and every objective that its seeds do not tell from it; none if that is all of them.

        Told apart are two objectives where the 95 % interval of P(better) leaves out 1/2.
        """
        best = self.best(metric)
        if not best or metric.better is None:
            return []
        values = {group.objective: list(group.values(metric).values()) for group in self.groups}
        known = [o for o, found in values.items() if len(found) >= MIN_SEEDS and math.isfinite(median(found))]
        chances = {o: probability_of_improvement(values[best[0]], values[o], metric.better).low for o in known}
        found = [o for o, low in chances.items() if low is not None and low <= 0.5]
        return found if len(found) < len(values) else []


def is_conditional(block: Block) -> bool:
    """Whether its networks know the classes."""
    return any((run.spec.get("architecture_spec") or {}).get("classes") for run in block.runs)


def has_few_modes(run: RunRecord) -> bool:
    """Whether a run was trained to its end and its tail has at most half of the modes that its data set has."""
    found, known = run.metrics.get("modes", {}).get("tail_mean"), MODE_COUNTS.get(run.block[0])
    if run.status != "completed" or found is None or known is None:
        return False
    return 2 * found <= known


def make_blocks(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> list[Block]:
    """The blocks, with objectives and datasets in the suite's order.

    Raises BadInput if a block would mix protocols, or a group runs of different settings or the same seed twice.
    """
    made = blocks_without_extents(records, suite)
    extents = extents_of(records, {block.dataset: block.protocol for block in made})
    return [replace(block, extents=extents) for block in made]


def blocks_without_extents(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> list[Block]:
    """The same for tables, which need no axis. Raises as `make_blocks`."""
    names = _listed(suite, "datasets")
    keys = sorted({record.block for record in records}, key=lambda key: (_rank(key[0], names), key))
    protocols = {dataset: _protocol(dataset, records) for dataset in dict.fromkeys(key[0] for key in keys)}
    return [Block(key, _groups(key, records, suite), protocols[key[0]]) for key in keys]


def _meaning(key: str, about: Mapping[str, str]) -> str:
    """What its author says of somebody's metric, of which several values may go by `label.name`."""
    named = [name for name in about if f"metric {key}.".startswith(f"{name}.")]
    return about[max(named, key=len)] if named else ""


def _groups(
    key: tuple[str, str, str], records: Sequence[RunRecord], suite: Mapping[str, Any] | None
) -> tuple[Group, ...]:
    by_objective: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda record: (record.seed, record.id)):
        if record.block == key:
            by_objective.setdefault(record.objective, []).append(record)
    inside = [record for record in records if record.block == key]
    groups = tuple(Group(name, tuple(by_objective[name])) for name in objective_order(inside, suite))
    for group in groups:
        _check_group(key, group)
    return groups


def objective_order(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> list[str]:
    """The labels of the objectives as the suite lists them, the others after them by name.

    A suite.json of before has the suite alone, in which a plug-in does not stand under its label and variants of one
    objective stand under one name.
    """
    exact = {label: i for i, label in enumerate((suite or {}).get("objectives") or [])}
    names = _listed(suite, "objectives")
    labels = {record.objective for record in records}
    return sorted(labels, key=lambda label: (exact.get(label, len(exact)), _rank(label, names), label))


def codes_of(runs: Iterable[RunRecord]) -> list[str]:
    """The versions of the code that made them, each by the first digits of its hash."""
    return sorted({str(run.spec["code"])[:12] for run in runs if run.spec.get("code")})


def _value(run: RunRecord, metric: str, key: str, worst: float) -> float:
    value = run.metrics.get(metric, {}).get(key)
    if value is None or not math.isfinite(value):
        return worst if run.status == "diverged" else math.nan
    return float(value)


def _listed(suite: Mapping[str, Any] | None, key: str) -> list[str]:
    """What the suite lists under `key`, by label or name."""
    listed = ((suite or {}).get("suite") or {}).get(key) or []
    return [str(item.get("label") or item.get("name")) if isinstance(item, Mapping) else str(item) for item in listed]


def _rank(label: str, names: Sequence[str]) -> tuple[int, list[tuple[bool, int, str]]]:
    """The place of the longest name that the label extends, as "wgan-gp(weight=0.1)" does; others come last."""
    matches = [(len(name), place) for place, name in enumerate(names) if label.startswith(name)]
    return max(matches)[1] if matches else len(names), natural(label)


def short_titles(blocks: Sequence[Block]) -> dict[tuple[str, str, str], str]:
    """A name per block: the dataset, or all three factors where the dataset alone is ambiguous."""
    datasets = Counter(block.dataset for block in blocks)
    return {block.key: block.dataset if datasets[block.dataset] == 1 else block.title for block in blocks}


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Sorts 8gaussians before 25gaussians."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", text) if part]


def _check_group(key: tuple[str, str, str], group: Group) -> None:
    """Two runs at one seed, or seeds run with different settings: a changed suite in an old folder."""
    where, first = f"{group.objective} on {' · '.join(key)}", group.runs[0]
    for name in SAME_IN_A_GROUP:
        other = next((run for run in group.runs if run.spec.get(name) != first.spec.get(name)), None)
        if other is not None:
            raise BadInput(
                f"runs {first.id} and {other.id} ({where}) differ in {difference(name, first.spec, other.spec)}: "
                "a table must not mix them; remove those of one setting, or use another folder"
            )
    for run, following in zip(group.runs, group.runs[1:], strict=False):
        if run.seed == following.seed:
            raise BadInput(f"runs {run.id} and {following.id} are both seed {run.seed} of {where}; remove one of them")


def _protocol(dataset: str, records: Sequence[RunRecord]) -> dict[str, Any]:
    """The protocol of every metric on a dataset. Raises BadInput if runs measured one under two protocols."""
    found: dict[str, tuple[Any, str]] = {}
    for record in (r for r in records if r.block[0] == dataset):
        for metric, protocol in record.protocol.items():
            known, by = found.setdefault(metric, (protocol, record.id))
            if known != protocol:
                raise BadInput(
                    f"metric '{metric}' on {dataset} was measured under two protocols, runs {by} and {record.id} "
                    f"differ in {difference(metric, {metric: known}, {metric: protocol})}: a table must not mix them"
                )
    return {metric: found[metric][0] for metric in in_order(found)}


def difference(name: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """The innermost setting that differs, with both values: "n_fake (1000, 2000)"."""
    x, y = a.get(name), b.get(name)
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        return difference(next(key for key in sorted({*x, *y}) if x.get(key) != y.get(key)), x, y)
    return f"{name} ({json.dumps(x)}, {json.dumps(y)})"
