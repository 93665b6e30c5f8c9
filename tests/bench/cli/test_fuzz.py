"""Whatever a suite file or a command line holds: no traceback, an answer at once, in three lines at most, status 2."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipbench.bench.cli import main
from lipbench.bench.config.suite import Suite

from .fuzzing import odd_command, odd_suite

SECONDS, LINES = 10, 3
HANGS = 120  # seconds of the clock


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends what takes longer, of this process's time: a busy machine is no fault of the answer. And what hangs."""

    def late(*_: Any) -> None:
        raise AssertionError(f"no answer within {seconds} s")

    before = {number: signal.signal(number, late) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_suite: Callable[..., Suite],
) -> Callable[[list[str]], None]:
    """Calls the command line beside a small valid suite, and looks at what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    content = {k: v for k, v in make_suite().model_dump().items() if v is not None}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def call(line: list[str]) -> None:
        with pytest.raises(SystemExit) as left, within(SECONDS):
            main(line)
        out, err = capsys.readouterr()
        said = (out + err).splitlines()
        assert left.value.code == 2 and 1 <= len(said) <= LINES, said
        assert "Traceback" not in out + err and "\x1b" not in err
        assert said[-1].startswith("lipbench"), said

    return call


def call_with_suite(told: Callable[[list[str]], None], folder: Path, seed: int) -> None:
    (folder / "odd.yaml").write_bytes(odd_suite(seed))
    out = ["--out", "small.yaml/out", "--jobs", "1"]  # a folder below a file: nothing is ever made
    told(["tune", "odd.yaml", "--budget", "2", *out] if seed % 4 == 0 else ["run", "odd.yaml", *out])


@pytest.mark.parametrize("seed", range(40))
def test_odd_suite_is_refused_in_a_line(told: Callable[[list[str]], None], tmp_path: Path, seed: int) -> None:
    call_with_suite(told, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 440))
def test_odd_suites_are_refused_in_a_line(told: Callable[[list[str]], None], tmp_path: Path, seed: int) -> None:
    call_with_suite(told, tmp_path, seed)


@pytest.mark.parametrize("seed", range(40))
def test_odd_command_is_refused_in_a_line(told: Callable[[list[str]], None], seed: int) -> None:
    told(odd_command(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 240))
def test_odd_commands_are_refused_in_a_line(told: Callable[[list[str]], None], seed: int) -> None:
    told(odd_command(seed))
