"""Runs named checks on one thing and reports them; a check is not run where one that it needs has failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...objectives.conformance.repeatable import global_streams_kept
from ...objectives.conformance.report import CheckOutcome, Report, Result, Status, failed, not_applicable
from ...objectives.conformance.trial import one_thread

T = TypeVar("T")


@dataclass(frozen=True)
class NamedCheck(Generic[T]):
    """A check by name; it is not run where one that it `needs` has failed, so that one fault fails one check."""

    name: str
    run: Callable[[T], CheckOutcome]
    needs: tuple[str, ...] = ()


def run_checks(title: str, subject: T, checks: Sequence[NamedCheck[T]]) -> Report:
    """The report on a subject: pass, fail or not applicable for each check, with a reason."""
    report, unmet = Report(title), set[str]()
    with global_streams_kept(), one_thread():
        for check in checks:
            missing = next((need for need in check.needs if need in unmet), None)
            outcome = not_applicable(f"needs: {missing}") if missing else _outcome(check, subject)
            if missing or outcome.status is Status.FAIL:
                unmet.add(check.name)
            report.results.append(Result(check.name, outcome.status, outcome.reason))
    return report


def first_suited(trials: Sequence[T], use: Callable[[T], object]) -> T:
    """The first of these, each of its own shape, that can be used; where none can, the first: a check says why."""
    for trial in trials:
        try:
            use(trial)
        except Exception:  # of somebody's code
            continue
        return trial
    return trials[0]


def _outcome(check: NamedCheck[T], subject: T) -> CheckOutcome:
    # Whatever somebody's code raises is a finding about it, and the other checks go on.
    try:
        return check.run(subject)
    except Exception as error:
        return failed(f"raises {type(error).__name__}: {' '.join(str(error).split())[:160]}")
