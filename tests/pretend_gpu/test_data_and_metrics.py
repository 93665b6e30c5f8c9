"""Data, samples' metrics, measures of stability and the conformance kit on the pretended GPU: the CPU's values."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lipbench.bench.data import Dataset, load
from lipbench.bench.data.prefetch import Feed
from lipbench.bench.metrics import stability
from lipbench.bench.metrics.catalog import load_extractor
from lipbench.bench.metrics.images import ImageMetrics, Sizes
from lipbench.bench.metrics.points import PointMetrics, w1_floor
from lipbench.models.acceleration import TrainingLoop
from lipbench.objectives import Batch, NonSaturating, SpectralNorm, WeightClipping
from lipbench.objectives.conformance import Status, machine
from lipbench.objectives.conformance.trial import IMAGES, POINTS, TrialSetting

DEVICES = ("cpu", "cuda:0")
SIZES = Sizes(n_fake=60, n_scored=80, splits=2, subsets=3, subset_size=20)


def stream(device: str, seed: int = 5) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize("name", ["8gaussians", "swissroll", "digits", "parity"])
def test_data_are_drawn_there(gpu: Any, name: str) -> None:
    here, there = (load(name).to(device) for device in DEVICES)
    streams = [stream(device) for device in DEVICES]
    with gpu:
        drawn, held_out = there.sample(16, streams[1]), there.held_out(16, streams[1])
    assert {x.device.type for x in (drawn, held_out)} == {"cuda"}
    assert torch.equal(drawn.cpu(), here.sample(16, streams[0]))
    assert torch.equal(held_out.cpu(), here.held_out(16, streams[0]))


def test_data_that_do_not_fit_are_fed_without_a_wait(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the thread that trains: another one waits for its own draw."""
    here = load("digits")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (1000, 1000))
    there = load("digits").to("cuda:0")
    assert isinstance(there.feed, Feed)
    streams = [stream(device) for device in DEVICES]
    for n in (4, 4, 7, 4, 4, 4, 4, 4, 4):
        with gpu:
            drawn = there.sample(n, streams[1])
        assert drawn.device.type == "cuda"
        assert torch.equal(drawn.cpu(), here.sample(n, streams[0]))
    assert torch.equal(there.held_out(9, streams[1]).cpu(), here.held_out(9, streams[0]))


@pytest.mark.parametrize(("room", "there"), [(60, ["train", "test"]), (59, ["train"]), (39, ["test"])])
def test_data_go_there_a_whole_set_at_a_time(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, room: int, there: list[str]
) -> None:
    """The test set stays behind where only the training set finds room, and the other way round."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * room * 3, 10**9))
    train, test = torch.zeros(40, 3, dtype=torch.uint8), torch.zeros(20, 3, dtype=torch.uint8)
    data = Dataset("x", (3,), train, test, None, None, None, "made up").to("cuda:0")
    assert [part for part in ("train", "test") if getattr(data, part).device.type == "cuda"] == there
    assert (data.feed is None) == ("train" in there)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """240 images of MNIST, uint8."""
    pixels = load("mnist5k").train
    assert pixels is not None
    return pixels[torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:240]]


def measure(digits: Tensor, device: str, lies: str) -> list[Any]:
    """Everything that image metrics can do, the extractor on one device, the images on the other or the same."""
    images = digits.to(lies)
    metrics = ImageMetrics(images[:100], load_extractor("mnist-cnn"), SIZES, device=device)
    return [metrics.with_bias(images[100:180]), metrics.floor(images[180:])]


@pytest.mark.parametrize("lies", DEVICES)
def test_image_metrics_are_the_cpus(gpu: Any, digits: Tensor, lies: str) -> None:
    assert measure(digits, "cuda:0", lies) == measure(digits, "cpu", "cpu")


def test_point_metrics_are_the_cpus(gpu: Any) -> None:
    found = []
    for device in DEVICES:
        data = load("8gaussians").to(device)
        metrics = PointMetrics(data, stream(device), n=50, n_modes=100)
        fakes = data.sample(metrics.n_fake, stream(device, 6))
        found.append((metrics.with_bias(fakes), w1_floor(data, 50, draws=3, device=device)))
    assert found[0] == found[1]


@pytest.mark.parametrize("objective", [SpectralNorm, WeightClipping])
def test_stability_is_the_cpus(gpu: Any, make_loop: Callable[..., TrainingLoop], objective: Any) -> None:
    found = []
    for device in DEVICES:
        loop = make_loop(objective(), device)
        loop.run(1)
        iteration = loop.iteration
        real, fake = iteration.draw(9)
        measured: dict[str, Any] = stability.critic_slopes(iteration.critic, real, fake, iteration.stream("evaluation"))
        measured |= stability.singular_values(iteration.critic, real) | stability.weight_histograms(
            iteration.critic, real
        )
        measured["norms"] = stability.gradient_norm(iteration.generator), stability.weight_norm(iteration.critic)
        measured["rest"] = stability.mean_distance(real), stability.clipped_share(iteration.critic, 0.01)
        found.append(measured)
    assert found[0] == found[1]


class Mixing(NonSaturating):
    """Adds what it makes on the CPU."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.zeros(x.shape)


@pytest.mark.parametrize("setting", [POINTS, IMAGES], ids=lambda setting: setting.name)
def test_conformance_kit_plays_there(gpu: Any, setting: TrialSetting) -> None:
    assert machine.other_device(SpectralNorm, setting).status == Status.PASS
    mixing = machine.other_device(Mixing, setting)
    assert mixing.status == Status.FAIL and "same device" in mixing.reason
