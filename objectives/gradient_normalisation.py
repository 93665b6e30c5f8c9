"""GN-GAN's gradient normalisation of the critic (Wu et al. 2021)."""

import torch
from torch import Tensor, nn

from .base import Objective, mixes_samples
from .layers import BENDS, SHAPES, WEIGHTED, leaves


class GradientNormalisation(Objective):
    """f̂(x) = f(x)/(‖∇f(x)‖ + |f(x)|), within [−1, 1] (Wu et al. 2021).

    For a piecewise linear f, as with (leaky) ReLU, ‖∇f̂(x)‖ = (‖∇f‖/(‖∇f‖ + |f|))² ≤ 1. That bounds the gradient alone:
    f̂ jumps where ∇f does. With any other layer in the critic no bound is claimed once it is prepared.

    Args:
        loss: see `Objective`; the paper trains ResNets with `hinge`.
    """

    name = "gn-gan"
    reference = "Wu et al., Gradient Normalization for Generative Adversarial Networks, 2021, arXiv:2109.02235"
    lipschitz_bound: float | None = 1.0

    def __init__(self, *, loss: str = "hinge") -> None:
        super().__init__(loss=loss)

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        return mixes_samples(critic)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        bounded = all(isinstance(layer, (*WEIGHTED, *BENDS, *SHAPES)) for layer in leaves(critic))
        self.lipschitz_bound = type(self).lipschitz_bound if bounded else None
        return GradientNormalised(critic)


class GradientNormalised(nn.Module):
    """The critic f̂ made of a critic f; NaN where f and its gradient are both exactly zero."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        training = torch.is_grad_enabled()
        x = x.to(next(self.critic.parameters()).dtype)
        # Evaluations come here without gradients, yet f̂ needs one; and as with penalties, not in half precision.
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
            x = x.clone().requires_grad_(True)
            f = self.critic(x)
            (gradient,) = torch.autograd.grad(f.sum(), x, create_graph=training)
            normalised = f / (gradient.flatten(1).norm(dim=1) + f.abs())
        return normalised if training else normalised.detach()
