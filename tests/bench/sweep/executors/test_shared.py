"""What a worker on another machine is told: nothing that depends on the working directory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.run.train import RunContext
from lipbench.bench.sweep.executors.shared import portable

Plan = Callable[..., list[RunSpec]]


def test_portable_paths_mean_the_same_in_any_working_directory(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").touch()
    (spec,) = plan(objectives=["minimax"])
    elsewhere = replace(spec, objective_target="my.py:Mine", folder="suites", dataset="folder:photos")
    (found, named, kept), place = portable(
        [elsewhere, replace(elsewhere, data_dir="data"), spec], RunContext(Path("out"))
    )
    assert (found.objective_target, found.folder) == (f"{tmp_path}/my.py:Mine", f"{tmp_path}/suites")
    assert (found.data_dir, named.data_dir) == (str(tmp_path), f"{tmp_path}/data")
    assert (kept.objective_target, kept.data_dir) == ("minimax", None)
    assert place.folder == tmp_path / "out"
    assert kept.id == spec.id
