"""From records to a verdict: pure functions of a study's criteria and its measurements. No files, no training."""

import operator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from ...report.intervals import coverage_text
from ...report.statistics import ENOUGH, MIN_SEEDS, interval, rate
from .contract import Criterion, Measure, Outcome, Part, Study

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
REDUCERS = {"max": np.max, "min": np.min, "median": np.median, "mean": np.mean}
NOT_MEASURED = "not measured"
# The gravest verdict of the parts is the study's: a claim with one false half is false as stated.
GRAVITY = (
    Outcome.DISPUTED,
    Outcome.FALSE,
    Outcome.NOT_REPRODUCED,
    Outcome.INCONCLUSIVE,
    Outcome.REPRODUCED,
)


@dataclass(frozen=True)
class MeasuredValue:
    """A measure's value.

    Attributes:
        value: nan where nothing was measured.
        low, high: an interval over seeds: exact for a median (`statistics.interval`), percentile bootstrap for a mean,
            Wilson's for a share (the mean of noughts and ones), the range for a maximum or minimum; nan for an exact
            measurement and for fewer than MIN_SEEDS seeds.
        seeds: how many have the measurement; 0 for an exact one.
    """

    measure: Measure
    value: float
    low: float
    high: float
    seeds: int

    @property
    def text(self) -> str:
        """The measure with its value, and the interval where there is one."""
        if np.isnan(self.low):
            spread = "" if self.seeds == 0 else f" (too few seeds for an interval: {self.seeds})"
        else:
            spread = f" ({self._kind} {self.low:.3g} … {self.high:.3g})"
        return f"{self.measure.text}: {self.value:.4g}{spread}"

    @property
    def _kind(self) -> str:
        """What the interval is: "range", or what it covers."""
        if self.measure.reduce == "median":
            return "range" if self.seeds < ENOUGH else coverage_text(self.seeds)
        return "range" if self.measure.reduce in ("max", "min") else "95 %"


@dataclass(frozen=True)
class Finding:
    """A criterion held against the records; `holds` is None where nothing can be concluded, and `note` says why."""

    criterion: Criterion
    measured: MeasuredValue
    holds: bool | None
    note: str = ""

    @property
    def text(self) -> str:
        return self.measured.text + (f" [{self.note}]" if self.note else "")


@dataclass(frozen=True)
class PartVerdict:
    """The verdict on one part of a claim, its findings, and what was merely reported."""

    part: Part
    outcome: Outcome
    findings: tuple[Finding, ...]
    reported: tuple[MeasuredValue, ...] = ()

    @property
    def measured(self) -> str:
        texts = [finding.text for finding in self.findings] + [value.text for value in self.reported]
        return "; ".join(dict.fromkeys(texts))  # two bounds on one measure give one text

    @property
    def threshold(self) -> str:
        return "; ".join(criterion_text(finding.criterion) for finding in self.findings)

    @property
    def seeds(self) -> int:
        """The largest number of seeds behind a finding; 0 where all are exact."""
        return max((finding.measured.seeds for finding in self.findings), default=0)


@dataclass(frozen=True)
class Verdict:
    """The verdict on a study: the gravest of its parts'."""

    outcome: Outcome
    parts: tuple[PartVerdict, ...]


def judge(study: Study, measurements: pd.DataFrame) -> Verdict:
    """The verdict that the records give, by the study's criteria; a pure function of both."""
    rows = study.derive(measurements)
    seeds = measurements["seed"].nunique() if "seed" in measurements else 0
    parts = tuple(judge_part(part, rows, study.min_seeds, seeds) for part in study.parts)
    return Verdict(min((part.outcome for part in parts), key=GRAVITY.index), parts)


def judge_part(part: Part, rows: pd.DataFrame, min_seeds: int, seeds: int = 0) -> PartVerdict:
    """All criteria hold: the part's `holds`; one fails: its `fails`, unless a control failed or the criterion is
    disputed; one undecided: inconclusive. `seeds`: see `check_criterion`.
    """
    findings = tuple(check_criterion(criterion, rows, min_seeds, seeds) for criterion in part.criteria)
    # What the scale leaves out is left out here too.
    reported = tuple(evaluate(measure, rows) for measure in part.reported if not select(rows, measure).empty)
    return PartVerdict(part, _outcome(part, findings), findings, reported)


