"""Groups records into blocks within which objectives are comparable, and refuses to mix what must not be mixed.

A block is dataset × architecture × recipe; a group is one objective in it, with all its seeds. The printed tables, the
plots and the page all start from here.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...objectives.errors import BadInput
from ..records.quantities import Quantity, in_order, number, quantity
from ..records.reader import STATUSES, RunRecord
from .intervals import range_notes
from .published import published_on
from .statistics import MIN_SEEDS, Estimate, estimate, median

_SAME_IN_A_GROUP = (
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
    def counts(self) -> dict[str, int]:
        """Runs by status; a status that did not occur counts 0."""
        found = Counter(run.status for run in self.runs)
        return {status: found[status] for status in STATUSES}

    @property
    def outcome(self) -> str:
        """How the runs ended, in words: "3/3 ok", or "1/3 ok, 2 diverged (nan)"."""
        parts = [f"{self.counts['completed']}/{len(self.runs)} ok"]
        for status in STATUSES[1:]:
            reasons = sorted({run.result["reason"] or "" for run in self.runs if run.status == status} - {""})
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
        return [quantity(key, self.protocol.get(key)) for key in keys]

    @property
    def quality(self) -> list[Quantity]:
        """Only what judges samples; the first of them is the one that verdicts are about."""
        return [q for q in self.quantities if q.quality]

    @cached_property
    def floors(self) -> dict[str, float]:
        """Real data's own value per metric: the median over the runs."""
        found: dict[str, list[float]] = {}
        for run in self.runs:
            for key, value in run.floors.items():
                found.setdefault(key, []).append(math.nan if value is None else value)
        medians = {key: median([v for v in values if not math.isnan(v)]) for key, values in found.items()}
        return {key: value for key, value in medians.items() if not math.isnan(value)}

    @cached_property
    def estimates(self) -> dict[tuple[str, str], Estimate]:
        """Median and interval by (objective, metric); computed once, for it costs a bootstrap each."""
        return {(group.objective, q.key): group.estimate(q) for group in self.groups for q in self.quantities}

    @property
    def seed_counts(self) -> list[int]:
        """How many seeds have a value, for each estimate that the printed tables show; 0 where none has."""
        return [self.estimates[group.objective, q.key].n for group in self.groups for q in self.quality]

    def best(self, metric: Quantity) -> list[str]:
        """The objectives with the best median: none if the metric has no direction, or nothing tells them apart."""
        found = {group.objective: self.estimates[group.objective, metric.key].value for group in self.groups}
        finite = {objective: value for objective, value in found.items() if math.isfinite(value)}
        if metric.better is None or len(found) < 2 or not finite:
            return []
        top = (min if metric.better == "lower" else max)(finite.values())
        best = [objective for objective, value in finite.items() if value == top]
        return best if len(best) < len(found) else []


