"""How a distance between samples depends on their number, and what the Fréchet distance tends to. Trains nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats
from torch import Tensor

PARTS = (4, 3, 2, 1)  # n/4, n/3, n/2 and n samples a side


def by_size(real: Tensor, fake: Tensor, distance: Callable[[Tensor, Tensor], float]) -> dict[int, list[float]]:
    """Size m → distances between m of `real` [n, …] and m of `fake` [n, …], one for each of the disjoint parts.

    Both sides shrink, for the bias comes from both.
    """
    n, found = min(len(real), len(fake)), {}
    for parts in PARTS:
        pairs = zip(real.split(n // parts)[:parts], fake.split(n // parts)[:parts], strict=True)
        found[n // parts] = [distance(a, b) for a, b in pairs]
    return found


def means(values: Mapping[int, Sequence[float]]) -> dict[str, list[Any]]:
    """{"sizes", "values"}: each size, ascending, and the mean distance at it."""
    sizes = sorted(values)
    return {"sizes": sizes, "values": [float(np.mean(values[size])) for size in sizes]}


def extrapolated(values: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """Mean distance against 1/size as a straight line: its value at infinitely many samples, and its standard error.

    The Fréchet distance between Gaussian fits is biased by a term linear in 1/size (Chong & Forsyth 2020,
    arXiv:1911.07023, equation 7), as long as there are more samples than features. The error says how much other
    samples would move the limit: the scatter between the disjoint parts. Each size has the same samples, so how
    straight the line is tells little of it (a third to a fifth). It is some .9 to 1.2 × the true one, and up to 1.5 ×
    where both distributions are the same.

    Returns:
        {"sizes", "values", "limit", "error"}; limit and error are None where a value is not finite.
    """
    found: dict[str, Any] = means(values) | {"limit": None, "error": None}
    if not np.isfinite(found["values"]).all():
        return found
    line: Any = stats.linregress(1 / np.array(found["sizes"]), found["values"])
    return found | {"limit": float(line.intercept), "error": _error(values.values())}


def _error(parts: Iterable[Sequence[float]]) -> float:
    """Of a mean over parts that together are all samples: pooled over the sizes, by degrees of freedom."""
    several = [part for part in parts if len(part) > 1]
    variances = [np.var(part, ddof=1) / len(part) for part in several]
    return float(np.average(variances, weights=[len(part) - 1 for part in several]) ** 0.5)
