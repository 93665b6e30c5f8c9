"""What a plot shows, without drawing it: lines over seeds, medians, the places where runs diverged, and the styles.

The PNG plots and the drawings of the page both start from here, so they cannot disagree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..records.quantities import Quantity
from ..records.reader import RunRecord
from .blocks import Block
from .palette import CYCLE

DASHES = ((), (6, 2), (2, 1.5), (6, 2, 1.5, 2))
MARKERS = ("o", "s", "^", "D", "v", "P", "*", "<", ">", "p", "h")
LOG_RATIO = 10


@dataclass(frozen=True)
class Style:
    """How an objective looks in every plot: colour, then dashes where the colours are used up, and a marker."""

    index: int

    @property
    def colour(self) -> str:
        return CYCLE[self.index % len(CYCLE)]

    @property
    def dashes(self) -> tuple[float, ...]:
        return DASHES[self.index // len(CYCLE) % len(DASHES)]

    @property
    def marker(self) -> str:
        return MARKERS[self.index % len(MARKERS)]


@dataclass(frozen=True)
class Line:
    """One seed: x and y, finite; `cross` is where it diverged, for a while only if it `recovered`."""

    seed: int
    x: np.ndarray
    y: np.ndarray
    cross: tuple[float, float] | None
    recovered: bool = False


@dataclass(frozen=True)
class Curve:
    """One objective: a line per seed and their median."""

    objective: str
    lines: list[Line]
    x: np.ndarray
    y: np.ndarray


def styles(objectives: Sequence[str]) -> dict[str, Style]:
    """A style per objective, by its place in the order that all plots of a sweep share."""
    return {objective: Style(i) for i, objective in enumerate(objectives)}


def curves(block: Block, metric: Quantity, against: str = "step", most: int = 400) -> list[Curve]:
    """The metric's course per objective that has one, against a column of the history, in at most `most` points."""
    found = []
    for group in block.groups:
        runs = [run for run in group.measured if {metric.key, against} <= run.courses.keys()]
        lines = [line for run in runs if (line := _line(run, metric.key, against, most)) is not None]
        if lines:
            found.append(Curve(group.objective, lines, *_median(runs, metric, against, most)))
    return found


def on_axis(found: Sequence[Curve], low: float, high: float) -> tuple[list[Curve], str]:
    """The curves with what lies beyond an axis put onto its ends, and how many runs do, in words; else ""."""
    lines = [line for curve in found for line in curve.lines]
    n = sum(bool(line.y.min() < low or line.y.max() > high) for line in lines)
    return [_clipped(curve, low, high) for curve in found], f"{n} run{'s' * (n > 1)} beyond the axis" if n else ""


def axes_of(runs: Iterable[RunRecord], wanted: Sequence[str]) -> list[str]:
    """Which of the wanted columns every run's history has."""
    columns = [run.courses.keys() for run in runs]
    return [name for name in wanted if columns and all(name in c for c in columns)]


def log_scale(block: Block, metric: Quantity) -> bool:
    """Whether everything is positive and spans so much that a linear axis would hide what matters.

    Never for what is better the higher it is: there, the large values matter.
    """
    low, high = block.extent(metric)
    if metric.better == "higher" or not low > 0:
        return False
    return metric.key == "generator_grad_norm" or spans_decades([low, high])


def spans_decades(values: Sequence[float] | np.ndarray) -> bool:
    """Whether a linear axis would hide the small ones of the values: all are positive, and they differ much."""
    return len(values) > 0 and bool(min(values) > 0 and max(values) > LOG_RATIO * min(values))


def sample_runs(block: Block) -> dict[str, RunRecord | None]:
    """The run of each objective whose samples are shown, so that nothing is picked by its looks: the first seed that
    every objective has samples of; where there is none, each objective's own first.
    """
    having = {group.objective: {run.seed: run for run in group.measured if run.samples} for group in block.groups}
    common = set.intersection(*map(set, having.values()))
    return {o: runs[min(common or runs)] if runs else None for o, runs in having.items()}


def _clipped(curve: Curve, low: float, high: float) -> Curve:
    lines = []
    for line in curve.lines:
        cross = None if line.cross is None else (line.cross[0], min(max(line.cross[1], low), high))
        lines.append(replace(line, y=line.y.clip(low, high), cross=cross))
    return replace(curve, lines=lines, y=curve.y.clip(low, high))


def _line(run: RunRecord, key: str, against: str, most: int) -> Line | None:
    x, y, steps = (run.courses[name] for name in (against, key, "step"))
    keep = np.isfinite(x) & np.isfinite(y)
    if not keep.any():
        return None
    cross, at = None, run.diverged_at
    if at is not None:
        before = keep & (steps <= at)
        last = np.flatnonzero(before if before.any() else keep)[-1 if before.any() else 0]
        cross = (float(np.interp(at, steps, x)), float(y[last]))
    chosen = np.flatnonzero(keep)[_thin(int(keep.sum()), most)]
    return Line(run.seed, x[chosen], y[chosen], cross, run.result.outcome.recovered)


def _median(runs: Sequence[RunRecord], metric: Quantity, against: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Median over the seeds at each step. A diverged seed counts as the worst from its end on, so that the line does
    not follow the survivors alone: it ends where half of the seeds are gone.
    """
    steps = np.unique(np.concatenate([run.courses["step"] for run in runs]))
    x, y = np.full((2, len(runs), len(steps)), np.nan)
    for i, run in enumerate(runs):
        at = np.searchsorted(steps, run.courses["step"])
        x[i, at], y[i, at] = run.courses[against], run.courses[metric.key]
        if run.status == "diverged":
            y[i, np.isnan(y[i]) & (steps > run.diverged_at)] = metric.worst
    keep = np.flatnonzero(~np.isnan(x).all(axis=0) & ~np.isnan(y).all(axis=0))
    x, y = _medians(x[:, keep]), _medians(y[:, keep])
    chosen = np.flatnonzero(np.isfinite(y))[_thin(int(np.isfinite(y).sum()), most)]
    return x[chosen], y[chosen]


def _medians(values: np.ndarray) -> np.ndarray:
    """Median down each column without its NaN; the mean of two equal infinities stays infinite."""
    ordered, n = np.sort(values, axis=0), np.sum(~np.isnan(values), axis=0)
    column = np.arange(values.shape[1])
    return (ordered[(n - 1) // 2, column] + ordered[n // 2, column]) / 2


def _thin(n: int, most: int) -> np.ndarray:
    """At most `most` evenly spread positions of n, the first and the last among them."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).round().astype(int))
