"""The image metrics in one collection against torchmetrics' own classes, and where these would be wrong."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from lipbench.bench.metrics.features import coverage, fit, frechet_distance, inception_score, radii
from lipbench.bench.metrics.scores import FrechetDistance, GivenFeatures, HeldFeatures, SplitScore

ALL = ("kid", "precision", "recall")


def features(n: int, dim: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (torch.randn(n, dim, generator=rng) @ torch.randn(dim, dim, generator=rng) / dim**0.5).exp()


def collection(dim: int, held: int = 10_000, size: int = 100) -> MetricCollection:
    metrics: dict[str, Metric | MetricCollection] = {
        "fd": FrechetDistance(dim),
        "held": HeldFeatures(ALL, held, 10, size),
        "is": SplitScore(3),
    }
    return MetricCollection(metrics, compute_groups=False)


def fed(metrics: MetricCollection, real: Tensor, fake: Tensor, part: int = 100) -> dict[str, Tensor]:
    """Both in parts; the logits are the features."""
    for side, of_reals in ((real, True), (fake, False)):
        for chunk in side.split(part):
            metrics.update(features=chunk, logits=chunk, real=of_reals)
    return metrics.compute()


@pytest.mark.parametrize(("dim", "n"), [(64, 400), (180, 400)])
def test_scores_are_torchmetrics_where_those_are_exact(dim: int, n: int):
    """More samples than features, logits in doubles, and a part of the score for each chunk."""
    real, fake = features(n, dim, 1), features(n - 100, dim, 2)
    found = fed(collection(dim, size=n - 100), real, fake)
    theirs = FrechetInceptionDistance(GivenFeatures(dim)).set_dtype(torch.float64)
    theirs.update(real.double(), real=True)
    theirs.update(fake.double(), real=False)
    assert float(found["fd"]) == pytest.approx(float(theirs.compute()), rel=1e-6)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)
        score = InceptionScore(nn.Identity(), splits=3)
        kernel = KernelInceptionDistance(GivenFeatures(dim), subsets=10, subset_size=n - 100)
        score.update(fake.double())
        torch.default_generator.manual_seed(0)  # the order that ours has
        assert float(found["is"]) == pytest.approx(float(score.compute()[0]), rel=1e-6)
        kernel.update(real.double(), real=True)
        kernel.update(fake.double(), real=False)
        mean, sd = (float(value) for value in kernel.compute())
    assert abs(float(found["kid"]) - mean) < 4 * sd  # of other subsets of the reals


def test_scores_are_the_formulas():
    real, fake = features(300, 20, 3), features(250, 20, 4)
    found = fed(collection(20), real, fake, part=1000)
    assert float(found["fd"]) == frechet_distance(fit(real), fit(fake))
    assert float(found["precision"]) == coverage(fake, real, radii(real))
    assert float(found["recall"]) == coverage(real, fake, radii(fake))
    assert float(found["is"]) == inception_score(fake, 3)


def test_frechet_distance_of_fewer_samples_than_features_is_exact():
    """Of disjoint sets of axes, each twice: |μ₁ - μ₂|² + tr S₁ + tr S₂, since the covariances do not meet."""
    real, fake = (torch.cat([block, -block]).double() for block in (torch.eye(8)[:3], 2 * torch.eye(8)[3:6]))
    expected = (real.square().sum() + fake.square().sum()) / 5
    assert float(fed(collection(8), real, fake)["fd"]) == pytest.approx(float(expected), rel=1e-12)


def test_score_of_underflowing_classes_is_one():
    logits = torch.eye(10)[torch.zeros(60, dtype=torch.long)] * 2000
    score = SplitScore(1)
    score.update(logits, real=False)
    assert float(score.compute()) == 1.0
    score.update(torch.randn(50, 10, generator=torch.Generator().manual_seed(0)), real=True)
    assert float(score.compute()) == 1.0  # reals do not count


def test_scores_draw_nothing_and_are_the_same_in_any_chunks():
    real, fake = features(300, 20, 5), features(230, 20, 6)
    before = torch.get_rng_state()
    one, other = (fed(collection(20, held=150), real, fake, part) for part in (1000, 70))
    assert torch.equal(torch.get_rng_state(), before)
    for name in one:
        assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-9)
    alone = fed(collection(20), real[:150], fake[:150])
    assert {name: float(one[name]) for name in ALL} == {name: float(alone[name]) for name in ALL}


def test_reference_states_stand_for_the_reals():
    """A metric that is given them goes on as the one that saw the reals."""
    real, fake = features(120, 30, 7), features(110, 30, 8)
    makers: list[Callable[[], FrechetDistance | HeldFeatures]] = [
        lambda: FrechetDistance(30),
        lambda: HeldFeatures(ALL, 100, 10, 50),
    ]
    for make in makers:
        seen, given = make(), make()
        seen.update(real, real=True)
        for name, value in seen.reference().items():
            setattr(given, name, [value] if isinstance(getattr(given, name), list) else value)
        seen.update(fake, real=False)
        given.update(fake, real=False)
        assert str(seen.compute()) == str(given.compute())
