"""Resolves a suite that names somebody's code in another process: nothing that the code does reaches this one."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from ...objectives.errors import BadInput, error_line
from ..config.entry_points import (
    ARCHITECTURE,
    DATASET,
    EXTRACTOR,
    KINDS,
    METRIC,
    OBJECTIVE,
    PluginKind,
    is_brought,
    plugged_in,
)
from ..config.plugins import SideEffect, resolve
from ..config.spec import runs_apart
from ..config.suite import Named, Suite
from .executors.local import Slot
from .progress import say

PATIENCE = 120.0  # seconds that importing somebody's code may take


class _Refused(BadInput):
    """What the call itself says."""


def apart(suite: Suite, folder: Path, console: Console, call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns; made in another process if the suite names code of others.

    Raises:
        BadInput: as the call does, and where somebody's code ends its process, or does not come to an end.
    """
    outside = list(_outside(suite))
    if not outside:
        return call(*arguments)
    for kind, target in outside:  # one by one: a process that dies does not say of what
        with suppress(_Refused):  # which the call meets again
            elsewhere(f"{suite.where}: {kind}s: {target}", Console(quiet=True), _import, kind, target, folder)
    targets = " or ".join(target for _, target in outside)
    return elsewhere(f"{suite.where}: {targets}", console, call, *arguments)


def elsewhere(where: str, console: Console, call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns in another process; says what code of others changed there. Raises as `apart`."""
    with closing(Slot()) as slot:
        future = slot.call(_watched, where, call, *arguments)
        try:
            result, changes = future.result(PATIENCE)
        except TimeoutError:
            raise BadInput(f"{where}: importing or building it takes more than {PATIENCE:g} s") from None
        except BrokenProcessPool:
            raise BadInput(f"{where}: importing or building it ends its process: {slot.death().cause}") from None
    for change in changes:
        say(change, console)
    return result


def _outside(suite: Suite) -> Iterator[tuple[str, str]]:
    """Kind and target of what a suite names that is not lipbench's own."""
    asked = suite.evaluation
    named: dict[PluginKind, list[Named | None]] = {
        OBJECTIVE: [*suite.objectives],
        ARCHITECTURE: [entry for dataset in suite.datasets for entry in suite.architectures_on(dataset)],
        METRIC: [*asked.metrics],
        EXTRACTOR: [asked.extractor],
    }
    for kind, entries in named.items():
        targets = [entry if isinstance(entry, str) else str(entry.get("name")) for entry in entries if entry]
        for target in dict.fromkeys(targets):
            if runs_apart(target) and (":" in target or target in plugged_in(kind)):
                yield kind.name, target
    for target in dict.fromkeys(name.partition("?")[0] for name in suite.datasets if is_brought(name)):
        if runs_apart(target):
            yield DATASET.name, target


def _import(kind: str, target: str, folder: Path) -> None:
    resolve(KINDS[kind], target, folder)


def _watched(where: str, call: Callable[..., Any], *arguments: Any) -> tuple[Any, list[str]]:
    """The result, and which plug-ins changed what; errors as BadInput."""
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
    return result, list(told)
