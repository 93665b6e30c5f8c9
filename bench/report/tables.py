"""The tables for programs: runs.csv with a row per run, summary.csv with a row per objective and block; runs.csv read.

Times and memory are the only columns in which two sweeps with the same seeds on one machine may differ.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...objectives.errors import BadInput, message_of
from ..records.quantities import in_order
from ..records.reader import RunRecord, read_suite
from ..records.schema import STATUSES, Measured, RunOutcome, RunResult
from .blocks import Block, Group, blocks_without_extents

STATISTICS = ("best", "final", "tail_mean", "tail_sd")
COSTS = ("seconds", "seconds_per_iteration", "seconds_per_critic_step", "peak_memory_mb", "training_memory_mb")
COLUMNS = {  # that every runs.csv has, and their types in pandas; all others are float64
    "run": "string",
    "schema_version": "Int64",
    "objective": "string",
    "loss": "string",
    "dataset": "string",
    "architecture": "string",
    "recipe": "string",
    "seed": "Int64",
    "status": "string",
    "reason": "string",
    "diverged_at": "Int64",
    "steps": "Int64",
}


def runs_table(records: Sequence[RunRecord], suite: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """A row per run: factors, outcome, four statistics of each metric, costs. Runs without metrics have empty cells.

    A statistic or a cost that no run has is left out, as the best value of what has no better and worse. The other
    columns are those of `COLUMNS`, with their types.

    Raises BadInput if records that must not be mixed are.
    """
    ordered = [run for block in blocks_without_extents(records, suite) for run in block.runs]
    metrics = in_order(key for run in ordered for key in run.metrics)
    table = pd.DataFrame([_run_row(run, metrics) for run in ordered])
    table = table.astype({name: COLUMNS.get(str(name), "float64") for name in table})
    optional = [name for name in table if name not in COLUMNS]
    return table.drop(columns=[name for name in optional if table[name].isna().all()])


def read_runs_table(folder: Path) -> list[RunRecord]:
    """The runs of a results folder that has tables alone, as far as runs.csv tells them.

    Settings, protocol, course and samples are missing; how often was evaluated suite.json has.
    Raises BadInput for a table that is none.
    """
    path = folder / "runs.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_typed_row(row) for row in csv.DictReader(file)]
        evaluation = (read_suite(folder).get("suite") or {}).get("evaluation")
        records = [_record(folder, row, evaluation) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        told = f"no column {error}" if isinstance(error, KeyError) else message_of(error)
        raise BadInput(f"{path}: not a table of runs: {told}") from error
    if not records:
        raise BadInput(f"{path}: not a table of runs: it has no row")
    return records


def _typed_row(row: Mapping[str, str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], Any]] = {"string": str, "Int64": int, "float64": float}
    return {name: kinds[COLUMNS.get(name, "float64")](text) if text else None for name, text in row.items()}


def _record(folder: Path, row: Mapping[str, Any], evaluation: Any) -> RunRecord:
    spec = {key: row[key] for key in COLUMNS if key not in ("status", "reason", "diverged_at", "steps")}
    outcome = RunOutcome(row["status"], row["reason"], row["diverged_at"])
    names = [name.removesuffix("_tail_mean") for name in row if name.endswith("_tail_mean")]
    metrics = {name: {s: row.get(f"{name}_{s}") for s in STATISTICS} for name in names}
    measured = {name: found for name, found in metrics.items() if any(value is not None for value in found.values())}
    result = RunResult(row["run"], {}, outcome, measured=Measured(row["steps"] or 0, measured, {}, {}))
    return RunRecord(folder, spec | {"evaluation": evaluation}, result, pd.DataFrame(), None)


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
