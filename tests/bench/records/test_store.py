"""The results folder: written whole or not at all, locked, and nothing in it is lost."""

import json
import math
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from lipbench.bench.records.store import Store, write_json, write_text
from lipbench.objectives import BadInput


def record(store: Store, run: str, status: str = "skipped") -> Path:
    """The smallest finished run."""
    folder = store.partial(run)
    labels = dict.fromkeys(("objective", "loss", "dataset", "architecture", "recipe"), "x")
    write_json(folder / "spec.json", {"run": run, "schema_version": 1, "seed": 0, "steps": 3} | labels)
    nothing = dict.fromkeys(("diverged_at", "steps", "metrics", "floors", "protocol"))
    write_json(folder / "result.json", {"run": run, "status": status, "reason": "none"} | nothing)
    return store.finish(run)


def status(store: Store, run: str) -> str:
    found = store.find(run)
    assert found is not None
    return found.status


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_write_text_leaves_the_old_file_when_it_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert path.read_text() == "old" and names(tmp_path) == {"file"}


def test_write_text_by_two_at_once_leaves_what_the_last_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fsync = tmp_path / "file", os.fsync

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        write_text(path, "another's")
        assert path.read_text() == "another's"

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_text(path, "mine")
    assert path.read_text() == "mine" and names(tmp_path) == {"file"}
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_write_text_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "ünï\n")
    assert names(tmp_path) == {"file"}
    assert (tmp_path / "file").read_bytes() == "ünï\n".encode()


def test_write_json_is_strict(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"nan": math.nan, "inside": [1, {"x": math.inf}, (-math.inf, 2.5)], "yes": True})
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read == {"nan": None, "inside": [1, {"x": None}, [None, 2.5]], "yes": True}


def test_store_moves_a_run_into_its_place_when_it_is_finished(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "out")
    assert store.find("a") is None
    folder = store.partial("a")
    assert folder.name == ".a.partial"
    assert store.find("a") is None
    assert record(store, "a") == tmp_path / "deep" / "out" / "runs" / "a"
    assert status(store, "a") == "skipped"
    assert names(store.runs) == {"a"}


def test_store_leaves_other_folders_where_somebody_put_them(tmp_path: Path) -> None:
    """`runs` is the name of TensorBoard's folder too."""
    store = Store(tmp_path)
    record(store, "a")
    (store.runs / "Jan01_host").mkdir()
    assert store.set_aside(set()) == ["a"]
    assert names(store.runs) == {"Jan01_host"}


def test_store_lock_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(BadInput, match=r"\.lock belongs to somebody else: Permission denied"), Store(tmp_path).lock():
        pass


def test_store_replaces_a_finished_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (record(store, "a", "failed") / "leftover").touch()
    record(store, "a", "skipped")
    assert status(store, "a") == "skipped"
    assert "leftover" not in names(store.runs / "a")


def test_store_opens_a_run_again_with_what_it_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record(store, "a")
    (store.runs / "a" / "kept").touch()
    store.reopen("a")
    assert store.find("a") is None
    assert "kept" in names(store.partial("a")) and "result.json" not in names(store.partial("a"))


def test_store_sets_aside_what_is_not_wanted_and_brings_it_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run in ("a", "b"):
        record(store, run)
    store.partial("c")
    (store.runs / "notes.txt").write_text("mine")
    assert store.set_aside({"a"}) == ["b"]
    assert names(store.runs) == {"a", ".c.partial", "notes.txt"}
    assert names(store.superseded) == {"b"}
    assert status(store, "b") == "skipped"
    assert names(store.runs) == {"a", "b", ".c.partial", "notes.txt"}
    assert names(store.superseded) == set()


def test_store_sets_aside_the_same_run_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        record(store, "a")
        assert store.set_aside(set()) == ["a"]
    assert names(store.superseded) == {"a"}


@pytest.mark.parametrize("name", ["spec.json", "result.json"])
def test_store_names_the_file_of_a_damaged_record(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    path = record(store, "a") / name
    path.write_text(path.read_text()[:30])
    with pytest.raises(BadInput, match=f"damaged record {path}"):
        store.find("a")


def test_store_locks_a_second_sweep_out_of_one_folder(tmp_path: Path) -> None:
    with Store(tmp_path).lock():
        with (
            pytest.raises(BadInput, match=f"results folder {tmp_path}: another command is at work in this folder"),
            Store(tmp_path).lock(),
        ):
            pytest.fail("both hold it")
        with Store(tmp_path / "another").lock():
            pass
    with Store(tmp_path).lock():
        pass


def _hold(folder: str, ready: str) -> None:
    with Store(Path(folder)).lock():
        Path(ready).touch()
        os.kill(os.getpid(), 9)


def test_store_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(str(tmp_path), str(tmp_path / "ready")))
    process.start()
    process.join()
    assert (tmp_path / "ready").exists()
    with Store(tmp_path).lock():
        pass


def test_store_tells_that_a_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput) as caught:
        Store(tmp_path / "file" / "out")
    assert f"{tmp_path / 'file' / 'out'}: cannot write there" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_store_tells_that_a_folder_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="Permission denied"):
        Store(tmp_path)


def test_store_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """As workers do: the trial that the folder can be written must not disturb another's."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(lambda _: Store(tmp_path), range(200)))) == 200
    assert names(tmp_path) == {"runs"}
