"""What a sweep tells: guesses of the time left, a line per run in a log, what runs now on a terminal."""

import io
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.records.schema import Cost, Measured, RunOutcome, RunResult
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import RunFinished, RunRetried, RunStarted
from lipbench.bench.sweep.progress import Progress, TimeLeft, duration

Plan = Callable[..., list[RunSpec]]


@pytest.fixture
def plan(make_suite: Callable[..., Any], tmp_path: Any) -> Plan:
    from lipbench.bench.config.spec import expand

    return lambda **content: expand(make_suite(**content), RunContext(tmp_path, suite_folder=tmp_path))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its only entry is the time."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def result(status: str = "completed", seconds: float = 60.0, reason: str | None = None, attempts: int = 1) -> RunResult:
    trained = status in ("completed", "diverged")
    measured = Measured(6, {}, {}, {}, "", None, None, {}) if trained else None
    return RunResult("r", {}, RunOutcome(status, reason), Cost(seconds, attempts), measured)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273_700, "3 d 4 h")],
)
def test_duration_is_told_as_people_do(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_time_left_is_guessed_from_runs_of_the_same_kind(plan: Plan) -> None:
    minimax, penalty = (plan(objectives=[name], seeds=3) for name in ("minimax", "wgan-gp"))
    left = TimeLeft(2)
    assert left.guess(minimax, []) is None
    left.learn(minimax[0], 10)
    left.learn(minimax[0], 20)
    assert left.guess(minimax[1:], []) == pytest.approx((15 + 15) / 2)
    assert left.guess(penalty, []) == pytest.approx(3 * 15 / 2)  # the closest there is: the same network and data
    left.learn(penalty[0], 100)
    assert left.guess(penalty[1:], [(minimax[1], 5.0)]) == pytest.approx((100 + 100 + 10) / 2)
    assert left.guess([], [(penalty[1], 30.0), (minimax[1], 99.0)]) == pytest.approx(70)  # no faster than the slowest


def test_time_left_of_longer_runs_is_guessed_by_the_step(plan: Plan) -> None:
    left = TimeLeft(1)
    left.learn(plan(steps=10)[0], 5)
    assert left.guess(plan(steps=1000), []) == pytest.approx(500)


def test_progress_in_a_log_is_a_line_per_run_with_what_is_left(plan: Plan, clock: list[float]) -> None:
    printed, specs = io.StringIO(), plan(objectives=["minimax", "wgan-gp"], seeds=2)
    told = Progress(specs, Console(file=printed, width=40), TimeLeft(1))
    with told.shown():
        for spec in specs[:2]:
            told.tell(RunStarted(spec))
        told.tell(RunRetried(specs[0], "the worker process died: SIGKILL"))
        told.tell(RunStarted(specs[0]))
        clock[0] = 60.0
        told.tell(RunFinished(specs[0], ""), result())
        told.tell(RunFinished(specs[1], ""), result("failed", 1.0, "ValueError: [x]"))
        told.tell(RunFinished(specs[2], ""), result())
        told.tell(RunFinished(specs[3], ""), result())
    assert printed.getvalue().splitlines() == [
        "8gaussians minimax fast seed 0: the worker process died: SIGKILL; it is tried again",
        "[1/4] 8gaussians minimax fast seed 0: completed, 1 min (3 left, about 2 min)",
        "[2/4] 8gaussians wgan-gp fast seed 0: failed (ValueError: [x]), 1 s (1 failed, 2 left, about 2 min)",
        "[3/4] 8gaussians minimax fast seed 1: completed, 1 min (1 failed, 1 left, about 1 min)",
        "[4/4] 8gaussians wgan-gp fast seed 1: completed, 1 min",
    ]


def test_progress_tells_what_several_runs_notice_once(plan: Plan) -> None:
    printed, specs = io.StringIO(), plan(seeds=3)
    told = Progress(specs, Console(file=printed, width=80), TimeLeft(1))
    for spec, notices in zip(specs, (("a", "a"), ("a", "b"), ()), strict=True):
        told.tell(RunFinished(spec, ""), replace(result(), notices=notices))
    assert [line for line in printed.getvalue().splitlines() if line[0] != "["] == ["a", "b"]


class Cell:
    """A notebook's cell: its outputs, in their order. Stands for the module `IPython.display`."""

    def __init__(self) -> None:
        self.outputs: list[str] = []

    def display(self, shown: Any, raw: bool = False, display_id: bool = False) -> SimpleNamespace:
        place = len(self.outputs)
        self.outputs.append(shown["text/plain"] if raw else shown.text)
        return SimpleNamespace(update=lambda new, raw: self.outputs.__setitem__(place, new["text/plain"]))


def test_progress_in_a_notebook_is_one_output_that_renews_itself(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, specs = Cell(), plan(seeds=100)
    monkeypatch.setitem(sys.modules, "IPython.display", cast(ModuleType, cell))
    told = Progress(specs, Console(force_jupyter=True), TimeLeft(2))
    with told.shown():
        assert "0/100 done" in cell.outputs[0]
        for spec in specs[:-1]:
            told.tell(RunStarted(spec))
            told.tell(RunFinished(spec, ""), result())
        told.tell(RunStarted(specs[-1]))
        until = time.monotonic() + 60
        while "99/100 done · 1 running" not in cell.outputs[0] and time.monotonic() < until:
            time.sleep(0.05)
        assert len(cell.outputs) == 1 and f"{specs[-1].dataset} wgan-gp fast seed 99" in cell.outputs[0]
        assert "99/100 done · 1 running" in cell.outputs[0]
        told.tell(RunFinished(specs[-1], ""), result("failed", 1.0, "ValueError: no"))
    assert [line.strip() for line in cell.outputs] == [
        "",
        "[100/100] 8gaussians wgan-gp fast seed 99: failed (ValueError: no), 1 s",
    ]


def test_progress_tells_a_resumed_run_s_time_in_all_and_since(plan: Plan, clock: list[float]) -> None:
    printed, specs = io.StringIO(), plan(objectives=["minimax", "wgan-gp"], seeds=1)
    told = Progress(specs, Console(file=printed, width=40), TimeLeft(1))
    for spec, end in zip(specs, (10.0, 71.0), strict=True):
        told.tell(RunStarted(spec))
        clock[0] = end
        told.tell(RunFinished(spec, ""), result(attempts=2 if end == 10.0 else 1))
    assert [line.partition(": ")[2].partition(" (")[0] for line in printed.getvalue().splitlines()] == [
        "completed, 1 min in all, 10 s since it was resumed",
        "completed, 1 min",
    ]


def test_progress_on_a_terminal_shows_what_runs_and_the_counts(plan: Plan, clock: list[float]) -> None:
    printed, specs = io.StringIO(), plan(seeds=20)
    console = Console(file=printed, force_terminal=True, width=90, height=40)
    told = Progress(specs, console, TimeLeft(10))
    with told.shown():
        for spec in specs[:12]:
            told.tell(RunStarted(spec))
        clock[0] = 75.0
        told.tell(RunFinished(specs[0], ""), result())
        told.tell(RunFinished(specs[1], ""), result("diverged", 30.0, "nan"))
    assert "[2/20] 8gaussians wgan-gp fast seed 1: diverged (nan), 30 s" in printed.getvalue()
    assert "[1/20]" not in printed.getvalue()
    # Between two movements of the cursor stands the display at one time.
    shown = [text for text in re.split(r"(?:\r|\x1b\[\d*[AK])+", printed.getvalue()) if "so far" in text][-1]
    assert shown.count("1 min 15 s  8gaussians wgan-gp fast seed") == 8
    assert "and 2 more" in shown
    assert "2/20 done, 1 diverged · 10 running, 8 waiting" in shown
    assert "1 min 15 s so far; about 36 s left" in shown
