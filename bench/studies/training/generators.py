"""Generators trained by the sweep's own machinery for studies: cells in, records of runs and rows out.

No study and no recipe is named here; the counterpart for critics against fixed generators is critics.py.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...config.suite import Named, Suite
from ...metrics.settings import Evaluation
from ...records.reader import RunRecord
from ...records.summary import WORST
from ...run.context import RunContext
from ...sweep.runner import records_of
from ..engine.contract import Row, Setting


@dataclass(frozen=True)
class Cell:
    """One condition of a study, trained once a seed.

    Attributes:
        labels: what tells it from other conditions, as columns of the study's rows.
        dataset, objective, recipe, architecture: as a suite has them; the recipe's own architecture by default.
    """

    labels: Mapping[str, Any]
    dataset: str
    objective: Named
    recipe: Named = "stability"
    architecture: Named | None = None

    def suite(self, steps: int, seeds: Sequence[int], evaluation: Evaluation, accelerate: str = "none") -> Suite:
        """The suite that has this condition alone."""
        return Suite(
            objectives=[self.objective],
            datasets=[self.dataset],
            recipe=[self.recipe],
            architectures=None if self.architecture is None else [self.architecture],
            steps=steps,
            seeds=list(seeds),
            evaluation=evaluation,
            accelerate=accelerate,
        )


@dataclass(frozen=True)
class CellRun:
    """One run of a cell. A diverged run's missing values are the worst there are, never missing."""

    cell: Cell
    seed: int
    record: RunRecord

    @property
    def about(self) -> Row:
        """Labels and seed, for every row of this run."""
        return {"seed": self.seed, **self.cell.labels}

    def course(self, **columns: str) -> list[Row]:
        """A row an evaluation: `step`, and each named column of the history (name in the row = name there).

        What does not exist before the first update is left out there.
        """
        rows: list[Row] = []
        for _, found in self.record.history.iterrows():
            row = self.about | {"step": int(found["step"])}
            missing_at_start = {new for new, old in columns.items() if not found["step"] and math.isnan(found[old])}
            row |= {new: value_or_worst(old, found[old]) for new, old in columns.items() if new not in missing_at_start}
            rows.append(row)
        return rows

    def ending(self, *metrics: str) -> Row:
        """One row: how the run ended, `<metric>_tail`, `_tail_sd` and `_final` of each; of the first one also its floor
        and the sd of repeated evaluations of the last generator (`_noise`), where there are any.

        `tail` is the last fifth of the run. A standard deviation that does not exist (a run that stopped) is infinite.
        """
        row = self.about | {"run": self.record.id, "status": self.record.status}
        row |= {"reason": self.record.result.outcome.reason or "", "updates": self.record.measurements.steps}
        row |= {"seconds": round(self.record.result.cost.seconds, 1)}
        if metrics[0] in self.record.floors:
            row["floor"] = self.record.floors[metrics[0]]
        for metric in metrics:
            found = self.record.metrics[metric]
            row |= {
                f"{metric}_tail": value_or_worst(metric, found["tail_mean"]),
                f"{metric}_final": value_or_worst(metric, found["final"]),
            }
            row[f"{metric}_tail_sd"] = value_or_worst(f"{metric}_tail_sd", found["tail_sd"])
        if (again := self.record.evaluation_noise.get(metrics[0], {}).get("sd")) is not None:
            row[f"{metrics[0]}_noise"] = again
        return row


def runs_of(
    cells: Iterable[Cell],
    setting: Setting,
    steps: int,
    evaluation: Evaluation | None = None,
    *,
    device: str = "cpu",
    accelerate: str = "none",
) -> list[CellRun]:
    """The runs of these cells at every seed, cell by cell; those that `setting.runs` lacks are made first.

    Raises:
        RuntimeError: where a run failed or was skipped: a study has no use for a missing condition.
    """
    cells = list(cells)
    suites = [cell.suite(steps, setting.seeds, evaluation or Evaluation(), accelerate) for cell in cells]
    resources = setting.resources
    context = RunContext(setting.runs, device, weights=resources.weights, data=resources.data)
    records = iter(records_of(suites, context, resources.jobs_on(device)))
    runs = [CellRun(cell, seed, next(records)) for cell in cells for seed in setting.seeds]
    for run in runs:
        if not run.record.measured:
            raise RuntimeError(
                f"run {run.record.id} was not measured: {run.record.status}: {run.record.result.outcome.reason}"
            )
    return runs


def value_or_worst(column: str, value: float | None) -> float:
    """The value, or what a run counts as that has none."""
    if value is not None and not math.isnan(value):
        return float(value)
    return WORST.get(column, math.inf)
