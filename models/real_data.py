"""Where an iteration's real samples come from, and what it does to them before the critic sees them."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class RealData(Protocol):
    """Where real samples come from."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """[n, …] real samples, drawn with the stream, on its device."""
        ...


@runtime_checkable
class LabelledData(RealData, Protocol):
    """Where real samples and their labels come from, for conditional networks."""

    def labelled(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The samples that `sample` gives, and their labels [n] int64."""
        ...

    def draw_labels(self, n: int, rng: torch.Generator) -> Tensor:
        """n labels [n] int64, as frequent as in the data."""
        ...


def dequantised(images: Tensor, rng: torch.Generator) -> Tensor:
    """Images x/127.5 − 1 of levels x = 0 … 255 as x/128 − 1 + u, u ~ U(0, 1/128): spread evenly over [−1, 1)."""
    noise = torch.rand(images.shape, generator=rng, device=images.device, dtype=images.dtype)
    return (images + 1) * (127.5 / 128) - 1 + noise / 128
