"""Rank correlation as the studies of trained generators use it. Nothing else."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

Values = pd.Series | Sequence[float]


def spearman(x: Values, y: Values) -> float:
    """Spearman's ρ; infinite values (diverged runs) rank at their end and tie.

    0 where one side does not vary: then nothing tracks anything. Not a number with fewer than two pairs.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(first) < 2:
        return math.nan
    if len(np.unique(first)) == 1 or len(np.unique(second)) == 1:
        return 0.0
    found: Any = stats.spearmanr(first, second)
    # Sums of ranks are exact, their quotient is not: four values with one swap would have .7999999999999999.
    return round(float(found.statistic), 12)
