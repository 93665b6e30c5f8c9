"""Slurm through submitit, on submitit's own stand-in for a queue: processes of this machine. No Slurm is at hand."""

import io
import json
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'lipbench[slurm]'")

from rich.console import Console

from lipbench.bench.api.suites import sweep_suite
from lipbench.bench.config.spec import RunSpec
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_runs
from lipbench.bench.records.schema import RunResult
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import Limits, RunFinished, RunQueued, slurm
from lipbench.bench.sweep.executors.slurm import SlurmExecutor
from lipbench.bench.sweep.executors.worker import make
from lipbench.objectives import BadInput

Made = Callable[..., dict[str, RunRecord]]
Plan = Callable[..., list[RunSpec]]
LOCAL = {"cluster": "local"}
# What is detached goes on when nobody holds its process any more, which Python remarks upon.
LEFT_RUNNING = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
def test_slurm_makes_the_same_records_as_one_process_and_tries_again(
    made: Made, dies_once: Callable[[str], str], careful: RunContext, assert_same_course: Callable[..., None]
) -> None:
    content = {"objectives": [dies_once("os.kill(os.getpid(), signal.SIGKILL)"), "wgan-gp"], "steps": 8}
    records = made(SlurmExecutor(Limits(retries=1), 0, LOCAL), careful, **content)
    assert {name: r.result.cost.attempts for name, r in records.items()} == {"mine": 2, "wgan-gp": 1}
    undisturbed = made(1, replace(careful, folder=careful.folder.parent / "undisturbed"), **content)
    for name, record in records.items():
        assert_same_course(record, undisturbed[name])


@LEFT_RUNNING
@pytest.mark.slow
def test_slurm_hands_over_and_collects_later(plan: Plan, context: RunContext) -> None:
    specs = plan(objectives=["minimax", "wgan-gp"], steps=8)
    detached = SlurmExecutor(Limits(), 0, LOCAL, detach=True)
    first = list(detached.execute(specs, context))
    assert {event.spec.id: type(event) for event in first} == {spec.id: RunQueued for spec in specs}
    again = [event for event in detached.execute(specs, context) if isinstance(event, RunQueued)]
    assert len(list((context.folder / "slurm").glob("*_submitted.pkl"))) == 2, again  # nothing is submitted twice
    waited = list(SlurmExecutor(Limits(), 0, LOCAL).execute([event.spec for event in again], context))
    finished = [event for event in waited if isinstance(event, RunFinished)]
    assert len(finished) == len(again)
    assert all(isinstance(event.outcome, RunResult) and event.outcome.cost.attempts == 1 for event in finished)
    assert {path.name for path in (context.folder / "runs").iterdir() if path.name[0] != "."} == {s.id for s in specs}


