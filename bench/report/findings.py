"""What the tables say, in words and in comparisons between objectives; every sentence is computed from the records.

A verdict is about the first quality metric of a block (W1 on points, the Fréchet distance on images).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from ..data.mode_counts import MODE_COUNTS
from ..records.quantities import Quantity, number
from ..records.reader import RunRecord
from ..records.schema import STATUSES
from .blocks import Block, Group, has_few_modes, short_titles
from .curves import Curve, Line
from .statistics import MIN_SEEDS, Comparison, Estimate, compare, estimate, holm, iqm_estimate, rate, regret, survival

SIGNIFICANT = 0.05
MOST_DETAILS = 3


@dataclass(frozen=True)
class Reliability:
    """How an objective's runs in a block behaved, over seeds."""

    objective: str
    failures: Estimate
    few_modes: Estimate | None
    iqm: Estimate | None
    regret: Estimate | None
    seconds_per_iteration: Estimate


def verdict(blocks: Sequence[Block]) -> str:
    """The page's first sentences: what the seeds settle, what they do not, and how many runs did not complete."""
    judged = [block for block in blocks if block.quality]
    if not judged:
        return f"No objectives to compare. {_outcomes(blocks)}"
    text = block_verdict(judged[0]) if len(judged) == 1 else _overview(judged)
    return f"{text} {_outcomes(blocks)}"


def _overview(blocks: Sequence[Block]) -> str:
    """Who is best how often, of what is settled; then each block that is not, with the values of few."""
    titles, settled = short_titles(blocks), [block for block in blocks if is_settled(block)]
    won = Counter(block.best(block.quality[0])[0] for block in settled)
    counts = ", ".join(f"{objective} {_times(count)}" for objective, count in won.most_common())
    text = f"{len(settled)} of {len(blocks)} comparisons are settled by their seeds{f': {counts} best' * bool(won)}."
    left = [block for block in blocks if block not in settled]
    for name, some in (("Settled", settled), ("Not settled", left)):
        if 0 < len(some) <= MOST_DETAILS:
            text += f" {name}: {'; '.join(f'{titles[block.key]} ({_lead(block)})' for block in some)}."
    return text


def is_settled(block: Block) -> bool:
    """Whether the sign test, corrected for the number of comparisons, tells the best objective from every other one."""
    found = comparisons(block).values()
    return bool(found) and all(c.sign_p < SIGNIFICANT and c.wins * 2 > c.pairs for c in found)


def block_verdict(block: Block) -> str:
    """Who leads a block, how far above the floor, and whether the seeds settle it against the second."""
    best = block.best(block.quality[0]) if block.quality else []
    if not best:
        return f"On {block.title}: {_no_best(block)}."
    metric, has = block.quality[0], "has" if len(best) == 1 else "have"
    text = f"On {block.title}, {_named(block, best)} {has} the best median {metric.name}: {_level(block, best[0])}."
    second = _second(block, metric, best[0])
    return f"{text} {_settled(second, comparisons(block))}" if len(best) == 1 and second else text


def _no_best(block: Block) -> str:
    """Why no objective is called best."""
    metric = block.quality[0] if block.quality else None
    found = {group.objective: block.estimates[group.objective, metric.key] for group in block.groups} if metric else {}
    finite = {objective: e.value for objective, e in found.items() if math.isfinite(e.value)}
    if metric is None or metric.better is None or len(found) < 2 or not finite:
        return "nothing to compare"
    if len(finite) == 1:
        return f"{next(iter(finite))} alone has a finite median {metric.name}, so there is no comparison"
    if len(finite) == len(found) and len(set(finite.values())) == 1:
        return f"all objectives have the same median {metric.name}, {number(next(iter(finite.values())))}"
    return f"fewer than {MIN_SEEDS} seeds, too few to call an objective best"


def _lead(block: Block) -> str:
    """Such as "best median wgan-gp, W1 0.07, 1.4 × real data's own"."""
    best = block.best(block.quality[0])
    if not best:
        return _no_best(block)
    return f"best median {_named(block, best)}, {block.quality[0].name} {_level(block, best[0])}"


def _named(block: Block, objectives: Sequence[str]) -> str:
    return " and ".join(f"{objective}{_caveat([block], objective)}" for objective in objectives)


def _caveat(blocks: Sequence[Block], objective: str) -> str:
    """Such as " (2 of 3 runs diverged)": a best median may be that of runs that did not last, or lost modes."""
    runs = [run for block in blocks for run in block.runs if run.objective == objective]
    counts = {
        "diverged": sum(run.status == "diverged" for run in runs),
        "with few modes": sum(map(has_few_modes, runs)),
    }
    told = ", ".join(f"{count} of {len(runs)} runs {what}" for what, count in counts.items() if count)
    return f" ({told})" if told else ""


def _level(block: Block, objective: str) -> str:
    """Such as "0.07, 1.4 × real data's own"; KID's floor is 0 but for noise, so nothing is a multiple."""
    metric = block.quality[0]
    value, floor = block.estimates[objective, metric.key].value, block.floors.get(metric.key, 0.0)
    over = floor > 0 and metric.better == "lower" and metric.key != "kid"
    return f"{number(value)}, {number(value / floor, 2)} × real data's own" if over else number(value)


