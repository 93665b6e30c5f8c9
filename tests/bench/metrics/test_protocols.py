"""Named protocols: what they mean, which images they take, and what is told when there are too few."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from lipbench.bench.data import Dataset, load
from lipbench.bench.metrics.catalog import load_extractor
from lipbench.bench.metrics.images import ImageMetrics
from lipbench.bench.metrics.labels import METRICS
from lipbench.bench.metrics.protocols import check_evaluation, image_metrics
from lipbench.bench.metrics.settings import PRESETS, Evaluation
from lipbench.objectives import BadInput


def settings(**keys: Any) -> Evaluation:
    return Evaluation.model_validate(keys)


def small(**keys: Any) -> Evaluation:
    return settings(**{"kid_subsets": 3, "kid_subset_size": 50} | keys)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_protocols_mean_what_their_papers_say():
    keys = ("images", "reals", "split", "is_images", "is_splits")
    found = {name: tuple(getattr(settings(protocol=name), key) for key in keys) for name in PRESETS}
    assert found == {
        "50k-train": (50_000, None, "train", None, 10),
        "10k-test": (10_000, None, "test", None, 10),
        "sngan": (5_000, 10_000, "train", 50_000, 10),
    }


def test_protocol_gives_way_to_keys_beside_it():
    found = settings(protocol="sngan", images=300, is_splits=1)
    assert (found.images, found.is_splits, found.reals, found.protocol) == (300, 1, 10_000, "sngan")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"protocol": "30k"}, "unknown protocol '30k'.*10k-test, 50k-train, sngan"),
        ({"extractor": 3}, "valid string"),
        ({"metrics": []}, "at least 1"),
        ({"split": "valid"}, "'train' or 'test'"),
    ],
)
def test_evaluation_refuses_unknown_names(keys: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        Evaluation.model_validate(keys)


class Watched(nn.Module):
    """Notes the images that an extractor's network is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.seen = network, list[Tensor]()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(images)
        return self.network(images)


def watched(data: Dataset, evaluation: Evaluation) -> tuple[ImageMetrics, dict[str, float], Tensor, Tensor]:
    """`image_metrics` of these, and the images that were looked at: the reference, and the floor's."""
    plain = load_extractor("mnist-cnn")
    network = Watched(plain.network)
    metrics, floors = image_metrics(data, evaluation, "cpu", brought=replace(plain, network=network))
    seen = torch.cat([torch.empty(0, *data.shape), *network.seen])
    return metrics, floors, seen[: metrics.n_real], seen[metrics.n_real :]


def rows(images: Tensor) -> set[bytes]:
    values = images if images.dtype == torch.uint8 else ((images + 1) * 127.5).round().to(torch.uint8)
    return {image.numpy().tobytes() for image in values}


@pytest.mark.parametrize(("split", "other"), [("train", "test"), ("test", "train")])
def test_image_metrics_of_a_split_hold_the_other_one_against_it(digits: Dataset, split: str, other: str):
    metrics, floors, reference, held_out = watched(digits, small(split=split, images=200))
    assert rows(reference) == rows(getattr(digits, split)) and len(reference) == len(getattr(digits, split))
    assert rows(held_out) <= rows(getattr(digits, other)) and len(held_out) == 200
    assert metrics.protocol["fd"]["split"] == split and metrics.protocol["fd"]["n_real"] == len(reference)
    assert floors.keys() == set(METRICS) and 0 < floors["fd"] < 1


def test_image_metrics_draw_as_many_reals_as_asked_for(digits: Dataset):
    metrics, _, reference, other = watched(digits, small(split="train", images=150, reals=250))
    assert (len(reference), len(other), metrics.protocol["fd"]["n_real"]) == (250, 150, 250)
    assert digits.train is not None and rows(reference) < rows(digits.train)


def test_image_metrics_score_more_fakes_than_they_fit(digits: Dataset):
    """As in `sngan`: the distance of the first 120, the score over all 360 in 3 parts."""
    keys = {"split": "train", "images": 120, "is_splits": 3}
    metrics, floors, _, held_out = watched(digits, small(**keys, is_images=360))
    assert (metrics.n_fake, metrics.protocol["is"]["n_fake"], metrics.protocol["kid"]["n_fake"]) == (360, 360, 120)
    assert digits.train is not None
    fakes = digits.train[:360].flip(3)
    found = metrics(fakes)
    plain, _ = image_metrics(digits, small(**keys | {"is_splits": 1}), "cpu")
    few = plain(fakes[:120])
    for name in ("fd", "kid", "precision", "recall"):
        assert found[name] == pytest.approx(few[name], rel=1e-4)  # float32 features, computed in other batches
    alone, _ = image_metrics(digits, small(split="train", images=360, is_splits=3, metrics=["is"]), "cpu")
    assert found["is"] == pytest.approx(alone(fakes)["is"], rel=1e-5) != few["is"]
    assert len(held_out) == 120
    assert floors["is"] == pytest.approx(plain.floor(held_out)["is"])