@LEFT_RUNNING
@pytest.mark.slow
def test_a_detached_sweep_returns_and_the_same_call_collects_it(
    make_suite: Callable[..., Suite], context: RunContext
) -> None:
    suite, shown = make_suite(steps=8), io.StringIO()
    options = {"slurm": LOCAL, "detach": True}

    def call() -> str:
        console = Console(file=shown, width=200)
        assert sweep_suite(suite, context, console, "test", "slurm", options, False) == 0
        return shown.getvalue().splitlines()[-1]

    assert call() == "no runs (0 of them from before); 1 in the queue, which the same command collects."
    ended, limit = "", time.monotonic() + 300
    while "in the queue" in (ended := call()) and time.monotonic() < limit:
        time.sleep(1)
    assert "1 completed" in ended and ended.endswith("report.html")
    assert (context.folder / "report.html").exists()


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_slurm_does_not_unpickle_what_an_earlier_job_left(plan: Plan, context: RunContext, tmp_path: Path) -> None:
    """The folder may have come from elsewhere, with a list of jobs that never were."""
    (spec,), folder = plan(), context.folder / "slurm"
    folder.mkdir(parents=True)
    (folder / "jobs-local.json").write_text(json.dumps({spec.id: "12"}))
    for name in ("12_submitted.pkl", "12_0_result.pkl"):
        (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    (event,) = SlurmExecutor(Limits(), 0, LOCAL).execute([spec], context)
    assert isinstance(event, RunFinished) and "job 12 ended before, without a record" in str(event.outcome)
    assert not (tmp_path / "sprung").exists()
    assert json.loads((folder / "jobs-local.json").read_text()) == {}


@pytest.fixture
def sweep_failing(
    make_suite: Callable[..., Suite], write_plugin: Callable[..., Path], context: RunContext
) -> Callable[[], tuple[int, str]]:
    """Sweeps a suite whose run fails, detached: the exit status, and what was printed."""
    fails = "def penalty(self, critic, batch):\n    raise ZeroDivisionError('on purpose')"
    suite, options = make_suite(objectives=[f"{write_plugin(fails)}:Mine"]), {"slurm": LOCAL, "detach": True}

    def call() -> tuple[int, str]:
        shown = io.StringIO()
        console = Console(file=shown, width=200)
        return sweep_suite(suite, context, console, "test", "slurm", options, False), shown.getvalue()

    return call


def assert_failed_run_is_collected(status: int, printed: str, context: RunContext) -> None:
    """As it failed, in that one call; the next one tries it again."""
    told = "failed (ZeroDivisionError: on purpose at my.py:9); the same command tries it again"
    assert status == 1 and told in printed and "1 failed" in printed
    (record,) = read_runs(context.folder)
    assert record.result.outcome.traceback is not None and "in penalty" in record.result.outcome.traceback


@LEFT_RUNNING
@pytest.mark.slow
def test_a_failed_run_is_collected_with_its_traceback(
    sweep_failing: Callable[[], tuple[int, str]], context: RunContext
) -> None:
    status, printed = sweep_failing()
    assert status == 0 and "1 in the queue" in printed
    limit = time.monotonic() + 300
    while not list((context.folder / "slurm").glob("*_result.pkl")) and time.monotonic() < limit:
        time.sleep(1)
    assert_failed_run_is_collected(*sweep_failing(), context)
    assert "1 to make" in sweep_failing()[1]


def test_a_failed_run_of_an_earlier_call_is_told_before_it_is_tried_again(
    sweep_failing: Callable[[], tuple[int, str]], plan: Plan, context: RunContext, tmp_path: Path
) -> None:
    (spec,) = plan(objectives=[f"{tmp_path / 'my.py'}:Mine"])
    make(spec, context, spec.id)
    noted = context.folder / "slurm" / "jobs-local.json"
    noted.parent.mkdir()
    noted.write_text(json.dumps({spec.id: "12"}))
    (noted.parent / "12_0_result.pkl").touch()
    assert_failed_run_is_collected(*sweep_failing(), context)
    assert json.loads(noted.read_text()) == {}


@pytest.mark.slow
def test_slurm_kills_what_is_past_its_time(made: Made, dies_once: Callable[[str], str], context: RunContext) -> None:
    content = {"objectives": [dies_once("time.sleep(1000)")], "steps": 8}
    result = made(SlurmExecutor(Limits(seconds=2), 0, LOCAL), context, **content)["mine"].result
    assert (result.outcome.status, result.outcome.reason) == ("failed", "past its time limit of 2 s")
    assert 2 <= result.cost.seconds < 60


@pytest.mark.slow
def test_slurm_stops_where_a_worker_refuses_its_run(
    plan: Plan, context: RunContext, begun_on_another_device: Callable[[RunSpec], None]
) -> None:
    (spec,) = plan()
    begun_on_another_device(spec)
    with pytest.raises(BadInput, match="this run was begun on NVIDIA"):
        list(SlurmExecutor(Limits(), 0, LOCAL).execute([spec], context))


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (LOCAL | {"colour": "red"}, "need to be prefixed by an executor name"),
        (LOCAL | {"timeout_min": "long"}, 'Parameter "timeout_min" expected type'),
        ({"cluster": "moon"}, "doesn't know any executor named moon"),
    ],
)
def test_slurm_tells_a_wrong_parameter_in_one_line(
    plan: Plan, context: RunContext, parameters: dict[str, str], line: str
) -> None:
    with pytest.raises(BadInput, match=line) as caught:
        list(SlurmExecutor(Limits(), 0, parameters).execute(plan(), context))
    assert str(caught.value).startswith("executor slurm: ")
    assert "\n" not in str(caught.value)


def test_slurm_gives_whole_gpus_only() -> None:
    with pytest.raises(BadInput, match=r"0\.5 GPUs for each run: Slurm gives whole GPUs to jobs"):
        SlurmExecutor(Limits(), 0.5, {})


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's commands: sbatch keeps the script that it gets in this file, scancel its arguments beside; jobs wait."""
    script, folder = tmp_path / "script", tmp_path / "slurm-commands"
    folder.mkdir()
    commands = {"srun": "", "sacct": "", "sbatch": f"cp $1 {script}; echo Submitted batch job 7"}
    for name, does in (commands | {"scancel": f"echo $* >> {script.with_name('cancelled')}"}).items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return script


def test_slurm_cancels_only_jobs_that_this_command_has_submitted(
    plan: Plan, context: RunContext, sbatch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results folder may have come from elsewhere, with numbers of somebody's jobs, or what is no number."""

    def press(_: float) -> None:
        raise KeyboardInterrupt

    theirs, odd, _ = (spec.id for spec in plan(seeds=3))
    noted = context.folder / "slurm" / "jobs-slurm.json"
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps({theirs: "12345_6", odd: "--me"}))
    monkeypatch.setattr(time, "sleep", press)
    with pytest.raises(KeyboardInterrupt):
        list(SlurmExecutor(Limits(), 0, {}).execute(plan(seeds=3), context))
    assert sbatch.with_name("cancelled").read_text().splitlines() == ["7_0", "7_1"]
    assert json.loads(noted.read_text()) == {theirs: "12345_6"}


@pytest.mark.parametrize(
    ("limits", "gpus", "parameters", "threads", "asked"),
    [
        (
            Limits(seconds=600),
            2,
            {"slurm_partition": "gpu", "slurm_array_parallelism": 1},
            4,
            {"time=15", "cpus-per-task=4", "gpus-per-node=2", "partition=gpu", "array=0-1%1"},
        ),
        (Limits(), 0, {}, 1, {f"time={60 * slurm.HOURS}", "cpus-per-task=1"}),
    ],
)
def test_slurm_asks_for_what_a_run_needs(
    plan: Plan,
    context: RunContext,
    sbatch: Path,
    limits: Limits,
    gpus: int,
    parameters: dict[str, Any],
    threads: int,
    asked: set[str],
) -> None:
    executor = SlurmExecutor(limits, gpus, parameters, detach=True)
    specs = plan(seeds=2)
    assert list(executor.execute(specs, replace(context, threads=threads))) == [RunQueued(spec) for spec in specs]
    lines = {line.partition("#SBATCH --")[2] for line in sbatch.read_text().splitlines()}
    assert asked | {"job-name=lipbench"} <= lines
