"""Several results folders as one, and runs that are added to a folder: one table, or a line that says why not."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from lipbench.bench import Results, run_suite
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.checksums import SUMS
from lipbench.bench.sweep.merge import merge_folders
from lipbench.objectives import BadInput

Sweep = Callable[..., tuple[Results, str]]


@pytest.fixture
def sweep(make_suite: Callable[..., Suite], tmp_path: Path) -> Sweep:
    """Runs a tiny suite in a folder below tmp_path: its results, and what was printed."""

    def run(name: str, add: bool = False, **content: Any) -> tuple[Results, str]:
        console = Console(file=(printed := io.StringIO()), width=300)
        results = run_suite(make_suite(**content), out=tmp_path / name, jobs=1, console=console, add=add)
        return results, printed.getvalue()

    return run


def merged(*folders: Path, out: Path) -> str:
    console = Console(file=(printed := io.StringIO()), width=300)
    merge_folders(folders, out, "lipbench merge", console)
    return printed.getvalue()


def edit(path: Path, **changes: Any) -> None:
    """Changes a record as another machine might have written it."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (path.parent / SUMS).unlink(missing_ok=True)


def seeds(results: Results) -> dict[str, list[int]]:
    return {str(objective): list(runs["seed"]) for objective, runs in results.runs.groupby("objective")}


def test_seeds_made_in_two_folders_are_one_table(sweep: Sweep, tmp_path: Path) -> None:
    a, _ = sweep("a", objectives=["wgan-gp", "sn-gan"])
    b, _ = sweep("b", objectives=["sn-gan", "wgan-clip"], seeds=[5])
    told = merged(a.folder, b.folder, out=tmp_path / "all")
    both = Results(tmp_path / "all")
    assert "4 runs of 2 folders" in told and "Note" not in told
    assert seeds(both) == {"wgan-gp": [0], "sn-gan": [0, 5], "wgan-clip": [5]}
    assert list(dict.fromkeys(both.runs["objective"])) == ["wgan-gp", "sn-gan", "wgan-clip"]
    run = b.records[0]
    copied = tmp_path / "all" / "runs" / run.id
    assert all(
        (copied / file.name).read_bytes() == file.read_bytes() for file in run.folder.iterdir() if file.is_file()
    )
    assert (tmp_path / "all" / "report.html").is_file()
    _, again = sweep("all", objectives=["wgan-gp", "sn-gan"], add=True)
    assert "0 to make" in again


def test_run_that_two_folders_have_counts_once_and_a_disagreement_is_noted(sweep: Sweep, tmp_path: Path) -> None:
    a, _ = sweep("a")
    shutil.copytree(a.folder, tmp_path / "b")
    assert "Note" not in merged(a.folder, tmp_path / "b", out=tmp_path / "same")
    run = a.records[0]
    history = pd.read_csv(tmp_path / "b" / "runs" / run.id / "history.csv")
    history["w1"] *= 1.001
    history.to_csv(tmp_path / "b" / "runs" / run.id / "history.csv", index=False)
    edit(tmp_path / "b" / "runs" / run.id / "result.json")
    told = merged(a.folder, tmp_path / "b", out=tmp_path / "both")
    assert f"{a.folder} and {tmp_path / 'b'} disagree in 1 of 1 runs" in told and run.id in told
    (kept,) = Results(tmp_path / "both").records
    assert kept.history.equals(run.history)
    assert json.loads((tmp_path / "both" / "suite.json").read_text())["notes"]


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("spec.json", {"core": "0"}, "core"),
        ("spec.json", {"code": "0"}, "fingerprint"),
        ("spec.json", {"steps": 7}, "steps"),
        ("spec.json", {"content": "0"}, "content"),
        ("result.json", {"protocol": {"w1": {"n": 51}}}, "protocol"),
    ],
)
def test_runs_that_were_not_made_alike_are_refused(
    sweep: Sweep, tmp_path: Path, file: str, changes: dict[str, Any], told: str
) -> None:
    a, _ = sweep("a")
    b, _ = sweep("b", seeds=[1])
    edit(b.records[0].folder / file, **changes)
    with pytest.raises(BadInput, match=told) as error:
        merged(a.folder, b.folder, out=tmp_path / "all")
    assert "\n" not in str(error.value) and not (tmp_path / "all").exists()


def test_merge_into_a_folder_that_holds_runs_is_refused(sweep: Sweep, tmp_path: Path) -> None:
    a, _ = sweep("a")
    with pytest.raises(BadInput, match="holds runs already"):
        merged(a.folder, out=a.folder)
    with pytest.raises(BadInput, match="no such results folder"):
        merged(a.folder, tmp_path / "none", out=tmp_path / "all")


def test_objective_that_is_added_to_a_folder_joins_what_is_there(sweep: Sweep) -> None:
    sweep("a", objectives=["wgan-gp"], seeds=2)
    _, told = sweep("a", objectives=["wgan-gp", "sn-gan"], seeds=2)  # the same suite with one more
    assert "4 runs, 2 to make" in told and "superseded" not in told
    added, told = sweep("a", objectives=["wgan-clip"], seeds=2, add=True)
    assert "superseded" not in told
    assert seeds(added) == {"wgan-gp": [0, 1], "sn-gan": [0, 1], "wgan-clip": [0, 1]}
    assert list(dict.fromkeys(added.runs["objective"])) == ["wgan-gp", "sn-gan", "wgan-clip"]
    _, again = sweep("a", objectives=["wgan-clip"], seeds=2, add=True)
    assert "0 to make" in again and len(added.records) == 6


def test_without_add_others_are_set_aside_and_asking_again_brings_them_back(sweep: Sweep) -> None:
    sweep("a", objectives=["wgan-gp"])
    results, told = sweep("a", objectives=["sn-gan"])
    assert seeds(results) == {"sn-gan": [0]}
    assert "superseded/" in told and "again brings them back" in told and "add=True" in told
    results, told = sweep("a", objectives=["wgan-gp", "sn-gan"])
    assert "0 to make" in told and set(seeds(results)) == {"wgan-gp", "sn-gan"}


def test_added_run_takes_the_place_of_one_of_its_name(sweep: Sweep) -> None:
    sweep("a", objectives=["wgan-gp", "sn-gan"])
    results, told = sweep("a", objectives=["wgan-gp"], steps=8, add=True)
    steps = results.runs.set_index("objective")["steps"].to_dict()
    assert steps == {"wgan-gp": 8, "sn-gan": 6} and "1 finished runs" in told


def test_runs_that_cannot_stand_beside_what_is_there_are_refused_before_they_are_made(sweep: Sweep) -> None:
    first, _ = sweep("a")
    measured = {"count": 2, "points": 60, "mode_points": 100, "images": 100}
    for content, told in (({"seeds": [1], "steps": 8}, "steps"), ({"evaluation": measured}, "points")):
        with pytest.raises(BadInput, match=told):
            sweep("a", add=True, **{"objectives": ["sn-gan", "wgan-gp"], "seeds": [1], **content})
    assert len(Results(first.folder).records) == 1
