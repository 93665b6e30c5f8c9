"""Instance noise: Gaussian noise on what the critic sees (Sønderby et al. 2017; Arjovsky and Bottou 2017)."""

import torch
from torch import Tensor

from .base import Batch, Objective
from .checks import above_zero, positive_integer


class InstanceNoise(Objective):
    """x ← x + σ(t)·ε, ε ~ N(0, I), on real and on generated samples (Sønderby et al. 2017, appendix).

    Both distributions then have a density, so that their divergence is finite and has a gradient
    (Arjovsky and Bottou 2017, section 3).

    Args:
        loss: see `Objective`.
        sigma: standard deviation σ(0) of the noise in units of the data, > 0.
        until: generator steps after which it is gone, σ(t) = σ(0)·max(0, 1 − t/until); None for constant noise.

    Raises:
        BadInput: for a σ that is not above zero, or an `until` that is not an integer above zero.
    """

    name = "instance-noise"
    reference = "Sønderby et al., Amortised MAP Inference for Image Super-resolution, 2017, arXiv:1610.04490"

    def __init__(self, *, loss: str = "non_saturating", sigma: float = 0.1, until: int | None = None) -> None:
        super().__init__(loss=loss)
        self.sigma = above_zero("sigma", sigma)
        self.until = until if until is None else positive_integer("until", until)
        # In an accelerated run the step lies on the device, and the larger of two numbers is chosen on the host.
        self.capturable = until is None

    def sigma_at(self, step: int) -> float:
        """σ after so many generator steps."""
        return self.sigma if self.until is None else self.sigma * max(0.0, 1 - step / self.until)

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        noise = torch.randn(x.shape, generator=batch.rng, device=x.device, dtype=x.dtype)
        return x + self.sigma_at(batch.step) * noise
