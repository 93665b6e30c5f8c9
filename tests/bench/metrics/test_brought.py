"""Somebody's metrics and extractors in an evaluation: what they are shown, and what becomes of what they say."""

import math
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from scipy.stats import energy_distance
from torch import Tensor, nn
from torchmetrics import Metric

from lipbench.bench.data import Dataset, load
from lipbench.bench.metrics.brought import BroughtMetric, as_extractor, beside
from lipbench.bench.metrics.features import fit, frechet_distance
from lipbench.bench.metrics.protocols import check_evaluation, image_metrics
from lipbench.bench.metrics.settings import Brought, Evaluation
from lipbench.objectives import BadInput

CPU = torch.device("cpu")


class Energy(Metric):
    """scipy's energy distance of the first coordinates."""

    higher_is_better: ClassVar[Any] = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("real", [])
        self.add_state("fake", [])

    def update(self, samples: Tensor, real: bool) -> None:
        side: Any = self.real if real else self.fake
        side.append(samples.flatten(1)[:, 0])

    def first(self) -> tuple[np.ndarray, np.ndarray]:
        real: Any = self.real
        fake: Any = self.fake
        return torch.cat(real).numpy(), torch.cat(fake).numpy()

    def compute(self) -> Any:
        return energy_distance(*self.first())


class Seen(Energy):
    """What it is shown, in figures."""

    higher_is_better: ClassVar[Any] = {"fakes": True, "largest": False}

    def compute(self) -> Any:
        real, fake = self.first()
        return {"reals": len(real), "fakes": torch.tensor(len(fake)), "largest": np.abs(real).max(), "draw": draw()}


def draw() -> float:
    return float(torch.rand(1)) + random.random() + float(np.random.rand())


class Spoiling(Energy):
    def update(self, samples: Tensor, real: bool) -> None:
        super().update(samples.clone(), real)
        samples.zero_()


def own(metric: Metric, label: str = "mine") -> list[BroughtMetric]:
    return [BroughtMetric(label, metric, {"p": 2}, "0123456789abcdef0123")]


@pytest.fixture(scope="module")
def ring() -> Dataset:
    return load("ring5")


def test_metric_of_points_is_asked_about_fixed_reals_and_a_floor(ring: Dataset) -> None:
    measure, floors = beside(None, ring, Evaluation(points=60), CPU, own(Energy()))
    reals, others = ring.held_out(120, torch.Generator().manual_seed(0))[:, 0].split(60)
    fakes = ring.sample(60, torch.Generator().manual_seed(1)) + 1
    assert floors == {"mine": pytest.approx(energy_distance(reals, others))}
    assert measure(fakes) == measure(fakes) == {"mine": pytest.approx(energy_distance(reals, fakes[:, 0]))}
    assert measure.with_bias(fakes) == (measure(fakes), {})
    assert measure.fresh(torch.Generator())(fakes) == measure(fakes)
    assert measure.protocol == {
        "mine": {"label": "mine", "n_fake": 60, "n_real": 60, "split": "stream", "better": "lower"}
        | {"settings": {"p": 2}, "source": "0123456789abcdef"}
    }


def test_metric_gives_names_with_numbers_and_has_random_streams_of_its_own(ring: Dataset) -> None:
    torch.default_generator.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = draw()
    torch.default_generator.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    measure, floors = beside(None, load("8gaussians"), Evaluation(points=1200), CPU, own(Seen()))
    fakes = ring.sample(1200, torch.Generator().manual_seed(1))
    found = measure(fakes)
    assert draw() == expected
    assert (found["mine.reals"], found["mine.fakes"]) == (1200, 1200)
    assert found["mine.draw"] == floors["mine.draw"] == measure(fakes)["mine.draw"]
    ways = {key: how.get("better") for key, how in measure.protocol.items()}
    assert ways == {"mine.reals": None, "mine.fakes": "higher", "mine.largest": "lower", "mine.draw": None}


def test_fakes_that_are_not_finite_have_no_value_and_fakes_stay_as_they_are(ring: Dataset) -> None:
    measure, _ = beside(None, ring, Evaluation(points=50), CPU, own(Spoiling()))
    fakes = ring.sample(50, torch.Generator().manual_seed(1))
    before = fakes.clone()
    assert measure(fakes)["mine"] > 0 and torch.equal(fakes, before)
    fakes[3, 1] = math.inf
    assert math.isnan(measure(fakes)["mine"])


