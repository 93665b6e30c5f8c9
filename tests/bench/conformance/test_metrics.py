"""The kit of metrics: sound ones pass, each broken one fails its check alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric

from lipbench.bench.conformance.metrics import CHECKS, check_metric
from lipbench.bench.metrics.scores import FrechetDistance


class Apart(Metric):
    """Distance between the means of both sides: sound, and what the broken ones are made of."""

    higher_is_better: Any = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("real", [])
        self.add_state("fake", [])

    def update(self, samples: Tensor, real: bool) -> None:
        side: Any = self.real if real else self.fake
        side.append(samples.flatten(1))

    def sides(self) -> tuple[Tensor, Tensor]:
        real: Any = self.real
        fake: Any = self.fake
        return torch.cat(real).double(), torch.cat(fake).double()

    def compute(self) -> Any:
        real, fake = self.sides()
        return (real.mean(0) - fake.mean(0)).norm() + (real.std(0) - fake.std(0)).norm()


class Diversity(Apart):
    """Noise has more of it than reals, one sample repeated has less: a direction all the same."""

    higher_is_better = True

    def compute(self) -> Any:
        return {"all": torch.pdist(self.sides()[1]).mean(), "first": self.sides()[1][:, 0].std()}


class Pair(Apart):
    def compute(self) -> Any:
        return torch.zeros(2)


class Drawing(Apart):
    def compute(self) -> Any:
        torch.rand(1)
        return super().compute()


class Unrepeatable(Apart):
    calls = 0

    def compute(self) -> Any:
        type(self).calls += 1
        return super().compute() + 1e-3 * self.calls


class Upside(Apart):
    higher_is_better = True


class LastBatch(Apart):
    def update(self, samples: Tensor, real: bool) -> None:
        setattr(self, "real" if real else "fake", [samples.flatten(1)])


class FirstHalf(Apart):
    def sides(self) -> tuple[Tensor, Tensor]:
        return super().sides()[0], super().sides()[1][:100]


class Undirected(Upside):
    higher_is_better = None


BROKEN: dict[str, tuple[Callable[[], Metric], ...]] = {
    "numbers": (Pair,),
    "no global randomness": (Drawing,),
    "floor repeats": (Unrepeatable,),
    "direction": (Upside,),
    "all samples count": (LastBatch, FirstHalf),
}


@pytest.mark.parametrize("make", [Apart, Diversity, lambda: FrechetDistance(2), Undirected])
def test_sound_metrics_pass(make: Callable[[], Metric]) -> None:
    report = check_metric("sound", make)
    assert report.ok, str(report)


def test_every_check_has_a_broken_example() -> None:
    assert set(BROKEN) == {check.name for check in CHECKS}


@pytest.mark.parametrize(("check", "make"), [(check, make) for check, makes in BROKEN.items() for make in makes])
def test_broken_metrics_fail_their_check_alone(check: str, make: Callable[[], Metric]) -> None:
    report = check_metric("broken", make)
    assert [result.check for result in report.failures] == [check], str(report)
