"""How much of the scatter between seeds is the evaluation's own, and how the values depend on the number of samples.

All of it about the first quality metric of a block.
"""

from dataclasses import dataclass

import numpy as np

from ..records.quantities import Quantity
from .blocks import Block, Group
from .curves import Curve, Line
from .statistics import Estimate, Scatter, estimate, median, scatter


@dataclass(frozen=True)
class Noise:
    """One objective: the scatter of its tail means, the sd of one evaluation, and the extrapolated distance.

    `limit` is the median over seeds; `error` the median of its standard errors. None where nothing was fitted.
    """

    objective: str
    scatter: Scatter
    one_evaluation: float | None
    limit: Estimate | None
    error: float | None


def noise(block: Block) -> list[Noise]:
    """A row per objective; [] where no run of the block was evaluated more than once at its end."""
    if not block.quality:
        return []
    rows = [_noise(group, block.quality[0]) for group in block.groups if group.measured]
    return rows if any(row.one_evaluation is not None or row.limit for row in rows) else []


def evaluation_sd(group: Group, metric: Quantity) -> float | None:
    """Sd of one evaluation of a generator, pooled over the group's runs: sds of few repeats are mostly too low."""
    sds = [run.evaluation_noise.get(metric.key, {}).get("sd") for run in group.measured]
    squares = [sd**2 for sd in sds if sd is not None]
    return (sum(squares) / len(squares)) ** 0.5 if squares else None


def _noise(group: Group, metric: Quantity) -> Noise:
    again = [(run, run.evaluation_noise.get(metric.key, {}).get("sd")) for run in group.measured]
    sds = [(run, sd) for run, sd in again if sd is not None]
    # The tail mean averages several evaluations, each with fresh samples.
    variances = [sd**2 / max(1, run.tail_evaluations) for run, sd in sds]
    fits = [run.bias.get(metric.key, {}) for run in group.measured]
    limits, errors = ([fit[name] for fit in fits if fit.get(name) is not None] for name in ("limit", "error"))
    return Noise(
        group.objective,
        scatter(list(group.values(metric).values()), variances),
        evaluation_sd(group, metric),
        estimate(limits) if limits else None,
        median(errors) if errors else None,
    )


def size_curves(block: Block) -> list[Curve]:
    """The first quality metric against 1/samples, a line per seed, down to 0 where its limit is known."""
    found = []
    for group in block.groups if block.quality else ():
        lines = [line for run in group.measured if (line := _line(run.seed, run.bias.get(block.quality[0].key)))]
        if lines and len({tuple(line.x) for line in lines}) == 1:
            middle = np.median([line.y for line in lines], axis=0)
            found.append(Curve(group.objective, lines, lines[0].x, middle))
    return found


def _line(seed: int, bias: dict | None) -> Line | None:
    if bias is None or any(value is None for value in bias["values"]):
        return None
    pairs = [(1 / size, value) for size, value in zip(bias["sizes"], bias["values"], strict=True)]
    if bias.get("limit") is not None:
        pairs.append((0.0, bias["limit"]))
    x, y = np.array(sorted(pairs)).T
    return Line(seed, x, y, None)
