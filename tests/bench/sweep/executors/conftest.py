"""What the tests of executors share: runs to make, objectives that die once, and what is left when all is over."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_run
from lipbench.bench.records.store import Store
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import Executor
from lipbench.bench.sweep.runner import records_of

# Dies at its fifth iteration as `once` says, the first time that it gets there.
ONCE = """
import os, pathlib, signal, time
from lipbench.objectives import Objective

class Mine(Objective):
    name = "mine"
    reference = "a test"

    def penalty(self, critic, batch):
        marker = pathlib.Path({marker!r})
        if batch.step == 5 and not marker.exists():
            marker.touch()
            {how}
"""


@pytest.fixture
def dies_once(write_plugin: Callable[..., Path], tmp_path: Path) -> Callable[[str], str]:
    """Writes an objective that does so once; its name in a suite."""

    def write(how: str) -> str:
        return f"{write_plugin(head=ONCE.format(marker=str(tmp_path / 'died'), how=how))}:Mine"

    return write


@pytest.fixture
def plan(make_suite: Callable[..., Suite], tmp_path: Path) -> Callable[..., list[RunSpec]]:
    """The specifications of a small suite's runs."""
    return lambda **content: expand(make_suite(**content), RunContext(tmp_path, suite_folder=tmp_path))


@pytest.fixture
def made(make_suite: Callable[..., Suite], tmp_path: Path) -> Callable[..., dict[str, RunRecord]]:
    """The records of a small suite by objective, from that executor, in that context."""

    def make(executor: Executor | int, context: RunContext, **content: Any) -> dict[str, RunRecord]:
        suite, silent = make_suite(**content), Console(file=io.StringIO())
        return {record.objective: record for record in records_of(suite, context, executor, silent)}

    return make


@pytest.fixture
def begun_on_another_device(context: RunContext) -> Callable[[RunSpec], None]:
    """Leaves a run half made on a GPU, so that a worker on a CPU refuses it."""

    def begin(spec: RunSpec) -> None:
        folder = Store(context.folder).partial(spec.id)
        (folder / "spec.json").write_text('{"device": "NVIDIA H100 80GB HBM3"}')
        (folder / "resume").mkdir()
        (folder / "resume" / "000000003.ckpt").touch()

    return begin


@pytest.fixture
def read() -> Callable[[RunContext, Sequence[RunSpec]], list[RunRecord]]:
    """The records of these runs."""
    return lambda context, specs: [read_run(Store(context.folder).runs / spec.id) for spec in specs]


@pytest.fixture
def assert_same_course() -> Callable[[RunRecord, RunRecord], None]:
    """That two records differ in times at most."""

    def same(a: RunRecord, b: RunRecord) -> None:
        assert a.status == b.status == "completed"
        assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))
        assert a.metrics == b.metrics

    return same
