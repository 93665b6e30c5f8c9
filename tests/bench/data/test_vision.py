"""CIFAR-10, SVHN, STL-10 and CelebA from tiny files in their authors' formats, and everything that can be missing."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.datasets
from PIL import Image
from scipy.io import savemat
from torch.nn.functional import interpolate

from lipbench.bench.data import DATASETS, download, found_name, load, vision
from lipbench.bench.data.decoding import Format
from lipbench.objectives.errors import BadInput, Missing

Make = Callable[[Path, pytest.MonkeyPatch], dict[str, np.ndarray]]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def cifar10(root: Path, patch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Pickled batches: rows of 3,072 bytes, red plane first, and a list of labels."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    kind = torchvision.datasets.CIFAR10
    batches = {name: pixels(i, 4, 3, 32, 32) for i, (name, _) in enumerate([*kind.train_list, *kind.test_list])}
    for i, (name, images) in enumerate(batches.items()):
        content = {"data": images.reshape(4, -1), "labels": [i, 0, 9, i]}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    for listing in ("train_list", "test_list"):
        patch.setattr(kind, listing, [[name, md5(folder / name)] for name, _ in getattr(kind, listing)])
    patch.setattr(kind, "meta", kind.meta | {"md5": md5(folder / "batches.meta")})
    train = np.concatenate([batches[name] for name, _ in kind.train_list])
    labels = np.array([label for i in range(5) for label in (i, 0, 9, i)])
    return {"train": train, "test": batches["test_batch"], "labels": labels}


def svhn(root: Path, patch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """MATLAB files: X [32, 32, 3, N], y [N, 1] with 10 for the digit 0."""
    root.mkdir(parents=True, exist_ok=True)
    kind = torchvision.datasets.SVHN
    made, listing = {}, {}
    for i, split in enumerate(("train", "test")):
        made[split] = pixels(i, 5, 3, 32, 32)
        path = root / f"{split}_32x32.mat"
        savemat(path, {"X": made[split].transpose(2, 3, 1, 0), "y": np.array([[10], [1], [2], [10], [9]])})
        listing[split] = ["", path.name, md5(path)]
    patch.setattr(kind, "split_list", listing)
    return made | {"labels": np.array([0, 1, 2, 0, 9])}


def stl10(root: Path, patch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Bytes of [N, 3, 96, 96], columns first, labels from 1; expected at 48 as torch resizes them."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    kind = torchvision.datasets.STL10
    made = {}
    for i, (name, n) in enumerate((("train", 3), ("unlabeled", 4), ("test", 2))):
        big = pixels(i, n, 3, 96, 96)
        np.ascontiguousarray(big.transpose(0, 1, 3, 2)).tofile(folder / f"{name}_X.bin")
        small = interpolate(torch.from_numpy(big).float(), (48, 48), mode="bilinear", antialias=True)
        made[name] = small.round().clamp(0, 255).to(torch.uint8).numpy()
    np.array([3, 10, 1], dtype=np.uint8).tofile(folder / "train_y.bin")
    np.array([1, 2], dtype=np.uint8).tofile(folder / "test_y.bin")
    for listing in ("train_list", "test_list"):
        patch.setattr(kind, listing, [[name, md5(folder / name)] for name, _ in getattr(kind, listing)])
    train = np.concatenate([made["train"], made["unlabeled"]])
    return {"train": train, "test": made["test"], "labels": np.array([2, 9, 0, -1, -1, -1, -1])}


def celeba(root: Path, patch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Pictures of 178 × 218, here even in colour, and five lists of text, of which the split is 0, 1 or 2."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    colours, splits = pixels(0, 6, 3), [0, 2, 0, 1, 0, 2]
    names = [f"{i + 1:06}.jpg" for i in range(6)]
    for name, colour in zip(names, colours, strict=True):
        picture = np.full((218, 178, 3), 255, dtype=np.uint8)
        picture[20:198] = colour  # what is beyond the central square is white
        Image.fromarray(picture).save(folder / "img_align_celeba" / name, "PNG")
    one = "".join(f"{name} 1\n" for name in names)
    headed = f"6\na\n{one}"
    (folder / "list_eval_partition.txt").write_text("".join(f"{n} {s}\n" for n, s in zip(names, splits, strict=True)))
    (folder / "identity_CelebA.txt").write_text(one)
    for name in ("list_attr_celeba.txt", "list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"):
        (folder / name).write_text(headed)
    kind = torchvision.datasets.CelebA
    texts = [name for *_, name in kind.file_list if name.endswith(".txt")]
    patch.setattr(kind, "file_list", [("", md5(folder / name), name) for name in texts])
    even = np.broadcast_to(colours[:, :, None, None], (6, 3, 64, 64))
    parts = {split: even[[s == i for s in splits]] for i, split in ((0, "train"), (2, "test"))}
    return parts


MAKERS: dict[str, Make] = {"cifar10": cifar10, "svhn": svhn, "stl10": stl10, "celeba": celeba}


@pytest.mark.parametrize("name", MAKERS)
def test_load_reads_the_authors_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MAKERS[name](tmp_path, monkeypatch)
    for data in (load(name, tmp_path), load(name, tmp_path)):  # the second time from the cache, where there is one
        assert data.train is not None and data.test is not None
        assert data.train.dtype == data.test.dtype == torch.uint8
        for part, expected in ((data.train, made["train"]), (data.test, made["test"])):
            assert part.shape == expected.shape
            # Pillow resizes in whole numbers, torch, which is expected here, in floating point.
            assert np.abs(part.numpy().astype(int) - expected).max() <= (name == "stl10")
        assert (None if data.labels is None else data.labels.tolist()) == (
            made["labels"].tolist() if "labels" in made else None
        )
        assert data.shape == made["train"].shape[1:]
        assert (data.name, data.extractor) == (name, "inception")


@pytest.mark.parametrize("name", MAKERS)
def test_load_without_files_says_which_one_and_what_helps(name: str, tmp_path: Path) -> None:
    with pytest.raises(Missing) as caught:
        load(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{name}: {tmp_path}/")
    assert "is missing (" in message
    assert caught.value.remedies == ("download", "data")
    assert "\n" not in message


@pytest.mark.parametrize("name", MAKERS)
def test_load_names_the_file_that_is_not_the_original(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MAKERS[name](tmp_path, monkeypatch)
    changed = {
        "cifar10": "cifar-10-batches-py/data_batch_3",
        "svhn": "test_32x32.mat",
        "stl10": "stl10_binary/unlabeled_X.bin",
        "celeba": "celeba/identity_CelebA.txt",
    }[name]
    (tmp_path / changed).write_bytes(b"something else")
    with pytest.raises(BadInput, match=f"^{name}: corrupt or another file: {tmp_path / changed}$"):
        load(name, tmp_path)


def test_load_of_cifar10_unpickles_nothing_that_is_not_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "unpickled",)

    cifar10(tmp_path, monkeypatch)
    batch = tmp_path / "cifar-10-batches-py/data_batch_1"
    batch.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BadInput, match="data_batch_1"):
        load("cifar10", tmp_path)
    assert not (tmp_path / "unpickled").exists()
    pickle.loads(batch.read_bytes())
    assert (tmp_path / "unpickled").exists()


def test_load_of_celeba_counts_the_pictures_that_are_empty_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeba(tmp_path, monkeypatch)
    folder = tmp_path / "celeba/img_align_celeba"
    (folder / "000001.jpg").write_bytes(b"")
    (folder / "000002.jpg").unlink()
    data = load("celeba", tmp_path)
    assert data.train is not None and data.test is not None
    assert (len(data.train), len(data.test)) == (2, 1)
    assert data.source.endswith("; left out: 2 empty or unreadable (test 0, train 0)")


@pytest.mark.parametrize("name", MAKERS)
def test_load_never_downloads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = getattr(torchvision.datasets, vision.VISION[name].kind)
    monkeypatch.setattr(kind, "download", lambda *_: pytest.fail("downloads"))
    with pytest.raises(BadInput):
        load(name, tmp_path)
    MAKERS[name](tmp_path, monkeypatch)
    load(name, tmp_path)


@pytest.mark.parametrize("name", MAKERS)
def test_download_asks_torchvision_for_every_part(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = getattr(torchvision.datasets, vision.VISION[name].kind)
    asked: list[Path] = []

    def fetch(self: Any) -> None:
        if not asked:
            MAKERS[name](tmp_path / "here", monkeypatch)
        asked.append(Path(self.root))

    monkeypatch.setattr(kind, "download", fetch)
    download(name, tmp_path / "here")
    assert set(asked) == {tmp_path / "here"}
    assert len(asked) == {"stl10": 3}.get(name, 2)
    load(name, tmp_path / "here")


def test_download_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(self: Any) -> None:
        raise OSError("no\nroute")

    monkeypatch.setattr(torchvision.datasets.SVHN, "download", fetch)
    with pytest.raises(BadInput, match=r"^svhn: download of 250 MB to .* failed \(OSError: no route\)$"):
        download("svhn", tmp_path)


def test_download_of_data_without_files_does_nothing(tmp_path: Path) -> None:
    for name in ("8gaussians", "mnist5k", "folder:x"):
        download(name, tmp_path)
    assert not list(tmp_path.iterdir())


def jpegs(root: Path) -> None:
    for split in ("train", "test"):
        for i, name in enumerate(("cat", "dog")):
            path = root / split / name / f"{i}.jpg"
            path.parent.mkdir(parents=True)
            Image.fromarray(pixels(i, 32, 32, 3)).save(path, quality=75)


def test_cifar10_jpeg_is_read_from_a_clone_and_says_that_it_is_not_the_original(tmp_path: Path) -> None:
    jpegs(tmp_path / "CIFAR-10-images")
    data = load("cifar10-jpeg", tmp_path)
    assert data.train is not None and data.test is not None and data.labels is not None
    assert (data.shape, len(data.train), len(data.test), data.labels.tolist()) == ((3, 32, 32), 2, 2, [0, 1])
    assert "NOT the original pixels" in data.source
    with pytest.raises(BadInput, match=r"neither cifar10-jpeg\.tar\.xz nor CIFAR-10-images is in .*nowhere"):
        load("cifar10-jpeg", tmp_path / "nowhere")


def test_found_name_of_cifar10_is_that_of_the_jpegs_only_where_they_are_alone(tmp_path: Path) -> None:
    assert found_name("cifar10", tmp_path) == found_name("cifar10") == "cifar10"
    jpegs(tmp_path / "CIFAR-10-images")
    assert found_name("cifar10", tmp_path) == "cifar10-jpeg"
    assert found_name("svhn", tmp_path) == "svhn"
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert found_name("cifar10", tmp_path) == "cifar10"


def test_every_data_set_that_is_fetched_is_a_data_set() -> None:
    assert set(vision.VISION) <= set(DATASETS)


def test_pictures_are_cropped_and_sized_as_in_common_practice() -> None:
    assert vision.STL10.form == Format(size=48)
    assert vision.CELEBA.form == Format(size=64, crop=178)
