"""Sweeps asked for again: nothing is imported, read or written where nothing has changed, and any change is noticed."""

import importlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipbench.bench.cli import main
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.source import ROOT
from lipbench.bench.records.store import Store
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.unchanged import STAMP, nothing_to_do, remember


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A results folder that is remembered, with a plug-in beside it."""
    (tmp_path / "my.py").write_text("1")
    folder = tmp_path / "out"
    Store(folder)
    for name in ("a", "b"):
        (folder / "runs" / name).mkdir()
        (folder / "runs" / name / "result.json").write_text("{}")
    (folder / "runs.csv").write_text("run,status\na,completed\nb,diverged\n")
    remember(suite(), RunContext(folder), {"completed": 1, "diverged": 1}, [tmp_path / "my.py"])
    return folder


def suite(**keys: Any) -> Suite:
    return Suite.model_validate({"name": "little", "objectives": "minimax", "datasets": "8gaussians"} | keys)


def test_unchanged_knows_a_folder_where_nothing_has_changed(out: Path) -> None:
    assert nothing_to_do(suite(), RunContext(out)) == Counter(completed=1, diverged=1)
    (out / ".lock").touch()
    assert nothing_to_do(suite(), RunContext(out, device="cuda:0", threads=2)) is not None


CHANGES: dict[str, Callable[[Path], object]] = {
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
def test_unchanged_notices_every_change(out: Path, what: str) -> None:
    CHANGES[what](out)
    assert nothing_to_do(suite(), RunContext(out)) is None


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same module in a copy of lipbench, whose sources may be changed."""
    place = tmp_path_factory.mktemp("copy") / "lipbench_copied"
    for room in ("objectives", "models", "bench"):
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("*.pyc"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place.parent)
        yield importlib.import_module("lipbench_copied.bench.sweep.unchanged")
    for name in [name for name in sys.modules if name.startswith("lipbench_copied")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["objectives/minimax.py", "models/new.py", "bench/report/new.j2"])
def test_unchanged_notices_changed_and_new_code(tmp_path: Path, copied: Any, name: str) -> None:
    source = Path(copied.__file__).parents[2] / name
    copied.remember(suite(), RunContext(tmp_path), {"completed": 1}, [])
    assert copied.nothing_to_do(suite(), RunContext(tmp_path)) == Counter(completed=1)
    source.write_text(source.read_text() + "# more" if source.exists() else "")
    assert copied.nothing_to_do(suite(), RunContext(tmp_path)) is None


def test_unchanged_notices_that_something_else_is_asked_for(out: Path) -> None:
    assert nothing_to_do(suite(objectives="wgan-gp"), RunContext(out)) is None
    for context in (RunContext(out, data=out), RunContext(out, weights=out / "w"), RunContext(out, suite_folder=out)):
        assert nothing_to_do(suite(), context) is None


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
