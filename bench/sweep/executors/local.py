"""Makes runs in worker processes on this machine: persistent, one thread each on a CPU. No records here."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from ....objectives.errors import BadInput, error_line
from ...config.spec import RunSpec
from ...records.schema import RunResult
from ...run.context import RunContext
from ...run.parent import end_with_parent
from .base import UNLIMITED, Event, Limits, RunFinished, RunRetried, RunStarted, Trials
from .worker import make, make_apart

LOOK = 1.0  # seconds between two looks at what may be past its time
GRACE = 10.0  # seconds after its time limit until a run is ended from here
ORPHANED = 255  # what is told of the children of a fork server that was killed, perhaps by another run's code


class Death(NamedTuple):
    """How a worker died, in words, and whether that was surely its run's own doing."""

    cause: str
    own: bool = True


class Slot:
    """One persistent worker; one process a pool, so that a death names the run that died.

    Args:
        device: where its runs are made; None: as each run's `RunContext` says.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._seconds: float | None = None
        self._since = time.monotonic()
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None

    def submit(self, spec: RunSpec, context: RunContext, seconds: float | None = None) -> "Future[RunResult]":
        """Starts the run, which may take so many seconds; the process is made when it is needed, also after a death."""
        at = context if self.device is None else replace(context, device=self.device)
        quick = bool(spec.outside) and at.device == "cpu"
        future = self.call(make_apart if spec.outside else make, spec, at, spec.id, seconds, quick=quick)
        self._seconds, self._since = seconds, time.monotonic()  # the start of the process does not count
        return future

    def call(self, function: Callable[..., Any], *arguments: Any, quick: bool = True) -> "Future[Any]":
        """Starts any call in the process, which is made as `start_method` says."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=start_method(quick), initializer=end_with_parent)
        try:
            with _deaf_to_ctrl_c():
                future = self._pool.submit(function, *arguments)
        except (BrokenProcessPool, EOFError, ConnectionError):  # it died at rest, or what starts it did just now
            self.discard()
            return self.call(function, *arguments, quick=quick)
        # No public way to end a busy worker, or to ask how it ended, before Python 3.14.
        self._process = next(iter((self._pool._processes or {}).values()), None)
        return future

    def death(self) -> Death:
        """How the worker died; the next run gets a new one."""
        late = self.late()
        if self._pool is not None and not late:  # its thread reads the exit status too, and only one gets it
            self._pool.shutdown(wait=True)
        code = None if self._process is None else exit_status(self._process)
        self.close()
        if self._seconds is not None and (late or code == -signal.SIGALRM):
            return Death(f"past its time limit of {self._seconds:g} s")
        return Death(f"the worker process died: {exit_in_words(code)}", own=code != ORPHANED)

    def late(self) -> bool:
        """Whether the run is past its time and did not let the kernel end it."""
        return self._seconds is not None and time.monotonic() > self._since + self._seconds + GRACE

    def discard(self) -> None:
        """Forgets the pool."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._process = None

    def kill(self) -> None:
        """Ends the process, and those that it started where it leads a group of its own."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid or 0, signal.SIGKILL)
            self._process.kill()

    def close(self) -> None:
        """Ends the worker, at once if it is still busy: what it was at resumes from its checkpoint."""
        self.kill()
        self.discard()


def start_method(quick: bool) -> BaseContext:
    """How processes are started: quickly are those that serve once, forked from one that has imported everything.

    That takes .1 s instead of 3. Not beside a GPU, where no process may fork once a library has asked for the device;
    and Linux alone forks safely. Workers of lipbench's own runs are not: what kills its parent does not reach them.
    """
    if not quick or sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lipbench.bench.run.execution"])
    return context


def exit_status(process: BaseProcess, patience: float = 30.0) -> int | None:
    """None where it lives on. The pool may have been quicker to ask, and then needs a moment to note what it heard."""
    until = time.monotonic() + patience
    process.join(patience)
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    return process.exitcode


def exit_in_words(code: int | None) -> str:
    """How a process ended, from its exit status; negative: the number of a signal."""
    if code is None:
        return "for a reason that is not known"
    if code == ORPHANED:
        return f"exit status {code}, as when the process that starts workers is killed"
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


class Task:
    """A run under way: the slot that it takes, and its worker: the slot's, or for code from outside one of its own."""

    def __init__(self, spec: RunSpec, slot: Slot) -> None:
        self.spec, self.slot = spec, slot
        self.worker = Slot(slot.device) if spec.outside else slot


