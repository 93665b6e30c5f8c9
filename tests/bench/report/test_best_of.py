"""The picture of a search: which mark a configuration gets, and where."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from lipbench.bench.records.quantities import KNOWN
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.records.schema import Measured, RunOutcome, RunResult
from lipbench.bench.report.best_of import best_of_figure
from lipbench.bench.report.curves import styles
from lipbench.bench.report.trials import Trial, Tuned, value_of

ENDS = (("completed", 2.0), ("diverged", 5.0), ("completed", 1.0), ("failed", None), ("skipped", None))


def _trial(status: str, value: float | None, metric: str) -> Trial:
    measured = Measured(steps=1, metrics={metric: {"tail_mean": value}}, floors={}, protocol={})
    result = RunResult("r", {}, RunOutcome(status), measured=measured)
    record = RunRecord(Path(), {"run": "r"}, result, pd.DataFrame({"step": []}), None)
    return Trial({}, record, value_of(record, KNOWN[metric]))


def _marked(axes: Axes, marker: str) -> list[float]:
    return [float(np.asarray(line.get_ydata()).item()) for line in axes.lines if line.get_marker() == marker]


@pytest.mark.parametrize(("metric", "worst"), [("modes", 0.0), ("is", 1.0), ("w1", math.inf)])
def test_best_of_figure_crosses_out_lost_trials_in_either_direction(metric: str, worst: float) -> None:
    trials = [_trial(status, value, metric) for status, value in ENDS]
    found = Tuned(("8gaussians", "mlp", "matched"), "a", KNOWN[metric], 5, 3, trials)
    left, right = best_of_figure([found], styles(["a"])).axes
    assert _marked(left, "o") == [2.0, 1.0]
    assert _marked(left, "x") == ([worst] * 2 if math.isfinite(worst) else [pytest.approx(2.3)] * 2)
    assert left.get_ylabel() == KNOWN[metric].axis
    assert len(right.lines) == 2


def test_best_of_figure_counts_configurations_in_whole_numbers() -> None:
    trials = [_trial("completed", value, "w1") for value in (2.0, 1.0, 3.0)]
    right = best_of_figure(
        [Tuned(("8gaussians", "mlp", "matched"), "a", KNOWN["w1"], 3, 3, trials)], styles(["a"])
    ).axes[1]
    assert all(float(k).is_integer() for k in right.get_xticks())
