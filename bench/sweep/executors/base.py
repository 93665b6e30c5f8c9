"""What every executor offers: specifications in, news of their runs out. Nothing here knows processes or queues."""

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...config.spec import RunSpec
from ...records.schema import RunResult
from ...run.context import RunContext


@dataclass(frozen=True)
class Limits:
    """What a run may cost: further attempts after the first, and seconds for each (None: as long as it takes)."""

    retries: int = 0
    seconds: float | None = None


UNLIMITED = Limits()


@dataclass(frozen=True)
class RunStarted:
    """A worker has begun the run, or gone on with it."""

    spec: RunSpec


@dataclass(frozen=True)
class RunRetried:
    """The run's worker died, and another attempt will be made; `alone`, where its death may be another run's doing."""

    spec: RunSpec
    cause: str
    alone: bool = False


@dataclass(frozen=True)
class RunFinished:
    """The run is over: its result, or how its worker died, in words."""

    spec: RunSpec
    outcome: RunResult | str


@dataclass(frozen=True)
class RunQueued:
    """The run was handed over, and whoever makes it needs nobody to wait for it."""

    spec: RunSpec


Event = RunStarted | RunRetried | RunFinished | RunQueued


class Executor(Protocol):
    """A way to make runs: on this machine, on Ray's nodes, on a queue."""

    @property
    def slots(self) -> int | None:
        """Runs made at once; None where somebody else decides."""
        ...

    @property
    def where(self) -> str:
        """How and where, for the first line of a sweep."""
        ...

    def execute(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        """Makes the runs and tells what happens to them, each ending exactly once: finished, or queued.

        Closing the iterator ends what is under way; it goes on from its checkpoints another time.

        Raises:
            BadInput: where going on makes no sense for any run: the disk is full, a node has other code.
        """
        ...

    def collect(self, runs: Iterable[str], context: RunContext) -> set[str]:
        """Which of these runs, whose records are there, an earlier call handed over; from now on none of them is."""
        ...


class Trials:
    """Counts deaths, so that nobody tries for ever."""

    def __init__(self, retries: int) -> None:
        self._retries, self._deaths, self._struck = retries, Counter[str](), set[str]()

    def after(self, spec: RunSpec, cause: str, own: bool = True) -> RunRetried | RunFinished:
        """What is to be done after a run's worker died; a death that may not be its `own` doing is forgiven once."""
        if not own and spec.id not in self._struck:
            self._struck.add(spec.id)
            return RunRetried(spec, cause, alone=True)
        self._deaths[spec.id] += 1
        if self._deaths[spec.id] <= self._retries:
            return RunRetried(spec, cause)
        made = self._deaths[spec.id]
        return RunFinished(spec, cause if made == 1 else f"{cause} (attempt {made} of {made})")
