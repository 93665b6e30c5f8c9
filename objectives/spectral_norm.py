"""SN-GAN's spectral normalisation of the critic (Miyato et al. 2018)."""

from torch import nn
from torch.nn.utils import parametrizations

from .base import Objective
from .checks import positive_integer
from .layers import SHAPES, WEIGHTED, contracts, is_sequence, leaves


class SpectralNorm(Objective):
    """W ← W/σ(W) in every layer of the critic, σ by power iteration, one a step (Miyato et al. 2018, eq. 8, alg. 1).

    For a convolution σ is that of the reshaped kernel, as in the paper, not the operator's norm. The layers' bounds
    multiply in a chain of layers with activations of slope ≤ 1; once another critic is prepared, no bound is claimed.

    Args:
        loss: see `Objective`; the paper trains with `non_saturating` and `hinge`.
        power_iterations: in each critic step, ≥ 1. More follow σ closer where weights move fast.

    Raises:
        BadInput: for a number of power iterations below 1.
    """

    name = "sn-gan"
    reference = "Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018, arXiv:1802.05957"
    lipschitz_bound: float | None = 1.0

    def __init__(self, *, loss: str = "hinge", power_iterations: int = 1) -> None:
        super().__init__(loss=loss)
        self.power_iterations = positive_integer("power_iterations", power_iterations)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        layers = leaves(critic)
        bounded = is_sequence(critic) and all(isinstance(x, (*WEIGHTED, *SHAPES)) or contracts(x) for x in layers)
        self.lipschitz_bound = type(self).lipschitz_bound if bounded else None
        for layer in critic.modules():
            if isinstance(layer, WEIGHTED):
                parametrizations.spectral_norm(layer, n_power_iterations=self.power_iterations)
        return critic
