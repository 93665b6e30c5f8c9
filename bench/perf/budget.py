"""How long a measurement may take. Nothing is measured here."""

import time
from math import inf


class Budget:
    """Seconds from now on; without end if None."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = inf if seconds is None else time.monotonic() + seconds

    def over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self._end

    def share(self, parts: int) -> "Budget":
        """An equal share of what is left, from now on, for the first of so many parts."""
        return Budget(None if self._end == inf else max(0.0, self._end - time.monotonic()) / parts)


UNLIMITED = Budget()
