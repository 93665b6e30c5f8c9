"""Resolves a suite that names somebody's code in another process: nothing that the code does reaches this one."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from ...objectives.errors import BadInput, error_line
from ..config.entry_points import plugged_in
from ..config.plugins import SideEffect, find_objective
from ..config.suite import Suite
from .executors.local import Slot
from .progress import say

PATIENCE = 120.0  # seconds that importing somebody's code may take


class _Refused(BadInput):
    """What the call itself says."""


def apart(suite: Suite, folder: Path, console: Console, call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns; made in another process if the suite has objectives of others.

    Raises:
        BadInput: as the call does, and where an objective ends its process, or does not come to an end.
    """
    targets = [entry if isinstance(entry, str) else str(entry.get("name")) for entry in suite.objectives]
    outside = [target for target in dict.fromkeys(targets) if ":" in target or target in plugged_in()]
    if not outside:
        return call(*arguments)
    for target in outside:  # one by one: a process that dies does not say of what
        with suppress(_Refused):  # which the call meets again
            _elsewhere(f"{suite.where}: objectives: {target}", find_objective, target, folder)
    where = f"{suite.where}: objectives: {' or '.join(outside)}"
    result, changes = _elsewhere(where, call, *arguments)
    for change in changes:
        say(change, console)
    return result


def _elsewhere(where: str, call: Callable[..., Any], *arguments: Any) -> tuple[Any, Sequence[str]]:
    with closing(Slot()) as slot:
        future = slot.call(_watched, where, call, *arguments)
        try:
            return future.result(PATIENCE)
        except TimeoutError:
            raise BadInput(f"{where}: importing or building it takes more than {PATIENCE:g} s") from None
        except BrokenProcessPool:
            raise BadInput(f"{where}: importing or building it ends its process: {slot.death()}") from None


def _watched(where: str, call: Callable[..., Any], *arguments: Any) -> tuple[Any, list[str]]:
    """The result, None for one that stays there, and which plug-ins changed what; errors as BadInput."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", SideEffect)
        try:
            result = call(*arguments)
        except BadInput as error:
            raise _Refused(str(error)) from None
        except BaseException as error:  # in here a class of somebody's may be known, where it is asked for it is not
            raise _Refused(f"{where}: {error_line(error)}") from None
    told = dict.fromkeys(str(warning.message) for warning in caught)
    return (None if call is find_objective else result), list(told)
