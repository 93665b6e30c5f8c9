"""For workers on other machines: what becomes of them is read from the results folder, which all machines share."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...config.plugins import absolute
from ...config.spec import RunSpec
from ...data import is_pictures
from ...records.store import Store
from ...run.train import RunContext, attempts
from .base import Event, Limits, RunRetried, RunStarted

POLL = 1.0  # seconds between two looks at the folder


def portable(specs: Sequence[RunSpec], place: RunContext) -> tuple[list[RunSpec], RunContext]:
    """The same with absolute paths: a worker elsewhere has another working directory."""
    return [_absolute(spec) for spec in specs], replace(place, folder=place.folder.absolute())


def _absolute(spec: RunSpec) -> RunSpec:
    data_dir = spec.data_dir
    if data_dir is None and is_pictures(spec.dataset):
        data_dir = ""  # where a relative path of theirs begins
    return replace(
        spec,
        objective_target=absolute(spec.objective_target, Path(spec.folder)),
        folder=str(Path(spec.folder).absolute()),
        data_dir=None if data_dir is None else str(Path(data_dir).absolute()),
    )


class Watch:
    """Sees in the results folder when runs begin, and begin again."""

    def __init__(self, place: RunContext, limits: Limits) -> None:
        self._store, self._limits = Store(place.folder), limits
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
