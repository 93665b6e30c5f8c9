"""DRAGAN's penalty around the data (Kodali et al. 2017)."""

from torch import Tensor, nn

from .base import Batch, Objective
from .checks import above_zero, at_least_zero
from .penalties import two_sided
from .slopes import POINTS


class DRAGAN(Objective):
    """λ·E[(‖∇f(x + δ)‖₂ − k)²], slopes near real samples only (Kodali et al. 2017).

    f is the logit and δ = α·½·sd(x)·u, as in the authors' code (see `slopes.noise`); the paper has δ ~ N(0, cI).

    Args:
        loss: see `Objective`.
        weight: λ, ≥ 0.
        target: the slope k, > 0.

    Raises:
        BadInput: for a negative weight or a target that is not above zero.
    """

    name = "dragan"
    reference = "Kodali et al., On Convergence and Stability of GANs, 2017, arXiv:1705.07215"

    def __init__(self, *, loss: str = "non_saturating", weight: float = 10.0, target: float = 1.0) -> None:
        super().__init__(loss=loss)
        self.weight = at_least_zero("weight", weight)
        self.target = above_zero("target", target)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.weight * two_sided(critic, POINTS["noise"](batch), self.target)
