"""What the conformance kit says: an outcome a check, and the report that prints them. No checks here."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ..base import Objective


class Status(Enum):
    """How a check ended."""

    PASS = "pass"
    FAIL = "FAIL"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class CheckOutcome:
    """Status of one check, with its reason in one line."""

    status: Status
    reason: str


def passed(reason: str = "") -> CheckOutcome:
    """The promise is kept."""
    return CheckOutcome(Status.PASS, reason)


def failed(reason: str) -> CheckOutcome:
    """The promise is broken."""
    return CheckOutcome(Status.FAIL, reason)


def not_applicable(reason: str) -> CheckOutcome:
    """The promise is not made, or cannot be judged here."""
    return CheckOutcome(Status.NOT_APPLICABLE, reason)


def said(error: Exception, make: Callable[[], Objective]) -> str:
    """What was raised, in one line, and where in the objective's own file (or in that of a class it extends)."""
    place, frames = "", traceback.extract_tb(error.__traceback__)
    for cls in type(make()).__mro__:
        source = getattr(sys.modules.get(cls.__module__), "__file__", None)
        lines = [frame.lineno for frame in frames if frame.filename == source]
        if lines and not issubclass(Objective, cls):
            place = f" ({source}:{lines[-1]})"
            break
    return f"raises {type(error).__name__}: {' '.join(str(error).split())[:160]}{place}"


@dataclass(frozen=True)
class Result:
    """One line of the report."""

    check: str
    status: Status
    reason: str


@dataclass
class Report:
    """The results of all checks of one objective, in the order in which they ran; `str` is what a terminal shows."""

    objective: str
    results: list[Result] = field(default_factory=list)

    @property
    def failures(self) -> list[Result]:
        """The checks that failed."""
        return [result for result in self.results if result.status is Status.FAIL]

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failures

    def __str__(self) -> str:
        width = max((len(result.check) for result in self.results), default=0)
        lines = [f"{r.status.value:<4}  {r.check:<{width}}  {r.reason}".rstrip() for r in self.results]
        count = {status: sum(r.status is status for r in self.results) for status in Status}
        total = ", ".join(f"{count[status]} {word}" for status, word in zip(Status, WORDS, strict=True))
        return "\n".join([self.objective, *(f"  {line}" for line in lines), total])


WORDS = ("passed", "failed", "not applicable")
