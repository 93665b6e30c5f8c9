"""Weight normalisation of the critic (Salimans and Kingma 2016)."""

from torch import nn
from torch.nn.utils import parametrizations

from .base import Objective
from .layers import weighted


class WeightNorm(Objective):
    """w = g·v/‖v‖ for each output unit of each layer, g and v trained (Salimans and Kingma 2016, eq. 2).

    It changes the path of the optimiser, not the set of functions, so it bounds no slope.

    Args:
        loss: see `Objective`.
    """

    name = "weight-norm"
    reference = "Salimans, Kingma, Weight Normalization, 2016, arXiv:1602.07868"

    def __init__(self, *, loss: str = "non_saturating") -> None:
        super().__init__(loss=loss)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for layer in weighted(critic).values():
            # A transposed convolution keeps its output channels in dimension 1 of the weight.
            parametrizations.weight_norm(layer, dim=int(getattr(layer, "transposed", False)))
        return critic