class LocalExecutor:
    """`jobs` workers, spread over the devices in turn.

    One job without limits is made in this process, but for code from outside: nobody else would be there to notice its
    death. After a run that failed on a GPU the others are made in a worker: the error may have ended this process's
    CUDA context for good.

    Args:
        jobs: at a time.
        limits: of every run.
        devices: `cpu` or `cuda:N`; as each run's `RunContext` says if there are none.
        worker: makes one for a device.
    """

    def __init__(
        self,
        jobs: int = 1,
        limits: Limits = UNLIMITED,
        devices: Sequence[str] = (),
        worker: Callable[[str], Slot] = Slot,
    ) -> None:
        self.slots, self.limits, self.devices, self._worker = jobs, limits, devices, worker

    @property
    def where(self) -> str:
        """For the first line of a sweep."""
        spread = f" on {', '.join(self.devices)}" if len(self.devices) > 1 else ""
        return f"{self.slots} at a time{spread}"

    def execute(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        """As `Executor.execute`."""
        if self.slots > 1 or self.limits != UNLIMITED:
            return self._in_workers(specs, context)
        return self._here([s for s in specs if not s.outside], [s for s in specs if s.outside], context)

    def collect(self, runs: Iterable[str], context: RunContext) -> set[str]:
        """As `Executor.collect`: whoever asks for runs here waits for them."""
        return set()

    def _here(
        self, own: Sequence[RunSpec], others: Sequence[RunSpec], context: RunContext
    ) -> Generator[Event, None, None]:
        for i, spec in enumerate(own):
            yield RunStarted(spec)
            try:
                outcome = make(spec, context, spec.id)
            except MemoryError as error:
                outcome = str(error)
            yield RunFinished(spec, outcome)
            if isinstance(outcome, RunResult) and _lost_device(outcome, context.device):
                others = [*own[i + 1 :], *others]
                break
        yield from self._in_workers(others, context)

    def _in_workers(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        devices = self.devices or [context.device]
        free = [self._worker(devices[i % len(devices)]) for i in range(min(self.slots, len(specs)))]
        waiting, trials, suspects = list(specs), Trials(self.limits.retries), list[RunSpec]()
        busy: dict[Future[RunResult], Task] = {}
        workers = set(free)
        try:
            while waiting or busy:
                while waiting and free:
                    spec = _next(waiting, sum(bool(task.spec.outside) for task in busy.values()) + 1 >= self.slots)
                    task = Task(spec, free.pop(0))
                    workers.add(task.worker)  # first: an interrupt may come before it is known as busy
                    busy[task.worker.submit(spec, context, self.limits.seconds)] = task
                    yield RunStarted(spec)
                for future in _ended(busy, None if self.limits.seconds is None else LOOK):
                    task = busy.pop(future)
                    free.append(task.slot)
                    event = _event(future, task.worker, task.spec, trials)
                    if isinstance(event, RunRetried):
                        (suspects if event.alone else waiting).insert(0, event.spec)
                    yield event
                _let_in(suspects, waiting, under_way=bool(busy))
        finally:
            for worker in workers:
                worker.close()


def _let_in(suspects: list[RunSpec], waiting: list[RunSpec], under_way: bool) -> None:
    """One of them, once nothing else is left: it may do again what others would die of."""
    if suspects and not waiting and not under_way:
        waiting.append(suspects.pop(0))


def _lost_device(result: RunResult, device: str) -> bool:
    """Whether the CUDA context of the process may be gone for good, whichever of CUDA's libraries has told of it."""
    return result.outcome.status == "failed" and device.startswith("cuda")


def _next(waiting: list[RunSpec], last: bool) -> RunSpec:
    """Takes the first that waits; the last place is lipbench's own while they wait, in case others' code never ends."""
    first = next((i for i, spec in enumerate(waiting) if not spec.outside), 0) if last else 0
    return waiting.pop(first)


def _ended(busy: "Mapping[Future[RunResult], Task]", look: float | None) -> "Iterable[Future[RunResult]]":
    """Waits until one has ended, or for `look` seconds at most; kills what is late."""
    ended = wait(busy, look, return_when=FIRST_COMPLETED).done
    for future, task in busy.items():
        if future not in ended and task.worker.late():
            task.worker.kill()
    return ended


def _event(future: "Future[RunResult]", slot: Slot, spec: RunSpec, trials: Trials) -> RunRetried | RunFinished:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        death = slot.death()
        return trials.after(spec, death.cause, death.own)
    if error is not None or spec.outside or _lost_device(future.result(), slot.device or ""):
        slot.close()  # what it holds is not to be in the way of the next run
    if error is None:
        return RunFinished(spec, future.result())
    if isinstance(error, BadInput):
        raise error
    if isinstance(error, KeyboardInterrupt):  # raised here it would pass for the user's Ctrl-C
        return trials.after(spec, "the worker was told to stop (SIGTERM)")
    if isinstance(error, MemoryError):
        return trials.after(spec, str(error))
    return RunFinished(spec, error_line(error))
