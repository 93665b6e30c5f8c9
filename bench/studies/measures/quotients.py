"""Records paired by seed, and quotients in which a diverged run counts as the worst and never drops out as inf/inf."""

import math
from collections.abc import Iterator

import pandas as pd

from ..engine.contract import Row


def paired(rows: pd.DataFrame, *by: str) -> Iterator[tuple[Row, pd.DataFrame]]:
    """The rows that have the same seed (and so on) in common, with what they have in common as columns of a new row.

    Args:
        rows: of the records.
        by: the columns that rows are paired by.
    """
    for values, group in rows.groupby(list(by)):
        yield dict(zip(by, values, strict=True)), group  # pyright: ignore[reportArgumentType]


def ratio(above: float, below: float) -> float:
    """above / below, where less is better: inf where `above` is, whatever is below, and where `below` has vanished."""
    return float(above / below) if below > 0 and above < math.inf else math.inf


def gain(above: float, below: float) -> float:
    """above / below, where more is better: as `ratio`, but 0 where one of them is infinite, which shows nothing."""
    return 0.0 if math.inf in (above, below) else ratio(above, below)


def relative(values: pd.Series, divisor: pd.Series | float) -> pd.Series:
    """values / divisor; infinite where the value is, whatever the divisor, and missing where one of the two is."""
    return (values / divisor).mask((values == math.inf) & pd.notna(divisor), math.inf)
