"""Energy distance: a metric is a torchmetrics.Metric whose `update` is told whether its samples are real."""

import torch
from torch import Tensor
from torchmetrics import Metric


class EnergyDistance(Metric):
    """2 E|X - Y|^p - E|X - X'|^p - E|Y - Y'|^p of samples as vectors (Székely and Rizzo 2013)."""

    higher_is_better = False

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.power = power
        self.add_state("real", [])
        self.add_state("fake", [])

    def update(self, samples: Tensor, real: bool) -> None:
        getattr(self, "real" if real else "fake").append(samples.flatten(1))

    def compute(self) -> Tensor:
        x, y = (torch.cat(getattr(self, side)) for side in ("real", "fake"))
        between, first, second = (torch.cdist(a, b).pow(self.power).mean() for a, b in ((x, y), (x, x), (y, y)))
        return 2 * between - first - second
