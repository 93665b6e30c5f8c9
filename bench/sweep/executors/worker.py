"""What a worker process does with a run, wherever it lives: alone on it, of the right code, within its time."""

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from ....objectives.errors import BadInput
from ...config.plugins import SideEffect
from ...config.spec import RunSpec
from ...metrics.reference import NotKept, cache_folder
from ...records.reader import read_run
from ...records.schema import RunResult
from ...run.context import RunContext
from ...run.execution import run

LOCKS = ".locks"
CHECKPOINTS = 5  # at least, in an attempt that is cut short


def make(spec: RunSpec, context: RunContext, run_id: str, seconds: float | None = None) -> RunResult:
    """Makes the run, or finds that another attempt has just finished it; kills this process after `seconds`.

    A worker that is thought to be lost may still be at work: the one that follows waits until it is gone.

    Raises:
        BadInput: where this process has other code than the one that asked; and what `run` raises.
    """
    if spec.id != run_id:
        raise BadInput(f"{context.folder}: a worker has another version of lipbench, or of a plug-in, than this sweep")
    locks = context.folder / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / run_id):
        done = finished(context, run_id)
        if done is not None:
            return done
        if seconds is not None:  # or an attempt would get no further than the one before
            context = replace(context, checkpoint_seconds=min(context.checkpoint_seconds, seconds / CHECKPOINTS))
        if spec.accelerate == "compile":
            keep_compiled()
        with time_limit(seconds), _noting() as notices:
            result = run(spec, context)
        return replace(result, notices=tuple(notices))


@contextmanager
def _noting() -> Iterator[list[str]]:
    """What is warned of within that concerns the sweep, not the run, which is told there once: no worker prints it."""
    notices: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", NotKept)
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *about: Any) -> None:
            if issubclass(category, NotKept):
                notices.append(str(message))
            else:
                show(message, category, *about)

        warnings.showwarning = note
        yield notices


def make_apart(spec: RunSpec, context: RunContext, run_id: str, seconds: float | None = None) -> RunResult:
    """As `make`, of code from outside lipbench, in a process that makes nothing else after it.

    The process leads a group of its own, so that signals which that code sends to its group reach nobody else, and what
    it starts can be ended with it.
    """
    os.setpgid(0, 0)
    warnings.simplefilter("ignore", SideEffect)  # was told when the sweep began
    return make(spec, context, run_id, seconds)


def keep_compiled() -> None:
    """Torch keeps what it compiles beside lipbench's other caches, unless it is told where: not in a temporary folder,
    which the next start of the machine empties.
    """
    with suppress(OSError):  # where nothing can be written, torch's own place is left
        if (folder := cache_folder("compiled")) is not None:
            folder.mkdir(parents=True, exist_ok=True)
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def finished(context: RunContext, run_id: str) -> RunResult | None:
    """The result of a run that is finished, or None."""
    folder = context.folder / "runs" / run_id
    return read_run(folder).result if folder.exists() else None


def forget_locks(folder: Path) -> None:
    """Once no worker is left."""
    shutil.rmtree(folder / LOCKS, ignore_errors=True)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """The kernel kills this process after so many seconds within, whatever it is at then."""
    if seconds is None:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
