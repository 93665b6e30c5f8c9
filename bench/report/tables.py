"""The tables for programs: runs.csv with a row per run, summary.csv with a row per objective and block.

Times and memory are the only columns in which two sweeps with the same seeds on one machine may differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..records.quantities import in_order
from ..records.reader import STATUSES, RunRecord
from .blocks import Block, Group, make_blocks

STATISTICS = ("best", "final", "tail_mean", "tail_sd")
COSTS = ("seconds", "seconds_per_iteration", "seconds_per_critic_step", "peak_memory_mb", "training_memory_mb")
_INTEGERS = ("schema_version", "seed", "diverged_at", "steps")


def runs_table(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """A row per run: factors, outcome, four statistics of each metric, costs. Runs without metrics have empty cells.

    Raises BadInput if records that must not be mixed are.
    """
    ordered = [run for block in make_blocks(records, suite) for run in block.runs]
    metrics = in_order(key for run in ordered for key in run.metrics)
    table = pd.DataFrame([_run_row(run, metrics) for run in ordered])
    return table.astype(dict.fromkeys(_INTEGERS, "Int64"))


def summary_of(blocks: Sequence[Block]) -> pd.DataFrame:
    """A row per objective and block: runs by outcome, then per metric the median over seeds of the tail mean, its
    interval (`_low`, `_high`: empty with fewer than 3 seeds), and `_floor` where there is one.

    Diverged runs are included; one without a finite value counts as the worst possible, so a median can be infinite.
    """
    metrics = in_order(q.key for block in blocks for q in block.quantities)
    floors = {key for block in blocks for key in block.floors}
    return pd.DataFrame([_summary_row(block, group, metrics, floors) for block in blocks for group in block.groups])


def _run_row(run: RunRecord, metrics: Sequence[str]) -> dict[str, Any]:
    spec, result = run.spec, run.result
    row = {
        key: spec[key] for key in ("run", "schema_version", "objective", "loss", "dataset", "architecture", "recipe")
    }
    row |= {"seed": spec["seed"], "status": run.status, "reason": result.outcome.reason}
    row |= {"diverged_at": result.outcome.diverged_at, "steps": result.measured.steps if result.measured else None}
    for metric in metrics:
        found = run.metrics.get(metric, {})
        row |= {f"{metric}_{name}": found.get(name) for name in STATISTICS}
    return row | {cost: getattr(result.cost, cost) for cost in COSTS}


def _summary_row(block: Block, group: Group, metrics: Sequence[str], floors: set[str]) -> dict[str, Any]:
    dataset, architecture, recipe = block.key
    row: dict[str, Any] = {"objective": group.objective, "dataset": dataset, "architecture": architecture}
    row |= {"recipe": recipe, "seeds": len(group.runs)} | {status: group.counts[status] for status in STATUSES}
    for metric in metrics:
        found = block.estimates.get((group.objective, metric))
        for name, value in (("median", "value"), ("low", "low"), ("high", "high")):
            row[f"{metric}_{name}"] = getattr(found, value) if found else None
        if metric in floors:
            row[f"{metric}_floor"] = block.floors.get(metric)
    return row
