"""The conformance kit on what a user has in hand: a class or function, or text that names one."""

from typing import Any, Literal

from ...objectives.conformance.report import Report
from ..conformance.target import check_target
from .targets import target_of

Kind = Literal["objective", "architecture", "dataset", "metric", "extractor"]


def check(target: Any, /, *, kind: Kind | None = None, **settings: Any) -> Report:
    """Runs the conformance kit on an objective, an architecture, a data set, a metric or an extractor.

    Args:
        target: a class or function; or a name, `pkg.mod:Name` or `path/file.py:Name`.
        kind: of the target; by default what it looks like.
        settings: of it.

    Returns:
        The report: printed, a line a check; `ok` says whether none failed.

    Raises:
        BadInput: where there is no such thing, or it refuses these settings.
    """
    return check_target(target if isinstance(target, str) else target_of(target), settings, kind)
