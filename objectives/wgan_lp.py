"""WGAN-LP's one-sided penalty (Petzka et al. 2018)."""

from torch import Tensor, nn

from .base import Batch, Objective
from .checks import at_least_zero, choice
from .penalties import one_sided
from .slopes import POINTS


class LipschitzPenalty(Objective):
    """λ·E[max(0, ‖∇f(x̂)‖₂ − 1)²]: only slopes above 1 are penalised (Petzka et al. 2018, eq. 8).

    Args:
        loss: see `Objective`.
        weight: λ, ≥ 0; the paper's toys have 5.
        at: where the slope is measured, one of `lipbench.objectives.slopes.POINTS`.

    Raises:
        BadInput: for a negative weight or unknown points.
    """

    name = "wgan-lp"
    reference = "Petzka, Fischer, Lukovnikov, On the Regularization of Wasserstein GANs, 2018, arXiv:1709.08894"

    def __init__(self, *, loss: str = "wasserstein", weight: float = 10.0, at: str = "line") -> None:
        super().__init__(loss=loss)
        self.at = choice("points (at)", at, POINTS)
        self.weight = at_least_zero("weight", weight)
        self.capturable = at != "ot_line"

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.weight * one_sided(critic, POINTS[self.at](batch))
