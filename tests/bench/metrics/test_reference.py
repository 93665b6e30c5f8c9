"""The cache of references: what its key depends on, what comes back, and that damage and absence do no harm."""

import errno
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from lipbench.bench.metrics import reference
from lipbench.bench.metrics.features import Moments
from lipbench.bench.metrics.reference import Reference, Sample, cache_folder, cached, fingerprint, refer

CPU = torch.device("cpu")


def sample(dim: int = 140, n: int = 200) -> Sample:
    rng = torch.Generator().manual_seed(1)
    features, moments = torch.rand(n, dim, generator=rng), Moments()
    moments.add(features)
    return Sample(moments.gaussian(), features[:60], torch.rand(n, 7, generator=rng))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept" / "references"


def never() -> Reference:
    raise AssertionError("made again")


def assert_same(a: Reference, b: Reference) -> None:
    assert a.sample.gaussian.n == b.sample.gaussian.n
    pairs = [(getattr(a.sample.gaussian, k), getattr(b.sample.gaussian, k)) for k in ("mean", "covariance")]
    pairs += [(a.sample.features, b.sample.features), (a.sample.logits, b.sample.logits)]
    pairs += [(a.root, b.root), (a.radii, b.radii)]
    for x, y in pairs:
        if x is None or y is None:
            assert x is y
        else:
            assert torch.equal(x, y) and x.dtype == y.dtype


MAKERS: dict[str, Callable[[], Reference]] = {
    "many features": lambda: refer(sample(), balls=True),
    "few features": lambda: refer(sample(dim=5), balls=False),
    "logits": lambda: Reference(sample()),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_cached_gives_back_the_same_bits(folder: Path, kind: str):
    made = cached("key", MAKERS[kind], CPU)
    assert_same(made, MAKERS[kind]())
    assert_same(cached("key", never, CPU), made)
    assert {path.name for path in folder.iterdir()} == {"key.safetensors", "key.lock"}


def test_refer_computes_what_the_metrics_need_only():
    many, few = refer(sample(), balls=True), refer(sample(dim=5), balls=False)
    assert many.root is not None and few.root is not None and few.radii is None
    assert many.radii is not None and torch.equal(many.radii, few.balls()) is False
    assert torch.equal(few.balls(), refer(sample(dim=5), balls=True).balls())
    assert len(many.sample.logits) == 0 == many.sample.logits.untyped_storage().nbytes()
    assert {field.name for field in fields(Reference)} == {"sample", "root", "radii"}  # all that is written


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
    def fail() -> Reference:
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


@pytest.mark.parametrize("package", ["torch", "torch-fidelity", "efficientnet-lite-pytorch"])
def test_fingerprint_depends_on_the_extractors_packages(package: str, monkeypatch: pytest.MonkeyPatch):
    images = torch.zeros(1, 1, 2, 2)
    before = fingerprint(images)
    found = reference.version
    monkeypatch.setattr(reference, "version", lambda name: "another" if name == package else found(name))
    assert fingerprint(images) != before
