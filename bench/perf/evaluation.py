"""What an evaluation costs: exact W1 between point clouds, the metrics of images, and the extractors' passes."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn

from ..data.catalog import load
from ..metrics import efficientnet, inception
from ..metrics.catalog import load_extractor
from ..metrics.efficientnet import EfficientNetLite0
from ..metrics.extractors import Extractor, frozen
from ..metrics.images import ImageMetrics, Sizes
from ..metrics.inception import Inception
from ..metrics.labels import METRICS
from ..metrics.points import PointMetrics, wasserstein1
from ..report.statistics import estimate
from .table import Row

PART = "evaluation"


def seconds(task: Callable[[], object], repeats: int) -> list[float]:
    """Of each call, after one that warms up."""
    task()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        found.append(time.perf_counter() - start)
    return found


def rows(repeats: int, n: int = 1000, n_modes: int = 10_000, batch: int = 16) -> Iterator[Row]:
    """W1 of n points, metrics of points, metrics of n images (the reference is there), and passes of the extractors."""
    rng = torch.Generator().manual_seed(0)
    points, images = load("8gaussians"), load("mnist5k")
    a, b = points.held_out(n, rng), points.held_out(n, rng)
    yield _row(f"W1, {n} points a side", lambda: wasserstein1(a, b), repeats)
    metrics, fake = PointMetrics(points, rng, n, n_modes), points.held_out(max(n, n_modes), rng)
    yield _row(f"W1 of {n}, modes of {n_modes} points", lambda: metrics(fake), repeats)
    assert images.extractor is not None
    reference, generated = images.held_out(n, rng), images.sample(n, rng)
    for about, chosen in (("FD and IS", ("fd", "is")), ("all metrics", METRICS)):
        sizes = Sizes(n_fake=n, metrics=chosen)
        image_metrics = ImageMetrics(reference, load_extractor(images.extractor), sizes)
        yield _row(f"{about} on mnist-cnn, {n} images", partial(image_metrics, generated), repeats)
    yield from passes(repeats, batch)


def passes(repeats: int, batch: int) -> Iterator[Row]:
    """Images of 32x32 per second through each extractor, batch norm folded and not; inception's weights are random."""
    images = torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.random.fork_rng(devices=[]):
        layers = {**inception.layers().state_dict(), "fc.weight": torch.randn(1008, 2048), "fc.bias": torch.zeros(1008)}
    made: dict[str, Callable[[bool], nn.Module]] = {"inception": lambda fold: Inception(layers, fold=fold)}
    if efficientnet.installed():
        weights = torch.load(efficientnet.weights_path(), weights_only=True)
        made["efficientnet-lite0"] = lambda fold: EfficientNetLite0(weights, fold=fold)
    for name, make in made.items():
        for fold in (True, False):
            extractor = Extractor(name, "", "", 0, frozen(make(fold)))
            rates = [batch / value for value in seconds(partial(extractor, images), repeats)]
            yield Row(PART, f"{name}, {'folded' if fold else 'unfolded'}", "images/s", estimate(rates))


def _row(name: str, task: Callable[[], object], repeats: int) -> Row:
    return Row(PART, name, "ms", estimate([1e3 * value for value in seconds(task, repeats)]))