def _outcome(part: Part, findings: tuple[Finding, ...]) -> Outcome:
    failed = [finding.criterion for finding in findings if finding.holds is False]
    if any(criterion.disputed for criterion in failed):
        return Outcome.DISPUTED
    if any(criterion.control for criterion in failed):
        return Outcome.INCONCLUSIVE
    if failed:
        return part.fails
    return part.holds if all(finding.holds for finding in findings) else Outcome.INCONCLUSIVE


def check_criterion(criterion: Criterion, rows: pd.DataFrame, min_seeds: int = 3, seeds: int = 0) -> Finding:
    """The criterion held against the rows.

    Nothing is concluded where fewer than `min_seeds` have the measurement, or not all of the `seeds` of the records:
    those that are left may be the ones at which nothing diverged.
    """
    measured = evaluate(criterion, rows)
    if np.isnan(measured.value):
        return Finding(criterion, measured, None, NOT_MEASURED)
    if criterion.by_interval and 0 < measured.seeds < ENOUGH:
        few = f"too few seeds for a 95 % interval: {measured.seeds} of {ENOUGH}"
        return Finding(criterion, measured, None, few)
    if 0 < measured.seeds < min_seeds:
        return Finding(criterion, measured, None, f"too few seeds to conclude: {measured.seeds} of {min_seeds}")
    if 0 < measured.seeds < seeds:
        return Finding(criterion, measured, None, f"measured at {measured.seeds} of {seeds} seeds only")
    compare = OPERATORS[criterion.op]
    if not criterion.by_interval:
        return Finding(criterion, measured, bool(compare(measured.value, criterion.threshold)))
    sides = {bool(compare(end, criterion.threshold)) for end in (measured.low, measured.high)}
    if np.isnan(measured.low) or len(sides) == 2:
        return Finding(criterion, measured, None, "the interval does not decide")
    return Finding(criterion, measured, sides.pop())


def evaluate(measure: Measure, rows: pd.DataFrame) -> MeasuredValue:
    """The measure's value in these rows, with its spread over seeds."""
    selected = select(rows, measure)
    over = REDUCERS[measure.reduce]
    if selected.empty:
        return MeasuredValue(measure, np.nan, np.nan, np.nan, 0)
    if "seed" not in selected or selected["seed"].isna().all():
        return MeasuredValue(measure, float(over(selected[measure.measurement])), np.nan, np.nan, 0)
    within = REDUCERS[measure.within or measure.reduce]
    groups = selected.groupby("seed")[measure.measurement]
    values = np.array([within(group.to_numpy(float)) for _, group in groups])
    return MeasuredValue(measure, float(over(values)), *_spread(values, measure), len(values))


def select(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The rows that a measure reads; a measurement that is nan in a selected row counts as not made."""
    if not {measure.measurement, *measure.where} <= set(rows.columns):
        return rows.iloc[:0]
    allowed = {k: v if isinstance(v, tuple) else (v,) for k, v in measure.where.items()}
    masks = [rows[column].isin(list(values)) for column, values in allowed.items()]
    return rows[reduce(operator.and_, masks, rows[measure.measurement].notna())]


def criterion_text(criterion: Criterion) -> str:
    """Such as "worst error < 0.03"; a control says that it is one. Seven digits show 1 + 1e-6 for what it is."""
    control = "control: " if criterion.control else ""
    return f"{control}{criterion.text} {SIGNS[criterion.op]} {criterion.threshold:.7g}"


def _spread(values: np.ndarray, measure: Measure) -> tuple[float, float]:
    if len(values) < MIN_SEEDS:
        return np.nan, np.nan
    if measure.reduce in ("max", "min"):
        return float(values.min()), float(values.max())
    if measure.reduce == "mean" and set(values) <= {0.0, 1.0}:
        share = rate(int(values.sum()), len(values))
        return share.low or 0.0, share.high or 0.0
    return interval(values.tolist(), REDUCERS[measure.reduce]) or (np.nan, np.nan)