def test_floor_without_a_split_is_what_perfect_fakes_get(digits: Dataset):
    """Against the reference that fakes are measured against, `reals` of them; and no image is seen twice."""
    metrics, floors, reference, other = watched(digits, small(images=150, reals=100))
    assert (len(reference), len(other)) == (100, 150)
    assert not rows(reference) & rows(other)
    measured = metrics(other)
    assert floors == measured and list(floors) == list(measured)


def test_floor_without_a_split_scores_parts_as_large_as_the_protocols(digits: Dataset):
    """Parts of 50 images, not 150 images in 9 parts of 17, which alone would lower the score."""
    keys = {"images": 150, "metrics": ["is"]}
    floors = image_metrics(digits, small(**keys, is_images=450, is_splits=9), "cpu")[1]
    assert floors == image_metrics(digits, small(**keys, is_splits=3), "cpu")[1]


def test_image_metrics_of_a_set_without_a_test_set_have_no_floor(digits: Dataset):
    data = Dataset("mine", digits.shape, digits.train, None, None, None, "mnist-cnn", "a test")
    assert image_metrics(data, small(split="train", images=100), "cpu")[1] == {}
    assert image_metrics(data, small(images=100), "cpu")[1]["fd"] > 0
    with pytest.raises(BadInput, match=r"dataset mine: evaluation\.split: test, but it has no test set"):
        image_metrics(data, small(split="test"), "cpu")


@pytest.mark.parametrize(("n", "floored"), [(2, False), (3, False), (4, True)])
def test_floor_of_a_split_needs_as_many_images_as_a_ball(digits: Dataset, n: int, floored: bool):
    """What the check lets pass, the metrics take."""
    assert digits.test is not None
    data = Dataset("mine", digits.shape, digits.train, digits.test[:n], None, None, "mnist-cnn", "a test")
    check_evaluation(data, small(split="train", images=100))
    floors = image_metrics(data, small(split="train", images=100), "cpu")[1]
    assert floors.keys() == (set(METRICS) if floored else set())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"protocol": "sngan"}, "dataset digits: .*n_real = 10000, allowed are 2 to 1083"),
        ({"split": "test", "reals": 2000}, "n_real = 2000, allowed are 2 to 714"),
        ({"extractor": "inception"}, "extractor 'inception' needs the file"),
    ],
)
def test_check_evaluation_tells_what_is_lacking(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, keys: dict[str, Any], message: str
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=message):
        check_evaluation(digits, settings(**keys))
    check_evaluation(load("8gaussians"), settings(**keys))


def test_image_metrics_keep_their_references_on_disk(digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    keys = small(images=120)
    fresh, floors = image_metrics(digits, keys, "cpu")
    monkeypatch.setenv("LIPBENCH_CACHE", str(tmp_path))
    written, _ = image_metrics(digits, keys, "cpu")
    read, floors_again, *seen = watched(digits, keys)
    assert not any(map(len, seen)) and floors_again == floors
    assert digits.train is not None
    assert read(digits.train[:120]) == written(digits.train[:120]) == fresh(digits.train[:120])


def test_image_metrics_take_only_the_metrics_asked_for(digits: Dataset):
    metrics, floors = image_metrics(digits, small(images=100, metrics=["recall", "is"]), "cpu")
    assert digits.train is not None
    found = metrics(digits.train[:100])
    assert list(found) == list(floors) == list(metrics.protocol) == ["is", "recall"]


def test_image_metrics_hold_no_more_features_than_said(digits: Dataset):
    metrics, _ = image_metrics(digits, small(images=300, held_images=130), "cpu")
    protocol = metrics.protocol["recall"]
    assert (protocol["n_fake"], protocol["n_real"], metrics.protocol["fd"]["n_fake"]) == (130, 130, 300)
    assert digits.train is not None
    fed: Any = metrics.metrics.clone()
    metrics.feed(fed, digits.train[:300], real=False, fitted=300)
    features = load_extractor("mnist-cnn")(digits.train[:300] / 127.5 - 1)[0]
    held = fed["held"].features(real=False)
    torch.testing.assert_close(held, features[:130], rtol=1e-4, atol=1e-4)
    assert (len(held), int(fed["fd"].fake_features_num_samples)) == (130, 300)
    torch.testing.assert_close(fed["fd"].fake_features_sum, features.double().sum(0), rtol=1e-5, atol=1e-4)


def test_image_metrics_of_a_stream_hold_two_fresh_draws_against_each_other() -> None:
    metrics, floors = image_metrics(load("parity"), small(images=120, metrics=["fd"]), "cpu")
    assert (metrics.n_real, metrics.n_fake, metrics.split) == (120, 120, "stream")
    reals = load("parity").sample(120, torch.Generator().manual_seed(7))
    assert metrics(reals)["fd"] == pytest.approx(floors["fd"], rel=0.5)
    assert metrics(-reals.abs())["fd"] > 5 * floors["fd"]
    check_evaluation(load("parity"), small(images=120))
