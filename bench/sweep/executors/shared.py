"""For workers on other machines: what becomes of them is read from the results folder, which all machines share."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...config.plugins import absolute
from ...config.spec import RunSpec
from ...data.catalog import base_of
from ...records.store import Store
from ...run.checkpoint import attempts
from ...run.context import RunContext
from .base import Event, Limits, RunRetried, RunStarted

POLL = 1.0  # seconds between two looks at the folder


def portable(spec: RunSpec, context: RunContext) -> tuple[RunSpec, RunContext]:
    """The same with absolute paths: a worker elsewhere has another working directory."""
    data = base_of(spec.dataset, context.data, context.suite_folder)
    folders = {"folder": context.folder, "suite_folder": context.suite_folder, "data": data, "weights": context.weights}
    absolutes = {name: folder and folder.absolute() for name, folder in folders.items()}
    target = absolute(spec.objective_target, context.suite_folder)
    targets = {kind: absolute(other, context.suite_folder) for kind, other in spec.targets.items()}
    return replace(spec, objective_target=target, targets=targets), replace(context, **absolutes)


class Watch:
    """Sees in the results folder when runs begin, and begin again."""

    def __init__(self, context: RunContext, limits: Limits) -> None:
        self._store, self._limits = Store(context.folder), limits
        self._made: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def submitted(self, spec: RunSpec) -> None:
        """The run has been handed over, for the first time or again."""
        self._seen[spec.id], self._made[spec.id] = len(self._attempts(spec)), 0

    def news(self, pending: Sequence[RunSpec]) -> Iterator[Event]:
        """Which of the pending runs have begun since the last look."""
        for spec in pending:
            new = len(self._attempts(spec)) - self._seen[spec.id]
            for _ in range(new):
                if self._made[spec.id]:
                    yield RunRetried(spec, "its worker was lost")
                yield RunStarted(spec)
                self._made[spec.id] += 1
            self._seen[spec.id] += new

    def cause(self, spec: RunSpec, cause: str) -> str:
        """Why the run's last attempt died; its worker is not there to say that its time was over."""
        began = [when for when, _ in self._attempts(spec)[-1:]]
        limit = self._limits.seconds
        if limit is not None and began and time.time() - began[0] >= limit:
            return f"past its time limit of {limit:g} s"
        return cause

    def _attempts(self, spec: RunSpec) -> list[tuple[float, str]]:
        return attempts(self._store.unfinished(spec.id))
