"""R3GAN's objective: relativistic pairing with R1 and R2 (Huang et al. 2024). Its architecture is no part of it."""

from torch import Tensor, nn

from .base import Batch, Objective
from .checks import at_least_zero
from .penalties import zero_centred


class R3GAN(Objective):
    """E[softplus(f(G(z)) − f(x))] + ½γ·E[‖∇f(x)‖²] + ½γ·E[‖∇f(G(z))‖²] (Huang et al. 2024).

    Args:
        loss: see `Objective`.
        gamma: γ of both penalties, ≥ 0; the paper tunes it per data set.

    Raises:
        BadInput: for a negative γ.
    """

    name = "r3gan"
    reference = "Huang et al., The GAN is dead; long live the GAN! A Modern GAN Baseline, 2024, arXiv:2501.05441"

    def __init__(self, *, loss: str = "relativistic", gamma: float = 1.0) -> None:
        super().__init__(loss=loss)
        self.gamma = at_least_zero("gamma", gamma)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.gamma * (zero_centred(critic, batch.real) + zero_centred(critic, batch.fake))
