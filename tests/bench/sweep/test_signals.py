"""Ctrl-C on a terminal, SIGTERM and SIGKILL at random moments of a sweep: it stops, and ends the same another time."""

import fcntl
import itertools
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SUITE = """
objectives: [minimax, wgan-gp]
datasets: [8gaussians]
architectures: [{name: mlp, width: 16, depth: 1}]
recipe: {lr: 1e-3, n_critic: 1, batch: 16}
steps: 40
seeds: 3
evaluation: {count: 2, points: 50, mode_points: 100, repeats: 0}
"""
SAID = "lipbench: stopped; the same command goes on from here"
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
HANGS = 600.0  # seconds in which nothing comes to its end any more; a sweep takes five, on a busy machine a minute
TOGETHER = 3  # interruptions of one sweep before it may come to its end
# Runs that last, and are kept often: an interruption finds a checkpoint to go on from.
LONG = ("--checkpoint-seconds", "0.05", "--set", "steps=1500", "evaluation.count=8")
MOMENTS = 20


@dataclass(frozen=True)
class Shot:
    """A signal, and when it is sent: so many seconds after the program is there, or after it is at work on a run."""

    number: signal.Signals
    after: float = 0.0
    at_work: bool = False
    to_all: bool = False


@dataclass(frozen=True)
class Ending:
    """How a sweep on a terminal ended: its exit status, what the terminal showed, and whether a signal was sent."""

    status: int
    shown: str
    signalled: bool


def of_session(session: int) -> list[int]:
    """The processes of a terminal's session that are not over yet."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its = path.read_text().rpartition(")")[2].split()[:4]
            found += [int(path.parent.name)] if int(its) == session and state != "Z" else []
    return found


def listens(process: int) -> bool:
    """Whether the program is there: until then Python itself decides what a signal does."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Within it the processor has this to do too."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def in_foreground() -> None:
    """Of the new terminal; tests that a shell runs in the background are deaf to Ctrl-C, and so is what they start."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Makes sweeps of one suite, each on a terminal of its own, in its foreground."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "suite.yaml").write_text(SUITE)

    def sweep(self, out: str, jobs: int, shot: Shot | None = None, options: Sequence[str] = ()) -> Ending:
        """One call of the command line, to its end, or to that which the shot puts to it."""
        command = [sys.executable, "-m", "lipbench.bench.cli", "run", "suite.yaml", "--out", out, "--jobs", str(jobs)]
        ours, theirs = pty.openpty()
        began = time.time()
        process = subprocess.Popen(
            [*command, *options],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=in_foreground,
        )
        os.close(theirs)
        begun, at, signalled, shown = time.monotonic(), None, False, b""
        while process.poll() is None:
            assert time.monotonic() < begun + HANGS, f"hangs after {shot}: {shown[-2000:]!r}"
            shown += read(ours, 0.02)
            if shot is None or signalled:
                continue
            if at is None and (self._works(out, began) if shot.at_work else listens(process.pid)):
                at = time.monotonic() + shot.after
            if at is not None and time.monotonic() >= at:
                signalled = True
                send(shot, process, ours)
        gone = time.monotonic() + 30.0
        while of_session(process.pid) and time.monotonic() < gone:
            shown += read(ours, 0.02)
        left = of_session(process.pid)
        assert not left, f"left running after {shot}: {left}"
        shown += read(ours, 0.0)
        os.close(ours)
        return Ending(process.returncode, shown.decode(errors="replace"), signalled)

    def interrupt(self, out: str, jobs: int, shot: Shot, options: Sequence[str] = ()) -> bool:
        """Whether it was before the end of the sweep."""
        ending = self.sweep(out, jobs, shot, options)
        if ending.status == 0:
            return False
        where = f"{shot}, --jobs {jobs}: {ending}"
        assert ending.signalled and ending.status == STATUS[shot.number], where
        if shot.number != signal.SIGKILL:
            assert ending.shown.count(SAID) == 1, where
            assert "Traceback" not in ending.shown and "Exception ignored" not in ending.shown, where
        return True

    def _works(self, out: str, began: float) -> bool:
        """Whether a run has been begun, or gone on with, since then."""
        for path in (self.folder / out).glob("runs/.*/resume/attempts"):
            with suppress(OSError):  # the run has just come to its end
                if path.stat().st_mtime > began:
                    return True
        return False

    def tables(self, out: str) -> dict[str, str]:
        """What does not depend on time and memory."""
        found = {name: (self.folder / out / name).read_text() for name in ("summary.md", "summary.csv", "summary.tex")}
        runs = pd.read_csv(self.folder / out / "runs.csv")
        kept = [c for c in runs if not any(word in str(c) for word in ("seconds", "memory", "attempts", "per_second"))]
        return found | {"runs.csv": runs[kept].to_csv()}


def read(terminal: int, patience: float) -> bytes:
    if select.select([terminal], [], [], patience)[0]:
        with suppress(OSError):  # nobody has the other end any more
            return os.read(terminal, 1 << 16)
        time.sleep(patience)
    return b""


def send(shot: Shot, process: "subprocess.Popen[bytes]", terminal: int) -> None:
    """Ctrl-C comes from the terminal, to all in its foreground; the others go to the program alone, or to its group."""
    if shot.number == signal.SIGINT:
        os.write(terminal, b"\x03")
    elif shot.to_all:
        os.killpg(process.pid, shot.number)
    else:
        process.send_signal(shot.number)


class Trials:
    """Interruptions of sweeps that then come to their end, and are compared."""

    def __init__(self, terminal: Terminal, jobs: int, seed: int, options: Sequence[str] = ()) -> None:
        self.terminal, self.jobs, self.options, self.rng = terminal, jobs, options, random.Random(seed)
        begun = time.monotonic()
        assert terminal.sweep("whole", jobs, options=options).status == 0
        self.whole, self.expected = time.monotonic() - begun, terminal.tables("whole")

    def anywhere(self, number: signal.Signals) -> Shot:
        """At any moment of a sweep; SIGKILL to the program alone, or to its workers with it."""
        return Shot(number, self.rng.uniform(0.0, self.whole), to_all=self._to_all(number))

    def at_work(self, number: signal.Signals, seconds: float) -> Shot:
        """At any moment of the first seconds of a sweep's work."""
        return Shot(number, self.rng.uniform(0.0, seconds), at_work=True, to_all=self._to_all(number))

    def _to_all(self, number: signal.Signals) -> bool:
        return number == signal.SIGKILL and self.rng.random() < 0.5

    def interrupt(self, out: str, shot: Shot) -> bool:
        """Whether it was before the end of the sweep."""
        begun, from_the_start = time.monotonic(), not (self.terminal.folder / out).exists()
        stopped = self.terminal.interrupt(out, self.jobs, shot, self.options)
        if not stopped and from_the_start:  # else the machine may be less busy than it was, and all signals come late
            self.whole = time.monotonic() - begun
        return stopped

    def finish(self, out: str) -> int:
        """Lets it come to its end; the most attempts that a run of it took."""
        last = self.terminal.sweep(out, self.jobs, options=self.options)
        assert last.status == 0, last
        assert self.terminal.tables(out) == self.expected
        results = (self.terminal.folder / out).glob("runs/*/result.json")
        return max(json.loads(path.read_text())["attempts"] for path in results)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_sweep_at_work_stops_at_each_signal_and_ends_the_same_another_time(
    terminal: Terminal, lipbench: Callable[..., str]
) -> None:
    """The sweeps that nothing interrupts are made in this process, which takes a tenth of the time."""
    stopped = {sent.name: terminal.interrupt("out", 2, Shot(sent, at_work=True)) for sent in STATUS}
    assert stopped == dict.fromkeys(stopped, True)
    for out in ("out", "whole"):
        lipbench("run", "suite.yaml", "--jobs", "1", "--out", out)
    assert terminal.tables("out") == terminal.tables("whole")


