"""How long the shared axis of a metric is, so that plots of several data sets can be laid side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..records.quantities import Quantity, quantity
from ..records.reader import RunRecord

Values = dict[tuple[str, str], list[Any]]  # by data set and metric
Extents = dict[tuple[str, str], tuple[float, float]]


def scale_of(metric: Quantity, dataset: str) -> tuple[str, str]:
    """Which quantities share an axis: those of one name, on all data sets; the critic's mean slopes all share one."""
    slope = metric.key.startswith("slope_") and metric.key.endswith("_mean")
    return "slope" if slope else metric.name, dataset if metric.unit == "count" else ""


def extents_of(records: Sequence[RunRecord], protocols: Mapping[str, Mapping[str, Any]]) -> Extents:
    """Of the runs that completed, else of all, and of the floors: one that explodes is not to flatten the others."""
    completed, others, floors = Values(), Values(), Values()
    for record in records:
        dataset = record.block[0]
        courses = completed if record.status == "completed" else others
        for key, course in record.courses.items():
            courses.setdefault((dataset, key), []).append(course)
        for key, floor in record.floors.items():
            if floor is not None:
                floors.setdefault((dataset, key), []).append([floor])
    found = _spans(others, protocols) | _spans(completed, protocols)
    real = _spans(floors, protocols)
    for scale in found.keys() & real.keys():
        found[scale] = min(found[scale][0], real[scale][0]), max(found[scale][1], real[scale][1])
    return found


def _spans(values: Values, protocols: Mapping[str, Mapping[str, Any]]) -> Extents:
    """The lowest and the highest finite value of each scale."""
    found: Extents = {}
    for (dataset, key), parts in values.items():
        finite = np.concatenate(parts)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            scale = scale_of(quantity(key, protocols[dataset].get(key)), dataset)
            low, high = found.get(scale, (math.inf, -math.inf))
            found[scale] = min(low, float(finite.min())), max(high, float(finite.max()))
    return found
