"""A disk that fills up: told in one line, at most the iteration under way is lost, and the same command goes on."""

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_runs
from lipbench.bench.records.store import disk_trouble
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import LocalExecutor
from lipbench.bench.sweep.runner import Runner, sweep
from lipbench.objectives import BadInput

IMAGES: dict[str, Any] = {
    "datasets": ["digits"],
    "architectures": [{"name": "dcgan", "channels": 4}],
    "steps": 1,
    "seeds": 2,
    "evaluation": {"count": 1, "images": 100, "metrics": ["fd"]},
}
CONTENT: dict[str, Any] = {"objectives": ["minimax", "wgan-gp"], "steps": 6}
TOLD = "No space left on device"
UPDATE = 3  # steps of an optimiser: two of the critic, one of the generator


@pytest.fixture
def sweep_tiny(make_suite: Callable[..., Suite]) -> Callable[..., int]:
    """Sweeps without tables; they have their own tests."""

    def make(context: RunContext) -> int:
        quiet: dict[str, Any] = {"report": lambda folder, console: None}
        return sweep(make_suite(**CONTENT), Runner(context, LocalExecutor(), Console(file=io.StringIO()), **quiet))

    return make


def courses(context: RunContext) -> dict[str, Any]:
    def course(record: RunRecord) -> tuple[Any, ...]:
        return record.status, record.history.drop(columns="seconds").to_csv(), record.metrics

    return {record.objective: course(record) for record in read_runs(context.folder)}


@pytest.fixture
def undisturbed(sweep_tiny: Callable[..., int], context: RunContext, optimizer_steps: list[int]) -> dict[str, Any]:
    elsewhere = replace(context, folder=context.folder.parent / "undisturbed")
    sweep_tiny(elsewhere)
    return courses(elsewhere)


@pytest.mark.slow
def test_full_disk_at_any_rename_loses_at_most_an_iteration(
    sweep_tiny: Callable[..., int],
    careful: RunContext,
    undisturbed: dict[str, Any],
    optimizer_steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is written whole is renamed into its place: the n-th time fails, n = 1, 2, …, each in a sweep of its own."""
    whole = len(optimizer_steps)
    n, rename = 0, os.replace
    while True:
        n, done = n + 1, 0

        def full(*arguments: Any, at: int = n) -> None:
            nonlocal done
            done += 1
            if done == at:
                raise OSError(28, TOLD)
            rename(*arguments)

        context = replace(careful, folder=careful.folder / str(n))
        optimizer_steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            try:
                assert sweep_tiny(context) == 0
                break
            except BadInput as error:
                assert str(error) == f"results folder {context.folder}: {TOLD}; the same command goes on from here"
        assert sweep_tiny(context) == 0
        assert courses(context) == undisturbed
        assert len(optimizer_steps) <= whole + UPDATE
    assert n > 20  # suite.json; spec.json, 6 checkpoints, history.csv, result.json and the folder of each run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many KiB, which can be resized."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def size(kib: int) -> Path:
        options = f"size={kib}k" + (",remount" if os.path.ismount(folder) else "")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        return folder

    try:
        yield size
    finally:
        if os.path.ismount(folder):
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_full_disk_of_a_real_file_system_is_told_wherever_it_strikes(
    sweep_tiny: Callable[..., int],
    careful: RunContext,
    undisturbed: dict[str, Any],
    small_disk: Callable[[int], Path],
    optimizer_steps: list[int],
) -> None:
    """Each size fills up at another write: of a specification, a checkpoint, samples, a picture, weights."""
    struck, whole = 0, len(optimizer_steps)
    for kib in (4, 12, 40, 80, 120, 160, 200, 240, 280):
        context = replace(careful, folder=small_disk(kib) / str(kib))
        optimizer_steps.clear()
        try:
            assert sweep_tiny(context) == 0
        except BadInput as error:
            struck += 1
            assert TOLD in str(error)
        small_disk(100_000)
        assert sweep_tiny(context) == 0
        assert courses(context) == undisturbed
        assert len(optimizer_steps) <= whole + UPDATE
        subprocess.run(["rm", "-rf", context.folder], check=True)
    assert struck > 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("how", "reason"), [("rw", TOLD), ("ro", "Read-only file system")])
def test_cache_that_cannot_be_written_is_told_once_a_sweep(
    make_suite: Callable[..., Suite],
    context: RunContext,
    small_disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    how: str,
    reason: str,
    jobs: int,
) -> None:
    disk, printed = small_disk(8), io.StringIO()
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)
    monkeypatch.setenv("LIPBENCH_CACHE", str(disk / "cache"))
    quiet: dict[str, Any] = {"report": lambda folder, console: None}
    runner = Runner(context, LocalExecutor(jobs), Console(file=printed), **quiet)
    assert sweep(make_suite(**CONTENT | IMAGES), runner) == 0
    line = f"references are not kept in {disk}/cache/references ({reason}): made anew each time"
    assert [told for told in printed.getvalue().splitlines() if "references" in told] == [line]
    assert "references" not in "".join(capfd.readouterr())
    assert [run.measured for run in read_runs(context.folder)] == [True] * 4


def test_disk_trouble_is_seen_through_what_others_raise() -> None:
    try:
        try:
            raise OSError(28, TOLD)
        except OSError as error:
            raise RuntimeError("file write failed") from error
    except RuntimeError as error:
        assert disk_trouble(error)
    assert disk_trouble(OSError(122, "Disk quota exceeded"))
    assert disk_trouble(OSError(116, "Stale file handle", "/nfs/x.ckpt")) == "Stale file handle (/nfs/x.ckpt)"
    assert disk_trouble(OSError(5, "Input/output error")) == "Input/output error"
    assert not disk_trouble(OSError(13, "Permission denied"))
    assert not disk_trouble(None)
