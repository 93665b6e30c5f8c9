"""Makes runs in worker processes on this machine: persistent, one thread each on a CPU. No records here."""

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess

from ...config.spec import RunSpec
from ...records.schema import RunResult
from ...run.context import RunContext
from .base import UNLIMITED, Event, Limits, RunFinished, RunRetried, RunStarted, Trials
from .worker import end_with_parent, make


class Slot:
    """One persistent worker; one process a pool, so that a death names the run that died.

    Args:
        device: where its runs are made; None: as each run's `RunContext` says.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._seconds: float | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None

    def submit(self, spec: RunSpec, context: RunContext, seconds: float | None = None) -> "Future[RunResult]":
        """Starts the run, which may take so many seconds; the process is made when it is needed, also after a death."""
        self._seconds = seconds
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=end_with_parent)
        try:
            with _deaf_to_ctrl_c():
                at = context if self.device is None else replace(context, device=self.device)
                future = self._pool.submit(make, spec, at, spec.id, seconds)
        except BrokenProcessPool:  # it died while it had nothing to do
            self.discard()
            return self.submit(spec, context, seconds)
        # No public way to end a busy worker, or to ask how it ended, before Python 3.14.
        self._process = next(iter((self._pool._processes or {}).values()), None)
        return future

    def death(self) -> str:
        """How the worker died, in words; the next run gets a new one."""
        code = None if self._process is None else exit_status(self._process)
        self.discard()
        if self._seconds is not None and code == -signal.SIGALRM:
            return f"past its time limit of {self._seconds:g} s"
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


def exit_status(process: BaseProcess, patience: float = 30.0) -> int | None:
    """None where it lives on. The pool may have been quicker to ask, and then needs a moment to note what it heard."""
    until = time.monotonic() + patience
    process.join(patience)
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    return process.exitcode


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


class LocalExecutor:
    """`jobs` persistent workers, spread over the devices in turn.

    One job without limits is made in this process: nobody else would be there to notice its death. After a run
    that failed on a GPU the others are made in a worker: the error may have ended this process's CUDA context for good.
    """

    def __init__(self, jobs: int = 1, limits: Limits = UNLIMITED, devices: Sequence[str] = ()) -> None:
        self.slots, self.limits, self.devices = jobs, limits, devices

    @property
    def where(self) -> str:
        """For the first line of a sweep."""
        spread = f" on {', '.join(self.devices)}" if len(self.devices) > 1 else ""
        return f"{self.slots} at a time{spread}"

    def execute(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        """As `Executor.execute`."""
        if self.slots == 1 and self.limits == UNLIMITED:
            return self._here(specs, context)
        return self._in_workers(specs, context)

    def _here(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        for i, spec in enumerate(specs):
            yield RunStarted(spec)
            try:
                outcome = make(spec, context, spec.id)
            except MemoryError as error:
                outcome = str(error)
            yield RunFinished(spec, outcome)
            if isinstance(outcome, RunResult) and _lost_device(outcome, context.device):
                yield from self._in_workers(specs[i + 1 :], context)
                return

    def _in_workers(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        slots = [Slot(self._device(i, context)) for i in range(min(self.slots, len(specs)))]
        waiting, trials = deque(specs), Trials(self.limits.retries)
        busy: dict[Future[RunResult], tuple[Slot, RunSpec]] = {}
        try:
            while waiting or busy:
                taken = [slot for slot, _ in busy.values()]
                for slot, spec in _pairs([s for s in slots if s not in taken], waiting):
                    busy[slot.submit(spec, context, self.limits.seconds)] = slot, spec
                    yield RunStarted(spec)
                for future in wait(busy, return_when=FIRST_COMPLETED).done:
                    event = _event(future, *busy.pop(future), trials)
                    if isinstance(event, RunRetried):
                        waiting.appendleft(event.spec)
                    yield event
        finally:
            for slot in slots:
                slot.close()

    def _device(self, i: int, context: RunContext) -> str:
        return self.devices[i % len(self.devices)] if self.devices else context.device


def _lost_device(result: RunResult, device: str) -> bool:
    """Whether the CUDA context of the process may be gone for good, whichever of CUDA's libraries has told of it."""
    return result.outcome.status == "failed" and device.startswith("cuda")


def _pairs(slots: Sequence[Slot], waiting: deque[RunSpec]) -> Iterator[tuple[Slot, RunSpec]]:
    for slot in slots[: len(waiting)]:
        yield slot, waiting.popleft()


def _event(future: "Future[RunResult]", slot: Slot, spec: RunSpec, trials: Trials) -> RunRetried | RunFinished:
    if isinstance(future.exception(), KeyboardInterrupt):  # raised here it would pass for the user's Ctrl-C
        slot.close()
        return trials.after(spec, "the worker was told to stop (SIGTERM)")
    try:
        result = future.result()
        if _lost_device(result, slot.device or ""):
            slot.close()
        return RunFinished(spec, result)
    except BrokenProcessPool:
        return trials.after(spec, slot.death())
    except MemoryError as error:
        slot.close()  # what it holds is not to be in the way of the next run
        return trials.after(spec, str(error))
