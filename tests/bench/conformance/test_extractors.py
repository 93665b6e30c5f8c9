"""The kit of extractors: ours and a sound one pass, each broken one fails its check alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.conformance.extractors import CHECKS, check_extractor
from lipbench.bench.metrics.catalog import load_extractor


class Sound(nn.Module):
    """Batch norm and dropout, both off in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        nn.init.constant_(self.first.weight, 0.1)

    def forward(self, images: Tensor) -> Any:
        found = nn.functional.dropout(self.norm(self.first(images)), training=self.training)
        return found.flatten(2).mean(dim=2), found.amax(dim=(2, 3))


class Flat(Sound):
    def forward(self, images: Tensor) -> Any:
        return images.flatten()


class Unseeded(Sound):
    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator()
        rng.seed()
        self.register_buffer("draw", torch.randn(3, generator=rng))


class Counting(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images: Tensor) -> Any:
        self.calls: Any = self.calls + 1
        return super().forward(images)


class Dropping(Sound):
    def forward(self, images: Tensor) -> Any:
        return nn.functional.dropout(super().forward(images)[0], training=True)


class Centring(Sound):
    def forward(self, images: Tensor) -> Any:
        found = super().forward(images)[0]
        return found - found.mean(dim=0)


BROKEN: dict[str, Callable[[], nn.Module]] = {
    "shapes": Flat,
    "same weights": Unseeded,
    "eval changes nothing": Counting,
    "deterministic": Dropping,
    "images apart": Centring,
}


@pytest.mark.parametrize("make", [Sound, lambda: load_extractor("mnist-cnn").network], ids=["sound", "mnist-cnn"])
def test_sound_extractors_pass(make: Callable[[], nn.Module]) -> None:
    report = check_extractor("sound", make)
    assert report.ok, str(report)


def test_every_check_has_a_broken_example() -> None:
    assert set(BROKEN) == {check.name for check in CHECKS}


@pytest.mark.parametrize("check", BROKEN)
def test_broken_extractors_fail_their_check_alone(check: str) -> None:
    report = check_extractor("broken", BROKEN[check])
    assert [result.check for result in report.failures] == [check], str(report)
