"""Metrics of classes: against numpy and scipy, what reals get, and what is told where they cannot be measured."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import entropy
from torch import Tensor

from lipbench.bench.data import Dataset, load
from lipbench.bench.metrics.classes import ClassAccuracy, ClassKL, WithinClasses
from lipbench.bench.metrics.labels import CLASS_METRICS
from lipbench.bench.metrics.protocols import check_evaluation, image_metrics
from lipbench.bench.metrics.settings import Evaluation
from lipbench.objectives import BadInput

ASKED = Evaluation(images=400, metrics=["fd", *CLASS_METRICS])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("mnist5k")


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """Fréchet distance of the fits, by scipy's matrix root."""
    gap, root = x.mean(0) - y.mean(0), sqrtm(np.cov(x.T) @ np.cov(y.T))
    return float(gap @ gap + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * np.real(np.asarray(root))))


def test_intra_distance_is_the_mean_over_classes_of_the_distance_within_each() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(90, 4)), rng.normal(size=(120, 4)) * [1, 2, 1, 0.5] + 1
    of_real, of_fake = np.arange(90) % 3, rng.integers(3, size=120)
    real[of_real == 1] += 3
    metric = WithinClasses(3, 4)
    for start in (0, 50):  # in parts
        part = slice(start, start + 50 if start == 0 else None)
        metric.update(torch.from_numpy(real[part]), True, torch.from_numpy(of_real[part]))
        metric.update(torch.from_numpy(fake[part]), False, torch.from_numpy(of_fake[part]))
    expected = np.mean([distance(real[of_real == k], fake[of_fake == k]) for k in range(3)])
    assert metric.compute().item() == pytest.approx(expected, rel=1e-6)
    metric = WithinClasses(3, 4)
    for side in (True, False):
        metric.update(torch.from_numpy(real), side, torch.from_numpy(of_real % 2))  # nobody is of class 2
    assert metric.compute().isnan()


def test_accuracy_is_the_share_of_fakes_read_as_the_class_asked_for() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(50, 3)), rng.integers(3, size=50)
    metric = ClassAccuracy()
    metric.update(torch.from_numpy(logits[:20]), False, torch.from_numpy(labels[:20]))
    metric.update(torch.from_numpy(logits[20:]), False, torch.from_numpy(labels[20:]))
    metric.update(torch.from_numpy(logits), True, torch.from_numpy(labels * 0))
    assert metric.compute().item() == pytest.approx((logits.argmax(1) == labels).mean(), abs=1e-12)


def test_class_kl_is_scipys_entropy_of_the_shares() -> None:
    counts, real = np.array([5, 0, 15]), np.array([10, 20, 30])
    metric = ClassKL(3)
    logits = torch.eye(3)[torch.arange(3).repeat_interleave(torch.from_numpy(counts))]
    metric.update(logits, False)
    metric.update(torch.zeros(60, 3), True, torch.arange(3).repeat_interleave(torch.from_numpy(real)))
    assert metric.compute().item() == pytest.approx(float(entropy(counts, real)), abs=1e-9)


def measured(digits: Dataset, labels: Tensor | None, conditional: bool = True) -> tuple[dict[str, float], Any]:
    metrics, floors = image_metrics(digits, ASKED, "cpu", conditional=conditional)
    images = digits.held_out_labelled(400, torch.Generator().manual_seed(9))[0]
    return (metrics(images) if labels is None else metrics(images, labels)), floors


def test_reals_with_their_own_classes_get_the_floor_and_with_others_do_not(digits: Dataset) -> None:
    own = digits.held_out_labelled(400, torch.Generator().manual_seed(9))[1]
    right, floors = measured(digits, own)
    wrong, _ = measured(digits, (own + 1) % 10)
    assert right.keys() == floors.keys() == {"fd", *CLASS_METRICS}
    assert right["class_accuracy"] > 0.97 < floors["class_accuracy"] and wrong["class_accuracy"] < 0.03
    assert right["intra_fd"] < 2 * floors["intra_fd"] and wrong["intra_fd"] > 5 * right["intra_fd"]
    assert right["class_kl"] == wrong["class_kl"] < 0.1
    assert right["fd"] == wrong["fd"]


def test_unconditional_fakes_have_the_shares_of_classes_alone(digits: Dataset) -> None:
    found, floors = measured(digits, None, conditional=False)
    assert found.keys() == floors.keys() == {"fd", "class_kl"}


@pytest.mark.parametrize(
    ("dataset", "keys", "told"),
    [
        ("parity", {"metrics": ["intra_fd"]}, "metrics: intra_fd: parity has no labels, or none of its held-out"),
        ("mnist5k", {"extractor": "efficientnet-lite0"}, "class_accuracy: the extractor efficientnet-lite0 does not"),
    ],
)
def test_metrics_of_classes_that_cannot_be_measured_are_refused(dataset: str, keys: Any, told: str) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    with pytest.raises(BadInput, match=told):
        check_evaluation(load(dataset), Evaluation.model_validate({"metrics": list(CLASS_METRICS)} | keys))
