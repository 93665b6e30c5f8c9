"""What is printed of an interval, and what a reader must know of the intervals in a table."""

from collections.abc import Iterable

from ..records.quantities import number
from .statistics import ENOUGH, MIN_SEEDS, Estimate, median_coverage, median_rank


def interval_text(found: Estimate) -> str:
    """The text "0.0843 [0.0801, 0.0912]", or the value alone where there is no interval."""
    if found.low is None or found.high is None:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def coverage_notes(counts: Iterable[int], what: str = "seeds") -> list[str]:
    """A sentence for each number of values: what the interval of their median is, and what it covers.

    Args:
        counts: of the values behind each median that is shown with its interval.
        what: the values are of, in the plural.
    """
    return [
        f"With {n} {what} an interval is {_from_to(n)}, which holds the median of all possible {what} with a "
        f"probability of {coverage_text(n)}{'' if n >= ENOUGH else ', not 95 %'}."
        for n in sorted(set(counts))
        if n >= MIN_SEEDS
    ]


def coverage_text(n: int) -> str:
    """Such as "75 %" or "98.4 %"."""
    return f"{100 * median_coverage(n):.3g} %"


def _from_to(n: int) -> str:
    k = median_rank(n)
    return "their range" if k == 1 else f"from number {k} to number {n + 1 - k} in order of size"