def comparisons(block: Block) -> dict[str, Comparison]:
    """The best objective against each other one, on the first quality metric: by the other's label.

    The sign tests' p are Holm's for so many comparisons. That the best was chosen on the same seeds they do not know.
    """
    metric = block.quality[0] if block.quality else None
    best = block.best(metric) if metric else []
    if metric is None or metric.better is None or not best:
        return {}
    values = {group.objective: group.values(metric) for group in block.groups}
    better = metric.better
    found = {o: compare(values[best[0]], v, better) for o, v in values.items() if o != best[0] and v}
    corrected = holm([comparison.sign_p for comparison in found.values()])
    return {o: replace(found[o], sign_p=p) for o, p in zip(found, corrected, strict=True)}


def reliability(block: Block) -> list[Reliability]:
    """Failure rate, interquartile mean, regret (final minus best) and cost of every objective in a block."""
    return [_reliability(group, block.quality[0] if block.quality else None) for group in block.groups]


def survival_curves(block: Block) -> list[Curve]:
    """Share of runs that have not diverged, against iteration; empty where none has."""
    found = []
    for group in block.groups:
        died = [run.status == "diverged" for run in group.measured]
        ends = [_end(run) for run in group.measured]
        if ends:
            x, y = survival(ends, died)
            last = max(float(end) for end in ends)
            x, y = np.append(x, last), np.append(y, y[-1])
            found.append(Curve(group.objective, [Line(-1, x, y, None)], x, y))
    return found if any(curve.y[-1] < 1 for curve in found) else []


def _end(run: RunRecord) -> int:
    """The update at which it diverged or came to its end; one that recovered did not diverge."""
    if run.status == "diverged" and run.diverged_at is not None:
        return run.diverged_at
    return run.measurements.steps


def _reliability(group: Group, metric: Quantity | None) -> Reliability:
    attempted = len(group.runs) - group.counts["skipped"]
    failures = rate(group.counts["diverged"] + group.counts["failed"], attempted)
    counted = group.counts["completed"] if group.runs[0].block[0] in MODE_COUNTS else 0
    few_modes = rate(group.counts["completed"] - group.ok, counted) if counted else None
    costs = [run.result.cost.seconds_per_iteration for run in group.measured]
    seconds = estimate([cost for cost in costs if cost is not None])
    if metric is None or metric.better is None:
        return Reliability(group.objective, failures, few_modes, None, None, seconds)
    final, best = group.values(metric, "final"), group.values(metric, "best")
    lost = [
        regret(final[seed], best[seed], metric.better)
        for seed in final.keys() & best.keys()
        if math.isfinite(best[seed])
    ]
    iqm = iqm_estimate(list(group.values(metric).values()))
    return Reliability(group.objective, failures, few_modes, iqm, estimate(lost), seconds)


def _second(block: Block, metric: Quantity, best: str) -> str | None:
    others = {c.objective: block.estimates[c.objective, metric.key].value for c in block.groups if c.objective != best}
    finite = {objective: value for objective, value in others.items() if math.isfinite(value)}
    if not finite:
        return None
    return (min if metric.better == "lower" else max)(finite, key=lambda objective: finite[objective])


def seeds_to_settle(comparisons: int) -> int:
    """The least number of seeds at which beating so many others at all of them has p below 5 %, by Holm's method."""
    return next(n for n in count(2) if comparisons * 2 ** (1 - n) < SIGNIFICANT)


def _settled(second: str, others: Mapping[str, Comparison]) -> str:
    """A sign test over the shared seeds decides whether a lead is called one."""
    found, enough = others[second], seeds_to_settle(len(others))
    test = "sign test" if len(others) == 1 else f"sign test, corrected for {len(others)} comparisons:"
    if not found.pairs:
        return f"It shares no seed with {second}."
    lead = f"It beats {second} in {found.wins} of {found.pairs} shared seeds"
    if found.sign_p < SIGNIFICANT and found.wins * 2 > found.pairs:
        return f"{lead} ({test} p = {number(found.sign_p, 2)})."
    if found.pairs < enough:
        return f"{lead}: too few to settle it, for that at least {enough} seeds are needed."
    return f"{lead}: not a settled difference ({test} p = {number(found.sign_p, 2)})."


def _outcomes(blocks: Sequence[Block]) -> str:
    """Such as: "Of 24 runs 21 completed, 1 diverged (minimax), 1 failed (wgan-clip)."""
    runs = [run for block in blocks for run in block.runs]
    by = {status: [run.objective for run in runs if run.status == status] for status in STATUSES}
    few = [run.objective for run in runs if has_few_modes(run)]
    modes = f" {len(few)} completed with few modes ({', '.join(dict.fromkeys(few))})." if few else ""
    if len(by["completed"]) == len(runs):
        return f"All {len(runs)} runs completed.{modes}"
    bad = [f"{len(by[s])} {s} ({', '.join(dict.fromkeys(by[s]))})" for s in STATUSES[1:] if by[s]]
    return f"Of {len(runs)} runs {len(by['completed'])} completed, {', '.join(bad)}.{modes}"


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"