def make_blocks(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> list[Block]:
    """The blocks, with objectives and datasets in the suite's order.

    Raises BadInput if a block would mix protocols, or a group runs of different settings or the same seed twice.
    """
    blocks = []
    for key in sorted({record.block for record in records}, key=_ranking(suite, "datasets", lambda k: k[0])):
        inside = [record for record in records if record.block == key]
        order = objective_order(inside, suite)
        groups = tuple(Group(o, tuple(sorted((r for r in inside if r.objective == o), key=_by_seed))) for o in order)
        for group in groups:
            _check_group(key, group)
        blocks.append(Block(key, groups, {}))
    protocols = {dataset: _protocol(dataset, records) for dataset in {record.block[0] for record in records}}
    return [Block(block.key, block.groups, protocols[block.dataset]) for block in blocks]


def objective_order(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> list[str]:
    """The labels of the objectives as the suite lists them, the others after them by name.

    A suite.json of before has the suite alone, in which a plug-in does not stand under its label and variants of one
    objective stand under one name.
    """
    exact = {label: i for i, label in enumerate((suite or {}).get("objectives") or [])}
    listed = _ranking(suite, "objectives", lambda label: label)
    return sorted({r.objective for r in records}, key=lambda label: (exact.get(label, len(exact)), listed(label)))


def notes(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> list[str]:
    """What a reader of the tables must know: what the numbers are, and every reservation about them."""
    found = [
        "Each value is the median over seeds of the tail mean (the mean over the last 20 % of a run's evaluations), "
        "in brackets its 95 % bootstrap interval over seeds; diverged runs are included. Bold: the block's best.",
        "The floor is real data's own value, in the generator's place: a floor where lower is better, a ceiling where "
        "higher is better.",
    ]
    counts = {n for block in blocks for n in block.seed_counts}
    if any(0 < n < MIN_SEEDS for n in counts):
        found.append(
            f"No interval where fewer than {MIN_SEEDS} seeds have a value: too few to say anything about spread."
        )
    found += range_notes(counts)
    if any(_lost(run, q.key) for block in blocks for run in block.runs for q in block.quality):
        found.append("A seed that diverged without a final value counts as the worst possible: ∞, no modes, IS 1.")
    if noise := _evaluation_noise(blocks):
        found.append(
            "Noise of one evaluation (sd between fresh samples of the same generator, pooled over an objective's runs, "
            f"median over objectives; an interval holds it and the seeds' own spread): {noise}."
        )
    found += published_on(block.dataset for block in blocks if _canonical(block))
    found += [told for block in blocks for group in block.groups for told in _mixed_code(block, group)]
    if unfinished:
        found.append(f"{len(unfinished)} run(s) are not finished and not shown.")
    return found


def _mixed_code(block: Block, group: Group) -> list[str]:
    """Runs that differ in their seeds alone are made by one code."""
    codes = sorted({str(run.spec["code"])[:12] for run in group.runs if run.spec.get("code")})
    told = f"{group.objective} on {block.dataset}: runs of {len(codes)} versions of the code: {', '.join(codes)}."
    return [told] if len(codes) > 1 else []


def _canonical(block: Block) -> bool:
    """Whether its Fréchet distance is Inception's, the only one that others' are."""
    return block.protocol.get("fd", {}).get("extractor") == "inception"


def _evaluation_noise(blocks: Sequence[Block]) -> str:
    """Such as "W1 0.011 on 8gaussians, FD(mnist-cnn) 0.31 on mnist5k": the first quality metric of each dataset."""
    found: dict[tuple[str, str], list[float]] = {}
    for block in (b for b in blocks if b.quality):
        sds = [evaluation_sd(group, block.quality[0]) for group in block.groups]
        found.setdefault((block.quality[0].name, block.dataset), []).extend(sd for sd in sds if sd is not None)
    return ", ".join(f"{name} {number(median(sds), 2)} on {dataset}" for (name, dataset), sds in found.items() if sds)


def evaluation_sd(group: Group, metric: Quantity) -> float | None:
    """Sd of one evaluation of a generator, pooled over the group's runs: sds of few repeats are mostly too low."""
    sds = [run.evaluation_noise.get(metric.key, {}).get("sd") for run in group.measured]
    squares = [sd**2 for sd in sds if sd is not None]
    return (sum(squares) / len(squares)) ** 0.5 if squares else None


def _by_seed(record: RunRecord) -> tuple[int, str]:
    return record.seed, record.id


def _lost(run: RunRecord, metric: str) -> bool:
    return run.status == "diverged" and not math.isfinite(_value(run, metric, "tail_mean", math.nan))


def _value(run: RunRecord, metric: str, key: str, worst: float) -> float:
    value = run.metrics.get(metric, {}).get(key)
    if value is None or not math.isfinite(value):
        return worst if run.status == "diverged" else math.nan
    return float(value)


def _ranking(suite: Mapping[str, Any] | None, key: str, name: Callable[[Any], str]) -> Callable[[Any], tuple[Any, ...]]:
    """Sort by the suite's list under `key`; a label may extend the listed name, as "wgan-gp(weight=0.1)" does."""
    listed = ((suite or {}).get("suite") or {}).get(key) or []
    names = [str(item.get("label") or item.get("name")) if isinstance(item, Mapping) else str(item) for item in listed]

    def rank(item: Any) -> tuple[Any, ...]:
        label = name(item)
        matches = [(len(listed_name), i) for i, listed_name in enumerate(names) if label.startswith(listed_name)]
        return (max(matches)[1] if matches else len(names), natural(label), item)

    return rank


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
    for name in _SAME_IN_A_GROUP:
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
