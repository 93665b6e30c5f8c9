"""Workers of this machine: what dies is tried again or has failed, what takes too long is killed, the others go on."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from torch.optim.optimizer import register_optimizer_step_pre_hook

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.records.schema import RunOutcome, RunResult
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import Limits, LocalExecutor, RunFinished, RunRetried, RunStarted
from lipbench.bench.sweep.executors.base import Trials
from lipbench.bench.sweep.executors.local import Slot, exit_status
from lipbench.bench.sweep.runner import Runner

Made = Callable[..., dict[str, RunRecord]]
Plan = Callable[..., list[RunSpec]]
DiesOnce = Callable[[str], str]
Same = Callable[[RunRecord, RunRecord], None]
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def ended(status: str) -> RunResult:
    return RunResult("r", {}, RunOutcome(status))


@pytest.mark.parametrize("how", [KILL, pytest.param("raise MemoryError('all gone')", marks=pytest.mark.slow)])
def test_local_goes_on_from_the_checkpoint_of_a_run_that_died_if_it_may(
    made: Made, dies_once: DiesOnce, careful: RunContext, assert_same_course: Same, how: str
) -> None:
    content = {"objectives": [dies_once(how), "wgan-gp"], "steps": 8}
    records = made(LocalExecutor(2, Limits(retries=1)), careful, **content)
    assert {name: r.result.cost.attempts for name, r in records.items()} == {"mine": 2, "wgan-gp": 1}
    undisturbed = made(1, replace(careful, folder=careful.folder.parent / "undisturbed"), **content)
    for name, record in records.items():
        assert_same_course(record, undisturbed[name])


def test_local_goes_on_after_a_worker_was_told_to_stop(made: Made, dies_once: DiesOnce, context: RunContext) -> None:
    """SIGTERM becomes a KeyboardInterrupt in there, which is not the one of whoever started the sweep."""
    told = "os.kill(os.getpid(), signal.SIGTERM)"
    records = made(LocalExecutor(2), context, objectives=[dies_once(told), "wgan-gp"], steps=8)
    assert {name: r.status for name, r in records.items()} == {"mine": "failed", "wgan-gp": "completed"}
    assert records["mine"].result.outcome.reason == "the worker was told to stop (SIGTERM)"


def test_local_kills_what_is_past_its_time(made: Made, dies_once: DiesOnce, context: RunContext) -> None:
    """Even with one job: then in a process of its own."""
    content = {"objectives": [dies_once("time.sleep(1000)")], "steps": 8}
    result = made(LocalExecutor(1, Limits(seconds=2)), context, **content)["mine"].result
    assert (result.outcome.status, result.outcome.reason) == ("failed", "past its time limit of 2 s")
    assert 2 <= result.cost.seconds < 60


def test_a_run_that_never_has_the_time_comes_to_its_end_over_several_calls(
    plan: Plan, write_plugin: Callable[..., Path], careful: RunContext, assert_same_course: Same
) -> None:
    hurry, printed = careful.folder.parent / "hurry", io.StringIO()
    write_plugin(f"""def penalty(self, critic, batch):
    __import__("time").sleep(0 if __import__("os").path.exists({str(hurry)!r}) else 0.5)
    return 0 * critic(batch.real).mean()""")
    specs = plan(objectives=["my.py:Mine"], steps=40)
    (first,) = Runner(careful, LocalExecutor(1, Limits(seconds=15)), Console(file=printed)).records(specs)
    assert first.result.outcome.reason == "past its time limit of 15 s"
    reached = max(int(path.stem) for path in first.folder.glob("resume/*.ckpt"))
    assert 0 < reached < 40
    hurry.touch()
    (record,) = Runner(careful, LocalExecutor(1), Console(file=printed)).records(specs)
    assert record.result.cost.attempts == 2
    assert not (record.folder / "resume").exists()
    assert f"goes on from step {reached} of 40" in printed.getvalue()
    elsewhere = replace(careful, folder=careful.folder.parent / "undisturbed")
    assert_same_course(record, Runner(elsewhere, LocalExecutor(1), Console(file=printed)).records(specs)[0])


class Asked:
    """A process whose status somebody else takes: it is known only some questions after the end."""

    def __init__(self, answers: list[int | None]) -> None:
        self.answers, self.joined = answers, 0

    def join(self, timeout: float) -> None:
        self.joined += 1

    @property
    def exitcode(self) -> int | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_exit_status_waits_until_whoever_was_quicker_has_noted_it() -> None:
    late, alive = Asked([None, None, None, 7]), Asked([None])
    assert exit_status(late) == 7 and late.joined == 1  # pyright: ignore[reportArgumentType]
    assert exit_status(alive, patience=0.05) is None  # pyright: ignore[reportArgumentType]


def test_local_in_this_process_goes_on_after_a_run_without_memory(
    made: Made, dies_once: DiesOnce, context: RunContext
) -> None:
    records = made(1, context, objectives=[dies_once("raise MemoryError('all gone')"), "wgan-gp"], steps=8)
    assert records["mine"].result.outcome.reason == "out of memory: all gone"
    assert {name: r.status for name, r in records.items()} == {"mine": "failed", "wgan-gp": "completed"}


@pytest.mark.parametrize(
    ("status", "device", "kept"),
    [("failed", "cuda:1", False), ("failed", "cpu", True), ("completed", "cuda:1", True)],
)
def test_local_ends_a_worker_whose_gpu_may_be_lost(
    plan: Plan, context: RunContext, status: str, device: str, kept: bool
) -> None:
    """After some errors of a GPU every later call in that process fails too."""
    closed: list[bool] = []

    class Fake(Slot):
        def submit(self, spec: RunSpec, context: RunContext, seconds: float | None = None) -> "Future[RunResult]":
            future: Future[RunResult] = Future()
            future.set_result(ended(status))
            return future

        def close(self) -> None:
            closed.append(True)

    (spec,) = plan(objectives=["minimax"])
    events = LocalExecutor(2, devices=[device], worker=Fake).execute([spec], context)
    assert next(events) == RunStarted(spec)
    assert next(events) == RunFinished(spec, ended(status))
    assert closed == ([] if kept else [True])
    assert list(events) == []
    assert closed  # all are in the end


def test_local_stays_in_this_process_after_a_run_that_failed_on_a_cpu(
    plan: Plan, context: RunContext, optimizer_steps: list[int]
) -> None:
    """After one that failed on a GPU it does not: tests/pretend_gpu/test_runs.py."""
    failures = iter([RuntimeError("on purpose")])

    def fail_once(*_: Any) -> None:
        for error in failures:
            raise error

    handle = register_optimizer_step_pre_hook(fail_once)
    try:
        events = list(LocalExecutor(1).execute(plan(objectives=["minimax"], seeds=2), context))
    finally:
        handle.remove()
    outcomes = [event.outcome for event in events if isinstance(event, RunFinished)]
    assert [one.outcome.status for one in outcomes if isinstance(one, RunResult)] == ["failed", "completed"]
    assert optimizer_steps


def test_local_tells_when_runs_start_and_end(plan: Plan, context: RunContext) -> None:
    specs = plan(objectives=["minimax", "wgan-gp"])
    events = list(LocalExecutor(1).execute(specs, context))
    assert [(type(e), e.spec) for e in events] == [(k, s) for s in specs for k in (RunStarted, RunFinished)]


@pytest.mark.skipif(sys.platform != "linux", reason="no fork server elsewhere")
def test_a_worker_starts_though_the_fork_server_is_killed_at_that_moment() -> None:
    first, second = Slot(), Slot()
    try:
        server = first.call(os.getppid).result()
        os.kill(server, signal.SIGSTOP)  # it hears the request, and dies before it answers
        threading.Timer(0.3, os.kill, (server, signal.SIGKILL)).start()
        assert second.call(os.getppid).result() not in (server, os.getpid())
    finally:
        first.close()
        second.close()


def test_a_death_that_may_be_another_runs_doing_is_forgiven_once_and_does_not_count(plan: Plan) -> None:
    first, second = plan(seeds=[0, 1])
    trials = Trials(retries=1)
    assert trials.after(first, "struck", own=False) == RunRetried(first, "struck", alone=True)
    assert trials.after(second, "struck", own=False) == RunRetried(second, "struck", alone=True)
    assert trials.after(first, "struck", own=False) == RunRetried(first, "struck")
    assert trials.after(first, "died") == RunFinished(first, "died (attempt 2 of 2)")


def test_trials_end_once_the_retries_are_used_up(plan: Plan) -> None:
    (one, other), trials = plan(seeds=[0, 1]), Trials(2)
    assert trials.after(one, "died") == RunRetried(one, "died")
    assert trials.after(other, "fell") == RunRetried(other, "fell")
    assert trials.after(one, "died") == RunRetried(one, "died")
    assert trials.after(one, "burnt") == RunFinished(one, "burnt (attempt 3 of 3)")
    assert Trials(0).after(one, "died") == RunFinished(one, "died")


def test_local_spreads_workers_over_the_devices(plan: Plan, context: RunContext) -> None:
    asked: list[str | None] = []

    class Fake(Slot):
        def __init__(self, device: str | None) -> None:
            asked.append(device)
            super().__init__("cpu")

        def submit(self, spec: RunSpec, context: RunContext, seconds: float | None = None) -> Any:
            raise KeyboardInterrupt

    executor = LocalExecutor(5, devices=["cuda:0", "cuda:1"], worker=Fake)
    assert executor.where == "5 at a time on cuda:0, cuda:1"
    with pytest.raises(KeyboardInterrupt):
        list(executor.execute(plan(seeds=5), context))
    assert asked == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]


def test_local_waits_in_this_process_too_for_another_attempt_at_the_run(plan: Plan, context: RunContext) -> None:
    """As one of a queue that outlived the sweep that had begun it: its record is found, and not made again."""
    (spec,) = plan(objectives=["minimax"])
    first = list(LocalExecutor(1).execute([spec], context))
    record = context.folder / "runs" / spec.id / "result.json"
    before = record.stat().st_mtime_ns
    second = list(LocalExecutor(1).execute([spec], context))
    assert isinstance(first[-1], RunFinished) and isinstance(second[-1], RunFinished)
    assert isinstance(second[-1].outcome, RunResult) and second[-1].outcome.outcome.status == "completed"
    assert record.stat().st_mtime_ns == before
