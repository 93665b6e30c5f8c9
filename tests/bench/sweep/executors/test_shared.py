"""What a worker on another machine is told: nothing that depends on the working directory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors.shared import portable

Plan = Callable[..., list[RunSpec]]


def test_portable_paths_mean_the_same_in_any_working_directory(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").touch()
    (spec,) = plan(objectives=["minimax"])
    pictures = replace(spec, objective_target="my.py:Mine", dataset="folder:photos")
    context = RunContext(Path("out"), weights=Path("w.pt"), suite_folder=Path("suites"))
    found, there = portable(pictures, context)
    assert found.objective_target == f"{tmp_path}/my.py:Mine"
    assert (there.folder, there.suite_folder, there.weights) == (
        tmp_path / "out",
        tmp_path / "suites",
        tmp_path / "w.pt",
    )
    assert there.data == tmp_path  # where a relative path of pictures begins
    for place in ("suites", "data"):
        (tmp_path / place / "photos").mkdir(parents=True)
        _, named = portable(pictures, replace(context, data=Path("data")))
        assert named.data == tmp_path / place
    kept, usual = portable(spec, context)
    assert (kept, usual.data) == (spec, None)
