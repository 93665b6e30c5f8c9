"""Makes runs as tasks of a Ray cluster, whose nodes share the results folder. Queue and processes are Ray's affair."""

import logging
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import LocalRayletDiedError, NodeDiedError, OutOfMemoryError, RayError, RayTaskError

from ....objectives.errors import BadInput, message_of
from ...config.spec import RunSpec
from ...run.context import RunContext
from .base import Event, Limits, RunFinished, RunRetried, Trials
from .shared import POLL, Watch, portable
from .worker import make

LOST_NODES = 5  # may be lost under one run before it is given up
CAUSES = {OutOfMemoryError: "out of memory on its node", LocalRayletDiedError: "Ray ended on this machine"}


class RayExecutor:
    """A task for each run, with a core and a share of a GPU; Ray makes it again when its process dies.

    Args:
        limits: of every run; a lost node does not count as an attempt.
        address: as `ray.init` takes it.
        gpus: share of a GPU for each run.
    """

    slots = None

    def __init__(self, limits: Limits, address: str | None, gpus: float) -> None:
        self.limits, self.address, self.gpus = limits, address, gpus

    @property
    def where(self) -> str:
        """For the first line of a sweep."""
        return f"on Ray{f' at {self.address}' if self.address else ''}"

    def execute(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        """As `Executor.execute`."""
        watch, nodes = Watch(context, self.limits), Trials(LOST_NODES)
        with _connected(self.address):
            pending: dict[Any, RunSpec] = {}
            try:
                for spec in specs:
                    pending[self._submit(spec, context, watch)] = spec
                while pending:
                    ended, _ = ray.wait(list(pending), timeout=POLL)
                    yield from watch.news(list(pending.values()))
                    for task in ended:
                        spec = pending.pop(task)
                        event = _event(task, spec, watch, nodes)
                        if isinstance(event, RunRetried):
                            pending[self._submit(spec, context, watch)] = spec
                        yield event
            finally:
                for task in pending:
                    ray.cancel(task, force=True)

    def collect(self, runs: Iterable[str], context: RunContext) -> set[str]:
        """As `Executor.collect`: whoever asks for runs here waits for them."""
        return set()

    def _submit(self, spec: RunSpec, context: RunContext, watch: Watch) -> Any:
        watch.submitted(spec)
        again: Any = [MemoryError] if self.limits.retries else False
        calls: Any = ray.remote(max_calls=int(bool(spec.outside)))  # 1: a process of its own; 0: any number
        task: Any = calls(make).options(  # its types know nothing of defaults
            name=spec.id,
            num_cpus=context.threads,
            num_gpus=self.gpus,
            max_retries=self.limits.retries,
            retry_exceptions=again,
        )
        return task.remote(*portable(spec, context), spec.id, self.limits.seconds)


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """To the cluster, or to one that this process has joined before."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # sends nothing to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the program without a word
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadInput(f"address {address}: no Ray cluster: {message_of(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _event(task: Any, spec: RunSpec, watch: Watch, nodes: Trials) -> RunRetried | RunFinished:
    try:
        return RunFinished(spec, ray.get(task))
    except RayTaskError as error:
        if isinstance(error.cause, BadInput):
            raise BadInput(str(error.cause)) from error
        return RunFinished(spec, message_of(error.cause))
    except NodeDiedError:
        return nodes.after(spec, "its node was lost")
    except RayError as error:
        cause = CAUSES.get(type(error), "the worker process died")
        return RunFinished(spec, watch.cause(spec, cause))
