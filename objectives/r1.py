"""The zero-centred penalty at real samples, R1 (Mescheder et al. 2018)."""

from torch import Tensor, nn

from .base import Batch, Objective
from .checks import at_least_zero
from .penalties import zero_centred


class R1(Objective):
    """½γ·E[‖∇f(x)‖²] over real x (Mescheder et al. 2018, eq. 9).

    Args:
        loss: see `Objective`.
        gamma: γ, ≥ 0. The authors' code (LMescheder/GAN_stability) has reg_param = 10 without the ½: γ = 20 here.

    Raises:
        BadInput: for a negative γ.
    """

    name = "r1"
    reference = "Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018, arXiv:1801.04406"

    def __init__(self, *, loss: str = "non_saturating", gamma: float = 10.0) -> None:
        super().__init__(loss=loss)
        self.gamma = at_least_zero("gamma", gamma)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.gamma * zero_centred(critic, batch.real)
