"""What an evaluation costs: exact W1 between point clouds, Fréchet distance and Inception Score of images."""

import time
from collections.abc import Callable, Iterator

import torch

from ..data import load
from ..metrics.extractors import load_extractor
from ..metrics.images import ImageMetrics, Sizes
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


def rows(repeats: int, n: int = 1000, n_modes: int = 10_000) -> Iterator[Row]:
    """W1 of n points, all metrics of points, and FD with IS of n images (the reference's statistics are there)."""
    rng = torch.Generator().manual_seed(0)
    points, images = load("8gaussians"), load("mnist5k")
    a, b = points.held_out(n, rng), points.held_out(n, rng)
    yield _row(f"W1, {n} points a side", lambda: wasserstein1(a, b), repeats)
    metrics, fake = PointMetrics(points, rng, n, n_modes), points.held_out(max(n, n_modes), rng)
    yield _row(f"W1 of {n}, modes of {n_modes} points", lambda: metrics(fake), repeats)
    assert images.extractor is not None
    reference, generated = images.held_out(n, rng), images.sample(n, rng)
    image_metrics = ImageMetrics(reference, load_extractor(images.extractor), Sizes(n_fake=n))
    yield _row(f"FD(mnist-cnn) and IS, {n} images", lambda: image_metrics(generated), repeats)


def _row(name: str, task: Callable[[], object], repeats: int) -> Row:
    return Row(PART, name, "ms", estimate([1e3 * value for value in seconds(task, repeats)]))
