"""Sweeps asked for again: nothing is imported, read or written where nothing has changed, and any change is noticed."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lipbench.bench.cli import main
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.store import Store
from lipbench.bench.sweep import unchanged
from lipbench.bench.sweep.unchanged import STAMP, Request


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that is remembered, of a suite file beside it; sources of lipbench's that may be changed."""
    for room in ("objectives", "models", "bench"):
        (tmp_path / "lipbench" / room).mkdir(parents=True)
    (tmp_path / "lipbench" / "bench" / "a.py").write_text("1")
    monkeypatch.setattr(unchanged, "ROOT", tmp_path / "lipbench")
    (tmp_path / "small.yaml").write_text("name: little\nobjectives: minimax\n")
    (tmp_path / "my.py").write_text("1")
    folder = tmp_path / "out"
    Store(folder)
    for name in ("a", "b"):
        (folder / "runs" / name).mkdir()
        (folder / "runs" / name / "result.json").write_text("{}")
    (folder / "runs.csv").write_text("run,status\na,completed\nb,diverged\n")
    ask(tmp_path).remember(folder, {str(tmp_path / "my.py"): sha(tmp_path / "my.py")})
    return folder


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ask(folder: Path, said: str = "steps=3") -> Request:
    return Request(str(folder / "small.yaml"), [said])


def test_request_knows_a_folder_where_nothing_has_changed(out: Path) -> None:
    request = ask(out.parent)
    assert request.name == "little"
    assert request.nothing_to_do(out) == Counter(completed=1, diverged=1)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the suite": lambda out: (out.parent / "small.yaml").write_text("name: little\nobjectives: wgan-gp\n"),
    "the code": lambda out: (out.parent / "lipbench" / "bench" / "a.py").write_text("2"),
    "new code": lambda out: (out.parent / "lipbench" / "models" / "b.py").write_text(""),
    "a plug-in": lambda out: (out.parent / "my.py").write_text("2"),
    "a plug-in that is gone": lambda out: (out.parent / "my.py").unlink(),
    "a record": lambda out: (out / "runs" / "a" / "result.json").write_text("{"),
    "a record's time": lambda out: os.utime(out / "runs" / "a" / "result.json", (1, 1)),
    "a run that is gone": lambda out: shutil.rmtree(out / "runs" / "b"),
    "a run under way": lambda out: Store(out).partial("c"),
    "a table": lambda out: (out / "runs.csv").unlink(),
    "the stamp": lambda out: (out / STAMP).write_text("{"),
    "the stamp's kind": lambda out: (out / STAMP).write_text("[]"),
    "everything": shutil.rmtree,
}


@pytest.mark.parametrize("what", CHANGES)
def test_request_notices_every_change(out: Path, what: str) -> None:
    CHANGES[what](out)
    assert ask(out.parent).nothing_to_do(out) is None


def test_request_notices_that_something_else_is_asked_for(out: Path) -> None:
    assert ask(out.parent, "steps=4").nothing_to_do(out) is None


@pytest.mark.parametrize("content", [None, "[", "- a", "objectives: x"])
def test_request_leaves_complaints_about_a_suite_to_others(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "small.yaml").write_text(content)
    request = ask(tmp_path)
    assert (request.name, request.nothing_to_do(tmp_path)) == ("small", None)


def test_request_leaves_a_suite_that_cannot_be_read_to_others(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").mkdir()  # reading it is an OSError, as without the permission
    assert ask(tmp_path).nothing_to_do(tmp_path) is None


@pytest.fixture
def run_small(
    tmp_path: Path,
    write_plugin: Callable[..., Path],
    make_suite: Callable[..., Suite],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], str]:
    """Runs a suite with a plug-in from the command line; what it prints."""
    write_plugin()
    content = make_suite(objectives=["minimax", "my.py:Mine"], steps=2).model_dump()
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({k: v for k, v in content.items() if v}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run() -> str:
        with pytest.raises(SystemExit) as left:
            main(["run", "small.yaml", "--jobs", "1", "--out", "out"])
        assert left.value.code == 0
        return capsys.readouterr().out

    return run


def test_cli_says_that_there_is_nothing_to_do_until_something_is_touched(
    run_small: Callable[[], str], write_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    nothing = "small: 2 runs, 0 to make, and nothing has changed since the last report: 2 completed.\n"
    assert "2 runs, 2 to make" in run_small()
    assert run_small().startswith(nothing)
    path = next(tmp_path.glob("out/runs/*/history.csv"))
    path.write_bytes(path.read_bytes()[:40])
    assert "runs again: damaged record" in run_small()
    assert run_small().startswith(nothing)
    write_plugin("x = 1")
    assert "2 runs, 1 to make" in run_small()


def test_unchanged_imports_nothing_heavy() -> None:
    """Torch comes with the package's own errors; Lightning, pandas and the like must not."""
    code = (
        "import sys, lipbench.bench.cli, lipbench.bench.sweep.unchanged\n"
        "heavy = 'pytorch_lightning', 'torchmetrics', 'torchvision', 'pandas', 'matplotlib'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
