"""The zero-centred gradient penalty on lines, as a plug-in package ships it."""

from torch import Tensor, nn

from lipbench.objectives import Batch, Objective
from lipbench.objectives.slopes import line, slopes


class ZeroCentredPenalty(Objective):
    """λ·E‖∇D(x̂)‖² on lines between random real and fake samples (Thanh-Tung et al. 2019, eq. 6).

    Args:
        loss: see `Objective`.
        weight: λ.
    """

    name = "zero-gp"
    reference = "Thanh-Tung et al., Improving Generalization and Stability of GANs, 2019, arXiv:1902.03984"

    def __init__(self, *, loss: str = "non_saturating", weight: float = 1.0) -> None:
        super().__init__(loss=loss)
        self.weight = weight

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        """The mean squared slope, weighted."""
        return self.weight * slopes(critic, line(batch)).square().mean()
