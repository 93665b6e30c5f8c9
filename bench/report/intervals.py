"""What is printed of an interval, and what a reader must know of the intervals in a table."""

from collections.abc import Iterable

from ..records.quantities import number
from .statistics import MIN_SEEDS, WHOLE_RANGE, Estimate


def interval_text(found: Estimate) -> str:
    """The text "0.0843 [0.0801, 0.0912]", or the value alone where there is no interval."""
    if found.low is None or found.high is None:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def range_notes(counts: Iterable[int], what: str = "seeds") -> list[str]:
    """A sentence for each number of values so small that the interval of their median does not cover 95 %.

    Args:
        counts: of the values behind each median that is shown with its interval.
        what: the values are of, in the plural.
    """
    return [
        f"With {n} {what} an interval is their range, which holds the median of all possible {what} with a "
        f"probability of {100 * (1 - 2 ** (1 - n)):.0f} %, not 95 %."
        for n in sorted(set(counts))
        if MIN_SEEDS <= n <= WHOLE_RANGE
    ]
