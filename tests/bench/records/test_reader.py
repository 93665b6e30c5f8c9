"""Reading records: what is there comes back exactly, and what is damaged is named."""

import errno
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lipbench.bench.records.reader import Damaged, read_run, read_runs, read_samples, read_suite, unfinished
from lipbench.objectives import BadInput


@pytest.fixture
def run(sweep: Path, tmp_path: Path) -> Path:
    """A copy of one completed run, to be damaged."""
    return shutil.copytree(sweep / "runs" / "wgan-gp-8gaussians-matched-0", tmp_path / "sweep" / "runs" / "a")


def test_read_runs_finds_every_finished_run_in_order(sweep: Path) -> None:
    records = read_runs(sweep)
    assert len(records) == 24
    keys = [(r.block, r.objective, r.seed) for r in records]
    assert keys == sorted(keys)
    statuses = [r.status for r in records]
    assert (statuses.count("completed"), statuses.count("diverged")) == (21, 1)
    assert [r.measured for r in records] == [s in ("completed", "diverged") for s in statuses]


def test_read_run_gives_back_the_very_floats(run: Path) -> None:
    lines = (run / "history.csv").read_text().splitlines()
    record = read_run(run)
    assert list(record.history.columns) == lines[0].split(",")
    for i in (0, 7, 30):
        assert record.history.iloc[i].tolist() == [float(text) for text in lines[1 + i].split(",")]
    assert record.courses["w1"].tolist() == record.history["w1"].tolist()
    assert record.samples == run / "samples.npz" and record.floors.keys() == {"w1"}


def test_read_run_reads_empty_and_infinite_cells(run: Path) -> None:
    lines = (run / "history.csv").read_text().splitlines()
    first, second = lines[1].split(","), lines[2].split(",")
    first[4], second[4] = "", "inf"
    (run / "history.csv").write_text("\n".join([lines[0], ",".join(first), ",".join(second), *lines[3:]]) + "\n")
    column = read_run(run).history.iloc[:, 4]
    assert np.isnan(column[0]) and np.isposinf(column[1]) and np.isfinite(column[2])


def test_failed_run_without_a_history_is_read(sweep: Path) -> None:
    failed = next(r for r in read_runs(sweep) if r.status == "failed")
    assert failed.history.empty and failed.metrics == {} and failed.samples is None and not failed.measured


@pytest.mark.parametrize("name", ["spec.json", "result.json", "history.csv", "samples.npz"])
@pytest.mark.parametrize("share", [0.5, 0.97, 0.0])
def test_record_cut_short_is_named(run: Path, name: str, share: float) -> None:
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadInput, match=rf"damaged record .*{name}") as error:
        read_runs(run.parent.parent)
    assert "\n" not in str(error.value)


def test_history_cut_inside_its_last_number_is_noticed(run: Path) -> None:
    (run / "history.csv").write_bytes((run / "history.csv").read_bytes()[:-3])
    with pytest.raises(BadInput, match=r"history.csv: a row is cut off"):
        read_run(run)


def test_history_cut_between_two_rows_is_noticed(run: Path) -> None:
    lines = (run / "history.csv").read_text().splitlines(keepends=True)
    (run / "history.csv").write_text("".join(lines[:16]))
    with pytest.raises(BadInput, match=r"history.csv: its last row is not the run's last step, 3000"):
        read_run(run)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("spec.json", {"seed": "0"}, "'seed' is '0'"),
        ("spec.json", {"seed": True}, "'seed' is True"),
        (
            "result.json",
            {"status": "done"},
            "'status' is 'done': Input should be 'completed', 'diverged', 'failed' or 'skipped'",
        ),
        ("result.json", {"run": "b"}, "belongs to run b"),
        ("result.json", {"metrics": {"w1": 3.0}}, "'metrics.w1' is 3.0"),
        ("result.json", {"metrics": {"w1": {"final": "low"}}}, "'metrics.w1.final' is 'low'"),
    ],
)
def test_record_with_a_wrong_field_is_named(run: Path, name: str, change: dict, why: str) -> None:
    (run / name).write_text(json.dumps(json.loads((run / name).read_text()) | change))
    with pytest.raises(BadInput, match=rf"{name}: ") as error:
        read_run(run)
    assert why in str(error.value)


def test_record_of_another_version_is_not_called_damaged(run: Path) -> None:
    """Nor are its other fields held against this version's."""
    (run / "spec.json").write_text(json.dumps({"schema_version": 2, "id": "a"}))
    with pytest.raises(BadInput) as caught:
        read_run(run)
    assert not isinstance(caught.value, Damaged)
    told = "written by another version of lipbench: schema_version 2, this program reads 1"
    assert str(caught.value) == f"{run / 'spec.json'}: {told}"


@pytest.mark.parametrize("name", ["spec.json", "result.json", "history.csv", "samples.npz"])
def test_record_that_cannot_be_read_is_not_called_damaged(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The disk, the network or a permission is at fault; the record may be sound."""
    opened = io.open

    def refuse(path: object, *arguments: Any, **more: Any) -> object:
        if str(path).endswith(name):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return opened(path, *arguments, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]

    monkeypatch.setattr(io, "open", refuse)
    with pytest.raises(BadInput) as caught:
        read_run(run)
    assert not isinstance(caught.value, Damaged)
    assert str(caught.value) == f"{run / name}: cannot be read: Input/output error"


def test_missing_field_and_missing_history_are_named(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({k: v for k, v in result.items() if k != "status"}))
    with pytest.raises(BadInput, match=r"result.json: 'status' is missing"):
        read_run(run)
    (run / "result.json").write_text(json.dumps(result))
    (run / "history.csv").unlink()
    with pytest.raises(BadInput, match=r"history.csv: file is missing"):
        read_run(run)


def test_samples_with_pickled_objects_or_flipped_bytes_are_refused(run: Path) -> None:
    np.savez(run / "samples.npz", fake=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BadInput, match=r"samples.npz"):
        read_samples(run / "samples.npz", "fake")
    np.savez(run / "samples.npz", fake=np.arange(1000.0))
    content = bytearray((run / "samples.npz").read_bytes())
    content[2000] ^= 255
    (run / "samples.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"samples.npz"):
        read_samples(run / "samples.npz", "fake")


def test_unfinished_runs_are_told_apart(run: Path) -> None:
    folder = run.parent.parent
    shutil.copytree(run, run.parent / "b")
    (run.parent / "b" / "result.json").unlink()
    shutil.copytree(run, run.parent / ".c.partial")
    assert unfinished(folder) == ["b"]
    (folder / "suite.json").write_text(json.dumps({"runs": ["a", "c", "d"]}))
    assert unfinished(folder) == ["c", "d", "b"]
    assert [r.folder.name for r in read_runs(folder)] == ["a"]


def test_folder_without_runs_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such results folder"):
        read_runs(tmp_path / "missing")
    with pytest.raises(BadInput, match="no finished run"):
        read_runs(tmp_path)
    assert read_suite(tmp_path) == {}


def test_damaged_suite_is_named(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("wgan-gp",), datasets=("8gaussians",), seeds=1)
    assert read_suite(tmp_path)["suite"]["objectives"] == ["wgan-gp"]
    (tmp_path / "suite.json").write_text('{"name": ')
    with pytest.raises(BadInput, match=r"suite.json: .*; delete it, or run the suite again, which writes it anew$"):
        read_suite(tmp_path)
