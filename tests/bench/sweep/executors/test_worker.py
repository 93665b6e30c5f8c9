"""What a worker does around a run: it is of the right code, alone, in time, and makes nothing twice."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.records.schema import RunResult
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors.worker import LOCKS, forget_locks, keep_compiled, make, time_limit
from lipbench.objectives import BadInput

Plan = Callable[..., list[RunSpec]]


def test_make_refuses_a_run_that_has_another_identity_here(plan: Plan, context: RunContext) -> None:
    (spec,) = plan()
    with pytest.raises(BadInput, match="a worker has another version of lipbench"):
        make(replace(spec, seed=1), context, spec.id)
    assert not context.folder.exists()


def test_make_waits_for_another_attempt_and_takes_its_result(
    plan: Plan, context: RunContext, optimizer_steps: list[int]
) -> None:
    (spec,) = plan()
    first = make(spec, context, spec.id)
    optimizer_steps.clear()
    found: list[RunResult] = []
    second = threading.Thread(target=lambda: found.append(make(spec, context, spec.id)))
    with FileLock(context.folder / LOCKS / spec.id):
        second.start()
        second.join(0.3)
        assert second.is_alive()
    second.join(30)
    assert found[0].measured is not None and first.measured is not None
    assert found[0].measured.metrics == first.measured.metrics
    assert not optimizer_steps  # it was not made twice
    forget_locks(context.folder)
    assert not (context.folder / LOCKS).exists()


def test_time_limit_is_up_once_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        with time_limit(0.05):
            time.sleep(0.2)
        assert rung == [signal.SIGALRM]
        with time_limit(0.05):
            pass
        with time_limit(None):
            time.sleep(0.2)
        assert rung == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("told", "kept"), [(None, "cache/compiled"), ("mine", "mine")])
def test_compiled_graphs_are_kept_beside_the_other_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, kept: str
) -> None:
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / (told or "")))
    if told is None:
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    keep_compiled()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / kept)


def test_compiled_graphs_leave_a_run_alone_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "mine")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    keep_compiled()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
