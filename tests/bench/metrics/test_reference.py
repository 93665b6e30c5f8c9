"""The cache of references: what its key depends on, what comes back, and that damage and absence do no harm."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lipbench.bench.metrics.reference import NotKept, Tensors, cache_folder, cached, fingerprint, version

CPU = torch.device("cpu")


def states(dim: int) -> Tensors:
    rng = torch.Generator().manual_seed(1)
    return {"fd.n": torch.tensor(60), "fd.sum": torch.rand(dim, generator=rng).double(), "held.radii": torch.empty(0)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept" / "references"


def never() -> Tensors:
    raise AssertionError("made again")


def assert_same(a: Tensors, b: Tensors) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


MAKERS: dict[str, Callable[[], Tensors]] = {"many features": lambda: states(140), "few features": lambda: states(5)}


@pytest.mark.parametrize("kind", MAKERS)
def test_cached_gives_back_the_same_bits(folder: Path, kind: str):
    made = cached("key", MAKERS[kind], CPU)
    assert_same(made, MAKERS[kind]())
    assert_same(cached("key", never, CPU), made)
    assert {path.name for path in folder.iterdir()} == {"key.safetensors", "key.lock"}


@pytest.mark.parametrize("damage", [b"", b"\x10", b"nonsense" * 100])
def test_cached_makes_a_damaged_file_again(folder: Path, damage: bytes):
    made = cached("key", MAKERS["many features"], CPU)
    (folder / "key.safetensors").write_bytes(damage)
    assert_same(cached("key", MAKERS["many features"], CPU), made)
    assert_same(cached("key", never, CPU), made)


def test_cached_leaves_nothing_behind_when_making_fails(folder: Path):
    with pytest.raises(AssertionError, match="made again"):
        cached("key", never, CPU)
    assert not list(folder.glob("*.safetensors")) and not list(folder.glob("*.part"))


def test_cached_goes_on_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path / "file"))
    made = MAKERS["few features"]
    with pytest.warns(UserWarning, match=r"^references are not kept in .*file/references \(Not a directory\)"):
        assert_same(cached("key", made, CPU), made())


def test_cached_says_why_there_is_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.mkdir", refuse)
    made = MAKERS["few features"]
    with pytest.warns(NotKept, match=r"^references are not kept in .*/references \(Read-only file system\)"):
        assert_same(cached("key", made, CPU), made())


def test_cached_goes_on_where_writing_fails(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """And leaves no part of a file behind."""

    def fail(_: Any, __: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.replace", fail)
    made = MAKERS["few features"]
    with pytest.warns(UserWarning, match=r"references are not kept in .* \(Input/output error\)"):
        assert_same(cached("key", made, CPU), made())
    assert [path.name for path in folder.iterdir()] == ["key.lock"]


def test_cached_passes_on_what_making_raises(folder: Path):
    def fail() -> Tensors:
        raise PermissionError("weights")

    with pytest.raises(PermissionError, match="weights"):
        cached("key", fail, CPU)


def test_cached_keeps_nothing_when_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIPBENCH_CACHE", "off")
    cached("key", MAKERS["few features"], CPU)
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv("LIPBENCH_CACHE")
    assert cache_folder() == tmp_path / ".cache" / "lipbench" / "references"


def test_fingerprint_depends_on_all_that_decides():
    images = torch.randint(0, 256, (5, 1, 4, 6), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    changed = images.clone()
    changed[3, 0, 1, 2] += 1
    different = [changed, images.flip(0), images.view(5, 1, 6, 4), images.float(), images[:4]]
    keys = {fingerprint(one, extractor="a", held=5) for one in (images, *different)}
    keys |= {fingerprint(images, extractor="b", held=5), fingerprint(images, extractor="a", held=6)}
    assert fingerprint(images.clone(), extractor="a", held=5) in keys and len(keys) == 8


@pytest.mark.parametrize("package", ["torch", "torchmetrics", "torch-fidelity", "efficientnet-lite-pytorch"])
def test_fingerprint_depends_on_the_extractors_packages(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    images = torch.zeros(1, 1, 2, 2)
    before = fingerprint(images)
    about = tmp_path / f"{package.replace('-', '_')}-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n", encoding="utf-8")
    request.addfinalizer(version.cache_clear)  # the versions are looked up once a process
    version.cache_clear()
    assert fingerprint(images) == before
    monkeypatch.syspath_prepend(tmp_path)
    version.cache_clear()
    assert fingerprint(images) != before
