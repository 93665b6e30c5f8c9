"""Ctrl-C on a terminal, SIGTERM and SIGKILL at random moments of a sweep: it stops, and ends the same another time."""

import fcntl
import itertools
import os
import pty
import random
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
seeds: 2
evaluation: {count: 2, points: 50, mode_points: 100, repeats: 0}
"""
SAID = "lipbench: stopped; the same command goes on from here"
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
HANGS = 60.0  # seconds in which nothing comes to its end any more; a sweep takes ten, on a busy machine
TOGETHER = 3  # interruptions of one sweep before it may come to its end


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

    def sweep(
        self, out: str, jobs: int, sent: signal.Signals | None = None, after: float = 0.0, to_all: bool = False
    ) -> Ending:
        """One call of the command line, to its end; `sent` so many seconds `after` the program is there."""
        command = [sys.executable, "-m", "lipbench.bench.cli", "run", "suite.yaml", "--out", out, "--jobs", str(jobs)]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command,
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
            assert time.monotonic() < begun + HANGS, f"hangs after {sent} at {after:.2f} s: {shown!r}"
            shown += read(ours, 0.02)
            if at is None and listens(process.pid):
                at = time.monotonic() + after
            if sent is not None and not signalled and at is not None and time.monotonic() >= at:
                signalled = True
                send(sent, process, ours, to_all)
        gone = time.monotonic() + 5.0
        while of_session(process.pid) and time.monotonic() < gone:
            shown += read(ours, 0.02)
        left = of_session(process.pid)
        assert not left, f"left running after {sent} at {after:.2f} s: {left}"
        shown += read(ours, 0.0)
        os.close(ours)
        return Ending(process.returncode, shown.decode(errors="replace"), signalled)

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


def send(number: signal.Signals, process: "subprocess.Popen[bytes]", terminal: int, to_all: bool) -> None:
    """Ctrl-C comes from the terminal, to all in its foreground; the others go to the program alone, or to its group."""
    if number == signal.SIGINT:
        os.write(terminal, b"\x03")
    elif to_all:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


class Trials:
    """Interruptions at random moments of sweeps that then come to their end, and are compared."""

    def __init__(self, terminal: Terminal, jobs: int, seed: int) -> None:
        self.terminal, self.jobs, self.rng = terminal, jobs, random.Random(seed)
        begun = time.monotonic()
        assert terminal.sweep("whole", jobs).status == 0
        self.whole, self.expected = time.monotonic() - begun, terminal.tables("whole")

    def interrupt(self, out: str, sent: signal.Signals) -> bool:
        """Whether it was before the end of the sweep."""
        to_all = sent == signal.SIGKILL and self.rng.random() < 0.5
        after = self.rng.uniform(0.0, self.whole)
        ending = self.terminal.sweep(out, self.jobs, sent, after, to_all)
        if ending.status == 0:
            return False
        where = f"{sent.name} at {after:.2f} s of {self.whole:.1f}, --jobs {self.jobs}: {ending}"
        assert ending.signalled and ending.status == STATUS[sent], where
        if sent != signal.SIGKILL:
            assert ending.shown.count(SAID) == 1, where
            assert "Traceback" not in ending.shown and "Exception ignored" not in ending.shown, where
        return True

    def finish(self, out: str) -> None:
        """Lets it come to its end."""
        last = self.terminal.sweep(out, self.jobs)
        assert last.status == 0, last
        assert self.terminal.tables(out) == self.expected


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_sweep_stops_at_each_signal_and_ends_the_same_another_time(terminal: Terminal) -> None:
    trials = Trials(terminal, jobs=2, seed=0)
    assert any([trials.interrupt("out", sent) for sent in STATUS])
    trials.finish("out")


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
                made += trials.interrupt(out, sent)
            trials.finish(out)
