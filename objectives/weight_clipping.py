"""WGAN's weight clipping (Arjovsky et al. 2017)."""

from torch import nn

from .base import Objective
from .checks import above_zero


class WeightClipping(Objective):
    """w ← clip(w, −c, c) after each critic step, for every trainable parameter (Arjovsky et al. 2017, algorithm 1).

    Args:
        loss: see `Objective`.
        clip: the bound c of every weight and bias, > 0.

    Raises:
        BadInput: if `clip` is not above zero.
    """

    name = "wgan-clip"
    reference = "Arjovsky, Chintala, Bottou, Wasserstein GAN, 2017, arXiv:1701.07875"

    def __init__(self, *, loss: str = "wasserstein", clip: float = 0.01) -> None:
        super().__init__(loss=loss)
        self.clip = above_zero("clip", clip)

    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-self.clip, self.clip)
