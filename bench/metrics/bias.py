"""How a distance between samples depends on their number, and what the Fréchet distance tends to. Trains nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats
from torch import Tensor

PARTS = (4, 3, 2, 1)  # n/4, n/3, n/2 and n samples a side


def by_size(real: Tensor, fake: Tensor, distance: Callable[[Tensor, Tensor], float]) -> dict[int, float]:
    """Size m → mean distance between m of `real` [n, …] and m of `fake` [n, …], over the disjoint parts of that size.

    Both sides shrink, for the bias comes from both.
    """
    n, found = min(len(real), len(fake)), {}
    for parts in PARTS:
        pairs = zip(real.split(n // parts)[:parts], fake.split(n // parts)[:parts], strict=True)
        found[n // parts] = float(np.mean([distance(a, b) for a, b in pairs]))
    return found


def extrapolated(values: Mapping[int, float]) -> dict[str, Any]:
    """Distance against 1/size as a straight line: its value at infinitely many samples, and that one's standard error.

    The Fréchet distance between Gaussian fits is biased by a term linear in 1/size (Chong & Forsyth 2020,
    arXiv:1911.07023, equation 7), as long as there are more samples than features. The error is the fit's alone: it
    says how straight the line is, not how much another sample would move it.

    Returns:
        {"sizes", "values", "limit", "error"}; limit and error are None where a value is not finite.
    """
    sizes = sorted(values)
    heights = [values[size] for size in sizes]
    found: dict[str, Any] = {"sizes": sizes, "values": heights, "limit": None, "error": None}
    if not np.isfinite(heights).all():
        return found
    limit, error = _intercept(1 / np.array(sizes), heights)
    return found | {"limit": limit, "error": error}


def _intercept(x: np.ndarray, y: Sequence[float]) -> tuple[float, float]:
    line: Any = stats.linregress(x, y)
    return float(line.intercept), float(line.intercept_stderr)
