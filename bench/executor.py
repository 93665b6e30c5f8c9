"""Runs specifications in worker processes on this machine: persistent, one thread each on a CPU. No records here."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from .spec import RunSpec
from .train import Place, run


class Slot:
    """One persistent worker; one process a pool, so that a death names the run that died."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, spec: RunSpec, place: Place) -> "Future[dict[str, Any]]":
        """Starts the run; the process is made when it is first needed, or again after a death."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return self._pool.submit(run, spec, place)

    def discard(self) -> None:
        """Forgets a broken pool."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def close(self) -> None:
        """Ends the worker, at once if it is still busy: what it was at resumes from its checkpoint."""
        if self._pool is None:
            return
        for process in (self._pool._processes or {}).values():  # no public way to end a busy worker before Python 3.14
            process.terminate()
        self.discard()


def execute(specs: Sequence[RunSpec], place: Place, jobs: int) -> Iterator[tuple[RunSpec, dict[str, Any] | None]]:
    """Yields (specification, result) as the runs end, `jobs` at a time; the result is None where the worker died.

    With jobs = 1 the runs are made in this process.
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


def _outcome(future: "Future[dict[str, Any]]", slot: Slot) -> dict[str, Any] | None:
    try:
        return future.result()
    except BrokenProcessPool:
        slot.discard()
        return None
