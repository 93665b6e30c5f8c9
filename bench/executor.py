"""Runs specifications in worker processes on this machine: persistent, one thread each on a CPU. No records here."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from .spec import RunSpec
from .train import Place, run


class Slot:
    """One persistent worker; one process a pool, so that a death names the run that died."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None

    def submit(self, spec: RunSpec, place: Place) -> "Future[dict[str, Any]]":
        """Starts the run; the process is made when it is first needed, or again after a death."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_watch_parent)
        try:
            with _deaf_to_ctrl_c():
                future = self._pool.submit(run, spec, place)
        except BrokenProcessPool:  # it died while it had nothing to do
            self.discard()
            return self.submit(spec, place)
        # No public way to end a busy worker, or to ask how it ended, before Python 3.14.
        self._process = next(iter((self._pool._processes or {}).values()), None)
        return future

    def death(self) -> str:
        """How the worker died, in words; the next run gets a new one."""
        code = None
        if self._process is not None:
            self._process.join(timeout=5)
            code = self._process.exitcode
        self.discard()
        return f"the worker process died: {_cause(code)}"

    def discard(self) -> None:
        """Forgets the pool."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._process = None

    def close(self) -> None:
        """Ends the worker, at once if it is still busy: what it was at resumes from its checkpoint."""
        if self._process is not None:
            self._process.kill()
        self.discard()


def _cause(code: int | None) -> str:
    if code is None:
        return "for a reason that is not known"
    if code >= 0:
        return f"exit status {code}"
    name = signal.Signals(-code).name
    return f"{name}, as when memory runs out" if name == "SIGKILL" else name


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process started within never sees Ctrl-C, which is the parent's affair; the parent sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch_parent() -> None:
    """A worker ends with its parent, however that ends, for others may open the results folder then."""
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def execute(specs: Sequence[RunSpec], place: Place, jobs: int) -> Iterator[tuple[RunSpec, dict[str, Any] | str]]:
    """Yields (specification, result) as the runs end, `jobs` at a time.

    Where the worker died the result is a text: how it died. With jobs = 1 the runs are made in this process.
    """
    if jobs == 1:
        for spec in specs:
            yield spec, run(spec, place)
        return
    slots = [Slot() for _ in range(min(jobs, len(specs)))]
    waiting = list(reversed(specs))
    busy: dict[Future[dict[str, Any]], tuple[Slot, RunSpec]] = {}
    try:
        while waiting or busy:
            taken = {id(slot) for slot, _ in busy.values()}
            for slot in (s for s in slots if id(s) not in taken):
                if waiting:
                    spec = waiting.pop()
                    busy[slot.submit(spec, place)] = slot, spec
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                slot, spec = busy.pop(future)
                yield spec, _outcome(future, slot)
    finally:
        for slot in slots:
            slot.close()


def _outcome(future: "Future[dict[str, Any]]", slot: Slot) -> dict[str, Any] | str:
    try:
        return future.result()
    except BrokenProcessPool:
        return slot.death()
