"""MNIST-like folders: packed and unpacked files, everything that can be wrong with them, and the download."""

import gzip
import hashlib
import struct
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets

from lipbench.bench.data import load
from lipbench.bench.data.idx import IdxSource, download_idx, load_idx, parse_idx
from lipbench.objectives.errors import BadInput, Missing

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the original files are not beside the checkout")


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents() -> dict[str, bytes]:
    rng = np.random.default_rng(4)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (30, 5, 4), dtype=np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 30, dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (12, 5, 4), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 12, dtype=np.uint8),
    }
    return {name: idx_bytes(array) for name, array in arrays.items()}


def small() -> IdxSource:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents().items()}
    return IdxSource("small", "MNIST", "made up", digests)


def write(root: Path, packed: bool = True) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in contents().items():
        path = raw / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return raw


@pytest.mark.parametrize("packed", [True, False])
def test_load_idx_reads_packed_and_unpacked_files(tmp_path: Path, packed: bool) -> None:
    write(tmp_path, packed)
    dataset = load_idx(small(), tmp_path)
    assert dataset.train is not None and dataset.test is not None and dataset.labels is not None
    assert (dataset.shape, dataset.train.shape, dataset.test.shape) == ((1, 5, 4), (30, 1, 5, 4), (12, 1, 5, 4))
    assert dataset.train.numpy().tobytes() == contents()["train-images-idx3-ubyte"][16:]
    assert dataset.test.numpy().tobytes() == contents()["t10k-images-idx3-ubyte"][16:]
    assert dataset.labels.tolist() == list(contents()["train-labels-idx1-ubyte"][8:])
    assert dataset.labels.dtype == torch.int64


def test_load_idx_writes_nothing_to_a_given_folder(tmp_path: Path) -> None:
    write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    load_idx(small(), tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_parse_idx_keeps_the_order_of_unequal_sizes() -> None:
    array = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    assert np.array_equal(parse_idx(idx_bytes(array)).numpy(), array)


def missing(raw: Path) -> Path:
    path = raw / "t10k-labels-idx1-ubyte.gz"
    path.unlink()
    return path


def cut(raw: Path) -> Path:
    path = raw / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-40])
    return path


def not_packed(raw: Path) -> Path:
    path = raw / "train-labels-idx1-ubyte.gz"
    path.write_text("<html>moved</html>")
    return path


def garbled(raw: Path) -> Path:
    path = raw / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[20:60] = bytes(40)
    path.write_bytes(bytes(content))
    return path


def bad_block(raw: Path) -> Path:
    path = raw / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[10] = 0b111  # after the ten bytes of gzip's header: a block of the type that deflate reserves
    path.write_bytes(bytes(content))
    return path


def another_file(raw: Path) -> Path:
    path = raw / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(contents()["t10k-images-idx3-ubyte"][:-1] + b"\x00"))
    return path


def a_folder(raw: Path) -> Path:
    path = raw / "t10k-images-idx3-ubyte.gz"
    path.unlink()
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing, "is missing; expected train-images-idx3-ubyte, "),
        (cut, "is corrupt"),
        (not_packed, "is corrupt"),
        (garbled, "is corrupt"),
        (bad_block, "is corrupt"),
        (another_file, "is corrupt or another file"),
        (a_folder, "cannot be read"),
    ],
)
def test_load_idx_names_the_bad_file_in_one_line(tmp_path: Path, spoil: Callable[[Path], Path], says: str) -> None:
    path = spoil(write(tmp_path))
    with pytest.raises(BadInput) as caught:
        load_idx(small(), tmp_path)
    message = str(caught.value)
    assert message.startswith(f"small: {path} {says}")
    assert "\n" not in message


def test_load_idx_notices_one_changed_pixel_of_an_unpacked_file(tmp_path: Path) -> None:
    path = write(tmp_path, packed=False) / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="another file: its content has sha256"):
        load_idx(small(), tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_load_missing_folder_says_what_is_expected_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(Missing) as caught:
        load(name, tmp_path / "nowhere")
    folder = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name]
    message = str(caught.value)
    assert message.startswith(f"{name}: there is no folder {tmp_path / 'nowhere'}; expected train-images-idx3-ubyte")
    assert message.endswith(f"in {tmp_path / 'nowhere' / folder / 'raw'}")
    assert caught.value.remedies == ("download", "data")


class Downloads:
    """Stands in for torchvision's MNIST: writes the files below the folder it is given, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path, error: Exception | None = None) -> None:
        self.count, self.error = 0, error
        monkeypatch.setattr(torchvision.datasets, "MNIST", self)
        monkeypatch.setattr(Path, "home", lambda: home)

    def __call__(self, root: str, download: bool) -> None:
        self.count += 1
        if self.error is not None:
            raise self.error
        assert download
        write(Path(root))


def test_download_idx_fetches_what_is_missing_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(monkeypatch, tmp_path)
    for _ in range(2):
        download_idx(small(), tmp_path / "here")
    assert downloads.count == 1
    raw = tmp_path / "here" / "MNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(f"{name}.gz" for name in contents())
    assert load_idx(small(), tmp_path / "here").shape == (1, 5, 4)


def test_download_idx_is_content_with_unpacked_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(monkeypatch, tmp_path)
    write(tmp_path, packed=False)
    download_idx(small(), tmp_path)
    assert downloads.count == 0


@pytest.mark.parametrize("given", [True, False])
def test_load_idx_never_downloads_and_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    downloads = Downloads(monkeypatch, tmp_path)
    with pytest.raises(Missing) as caught:
        load_idx(small(), tmp_path if given else None)
    assert caught.value.remedies == ("download", "data")
    assert downloads.count == 0
    assert str(tmp_path if given else tmp_path / ".cache" / "lipbench") in str(caught.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("Error downloading x:\nTried a\nTried b"), URLError("no route"), IncompleteRead(b"half")]
)
def test_download_idx_that_fails_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Downloads(monkeypatch, tmp_path, error)
    with pytest.raises(BadInput, match=r"^small: download to .* failed .*; expected train-images-idx3-ubyte") as caught:
        download_idx(small(), tmp_path)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "MNIST" / "raw").iterdir())


@needs_shared
@pytest.mark.parametrize(("name", "mean", "std"), [("mnist", 0.1307, 0.3081), ("fashion-mnist", 0.2860, 0.3530)])
def test_load_original_files_have_the_published_moments(name: str, mean: float, std: float) -> None:
    dataset = load(name, SHARED)
    assert dataset.train is not None and dataset.test is not None and dataset.labels is not None
    assert (dataset.train.shape, dataset.test.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    values, counts = np.unique(dataset.train.numpy(), return_counts=True)
    share, grey = counts / counts.sum(), values / 255
    assert share @ grey == pytest.approx(mean, abs=6e-5)
    assert np.sqrt(share @ grey**2 - (share @ grey) ** 2) == pytest.approx(std, abs=6e-5)
    per_class = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949] if name == "mnist" else [6000] * 10
    assert torch.bincount(dataset.labels).tolist() == per_class
    first = {"mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], "fashion-mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]}
    assert dataset.labels[:10].tolist() == first[name]


@needs_shared
def test_mnist5k_is_the_first_500_of_each_class_of_mnist() -> None:
    original, embedded = load("mnist", SHARED), load("mnist5k")
    assert original.train is not None and original.labels is not None
    assert embedded.train is not None and embedded.test is not None
    first = {image.numpy().tobytes() for label in range(10) for image in original.train[original.labels == label][:500]}
    assert {image.numpy().tobytes() for image in torch.cat([embedded.train, embedded.test])} == first