def test_metric_of_images_is_shown_the_reference_of_fd_on_the_levels_of_a_picture() -> None:
    digits = load("digits")
    assert digits.train is not None and digits.test is not None
    asked = Evaluation(images=200, split="train", reals=150, metrics=["fd"], extractor="mnist-cnn")
    usual, _ = image_metrics(digits, asked, CPU)
    measure, floors = beside(usual, digits, asked, CPU, own(Seen()))
    fakes = 0.999 * digits.train[:200].float() / 127.5 - 0.999
    found = measure(fakes)
    assert found["fd"] == usual(fakes)["fd"]
    assert (found["mine.reals"], found["mine.fakes"], floors["mine.fakes"]) == (150, 200, 200)
    assert measure.protocol["mine.reals"]["split"] == "train"
    levels = set(((torch.arange(256) / 127.5) - 1).abs().tolist())
    assert min(abs(found["mine.largest"] - level) for level in levels) < 1e-6


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("text", "metric mine: gives str: must be a number, or a mapping of names to numbers"),
        (None, "metric mine: gives NoneType: .*"),
        (torch.zeros(3), r"metric mine: gives shape \(3,\): .*"),
        ({}, "metric mine: gives an empty mapping: .*"),
        ({"a": [1.0]}, "metric mine: gives list: .*"),
        (math.nan, "metric mine: gives nan on real samples"),
        ({"a": 1.0, "b": math.inf}, "metric mine.b: gives inf on real samples"),
    ],
)
def test_metric_without_a_number_is_told_before_a_run(ring: Dataset, given: Any, told: str) -> None:
    class Odd(Energy):
        def compute(self) -> Any:
            return given

    with pytest.raises(BadInput, match=f"^{told}$"):
        check_evaluation(ring, Evaluation(points=50), brought=Brought(tuple(own(Odd()))))


def test_metric_that_raises_is_told_in_a_line(ring: Dataset) -> None:
    class Raising(Energy):
        def update(self, samples: Tensor, real: bool) -> None:
            raise KeyError("no\nkey")

    with pytest.raises(BadInput, match=r"^metric mine: KeyError: .*no.*key.*$"):
        check_evaluation(ring, Evaluation(points=50), brought=Brought(tuple(own(Raising()))))


class Moments(nn.Module):
    def __init__(self, scale: float = 1.0, logits: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.logits = logits

    def forward(self, images: Tensor) -> Any:
        x = self.scale * images.flatten(1)
        features = torch.stack([x.mean(1), x.std(1), x[:, 20]], dim=1)
        return (features, 3 * features) if self.logits else features


def test_distance_of_somebodys_features_is_that_of_features_computed_alone() -> None:
    digits = load("digits")
    assert digits.train is not None
    network = Moments()
    extractor = as_extractor("moments", network, digits.shape, "f" * 40)
    asked = Evaluation(images=200, split="train", metrics=["fd"], extractor={"name": "moments"})
    metrics, floors = image_metrics(digits, asked, CPU, brought=extractor)
    fakes = digits.train[:200].flip(3)
    with torch.no_grad():
        real, fake = (network(part.float() / 127.5 - 1) for part in (digits.train, fakes))
    assert metrics(fakes)["fd"] == pytest.approx(frechet_distance(fit(real), fit(fake)), rel=1e-5)
    assert floors["fd"] > 0
    told = metrics.protocol["fd"]
    assert (told["label"], told["features"], told["source"]) == ("FD(moments)", 3, "f" * 16)


def test_hash_of_somebodys_weights_is_of_their_values() -> None:
    first, again, other = (as_extractor("m", Moments(s), (1, 8, 8), "") for s in (1.0, 1.0, 2.0))
    assert first.sha256 == again.sha256 != other.sha256


def test_references_are_kept_by_the_source_of_the_extractor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path))
    asked = Evaluation(images=100, metrics=["fd"])
    for source in ("a", "a", "b"):
        image_metrics(load("digits"), asked, CPU, brought=as_extractor("m", Moments(), (1, 8, 8), source))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4  # states and floor of either source


def test_inception_score_needs_logits() -> None:
    digits, asked = load("digits"), Evaluation(images=100, metrics=["fd", "is"])
    image_metrics(digits, asked, CPU, brought=as_extractor("m", Moments(logits=True), (1, 8, 8), ""))
    told = r"extractor m: gives no logits, which 'is' needs; give metrics: \[fd\]"
    with pytest.raises(BadInput, match=told):
        check_evaluation(digits, asked, brought=Brought(extractor=as_extractor("m", Moments(), (1, 8, 8), "")))


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (nn.Identity(), r"gives features of shape \(2, 1, 8, 8\) for 2 images: must be features \[N, D\], or .*"),
        (nn.Linear(3, 3), "RuntimeError: .*"),
        (nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, 128))), r"gives features of shape \(1, 128\) for 2 images.*"),
    ],
)
def test_network_that_is_no_extractor_is_told_in_a_line(network: nn.Module, told: str) -> None:
    with pytest.raises(BadInput, match=rf"^extractor m: on images of shape \(1, 8, 8\): {told}$"):
        as_extractor("m", network, (1, 8, 8), "")
