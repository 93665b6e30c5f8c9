"""The configurations that a search tried, with the value of each: what its table and picture start from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..records.quantities import Quantity
from ..records.reader import RunRecord


@dataclass(frozen=True)
class Trial:
    """One configuration, the run that tried it, and its value; NaN where it was skipped."""

    settings: Mapping[str, Any]
    record: RunRecord
    value: float


@dataclass(frozen=True)
class Tuned:
    """An objective's trials in one block (dataset, architecture, recipe), in the order of their drawing."""

    key: tuple[str, str, str]
    objective: str
    metric: Quantity
    budget: int
    fresh_seeds: int
    trials: list[Trial]

    @property
    def values(self) -> list[float]:
        """Of all trials but skipped ones."""
        return [trial.value for trial in self.trials if not math.isnan(trial.value)]

    @property
    def lost(self) -> int:
        """Trials that diverged or failed."""
        return sum(trial.record.status in ("diverged", "failed") for trial in self.trials)

    @property
    def best(self) -> int | None:
        """The index of the best trial that completed; the first of equal ones. None if none has."""
        sign = -1.0 if self.metric.better == "higher" else 1.0
        done = [i for i, trial in enumerate(self.trials) if trial.record.status == "completed"]
        done = [i for i in done if math.isfinite(self.trials[i].value)]
        return min(done, key=lambda i: sign * self.trials[i].value) if done else None

    @property
    def label(self) -> str:
        """The recipe that the best configuration goes by when it is run again."""
        return f"{self.key[2]}, best of {self.budget}"


def value_of(record: RunRecord, metric: Quantity) -> float:
    """The tail mean of a completed run; the worst possible for a run that diverged or failed; NaN for a skipped one."""
    if record.status == "skipped":
        return math.nan
    value = record.metrics.get(metric.key, {}).get("tail_mean")
    return metric.worst if record.status != "completed" or value is None else float(value)