INTERRUPTED = """
import os, signal, sys, time

class Late:
    def __init__(self):
        self.read, self.alarm, self.write = signal.getitimer, signal.ITIMER_REAL, os.write

    def __del__(self):
        self.write(1, repr(self.read(self.alarm)).encode())

sys.kept_to_the_end = Late()
exec("os.kill(os.getpid(), signal.{}); time.sleep(60)")
"""


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_comes_while_text_is_executed_ends_with_the_same_status(
    tmp_path: Path, number: str, status: int
) -> None:
    """And the alarm that bounds the time of its end is off before Python takes its modules apart, and kills nobody."""
    (tmp_path / "my.py").write_text(INTERRUPTED.format(number), encoding="utf-8")
    command = [sys.executable, "-m", "lipbench.bench.cli", "check", "my.py:Mine"]
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=hears)
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "(0.0, 0.0)", f"{SAID}\n")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_that_is_killed_at_twenty_moments_of_its_runs_goes_on_from_checkpoints_to_the_same_tables(
    terminal: Terminal, jobs: int
) -> None:
    trials = Trials(terminal, jobs, seed=jobs, options=LONG)
    killed = sum(trials.interrupt("out", trials.at_work(signal.SIGKILL, 2.0)) for _ in range(MOMENTS))
    assert killed == MOMENTS, f"{killed}: the runs are too short for this machine"
    assert trials.finish("out") > 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("sent", "count"), [(signal.SIGINT, 25), (signal.SIGTERM, 25), (signal.SIGKILL, 10)])
def test_whenever_a_signal_comes_a_sweep_ends_the_same(
    terminal: Terminal, sent: signal.Signals, count: int, jobs: int
) -> None:
    with load(2):
        trials, made = Trials(terminal, jobs, seed=10 * sent + jobs), 0
        for out in map("out{}".format, itertools.count()):
            if made >= count:
                return
            for _ in range(TOGETHER):
                made += trials.interrupt(out, trials.anywhere(sent))
            trials.finish(out)
