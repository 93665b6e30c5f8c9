"""WGAN-GP's gradient penalty (Gulrajani et al. 2017), at a choice of points, one- or two-sided."""

from torch import Tensor, nn

from . import penalties
from .base import Batch, Objective
from .checks import above_zero, at_least_zero, choice
from .slopes import POINTS


class GradientPenalty(Objective):
    """λ·E[(‖∇f(x̂)‖₂ − K)²] with x̂ on lines between random real and fake samples (Gulrajani et al. 2017, eq. 3).

    Args:
        loss: see `Objective`.
        weight: λ, ≥ 0.
        at: where the slope is measured, one of `lipbench.objectives.slopes.POINTS`.
        one_sided: penalise only slopes above the target: λ·E[max(0, ‖∇f‖ − K)²] (Petzka et al. 2018, eq. 8).
        target: the slope K, > 0.

    Raises:
        BadInput: for a negative weight, a target that is not above zero, or unknown points.
    """

    name = "wgan-gp"
    reference = "Gulrajani et al., Improved Training of Wasserstein GANs, 2017, arXiv:1704.00028"

    def __init__(
        self,
        *,
        loss: str = "wasserstein",
        weight: float = 10.0,
        at: str = "line",
        one_sided: bool = False,
        target: float = 1.0,
    ) -> None:
        super().__init__(loss=loss)
        self.at, self.one_sided = choice("points (at)", at, POINTS), one_sided
        self.weight = at_least_zero("weight", weight)
        self.target = above_zero("target", target)
        self.capturable = at != "ot_line"

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        penalise = penalties.one_sided if self.one_sided else penalties.two_sided
        return self.weight * penalise(critic, POINTS[self.at](batch), self.target)
