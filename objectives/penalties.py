"""Penalties on a critic's slopes ‖∇f(x)‖ as pure functions; each returns an unweighted scalar."""

from torch import Tensor, nn

from .slopes import slopes


def two_sided(critic: nn.Module, x: Tensor, target: float = 1.0) -> Tensor:
    """E[(‖∇f(x)‖ − K)²] over samples x [B, …] (Gulrajani et al. 2017, eq. 3)."""
    return (slopes(critic, x) - target).square().mean()


def one_sided(critic: nn.Module, x: Tensor, target: float = 1.0) -> Tensor:
    """E[max(0, ‖∇f(x)‖ − K)²] over samples x [B, …] (Petzka et al. 2018, eq. 8)."""
    return (slopes(critic, x) - target).clamp(min=0).square().mean()


def zero_centred(critic: nn.Module, x: Tensor) -> Tensor:
    """½E[‖∇f(x)‖²] over samples x [B, …] (Mescheder et al. 2018, eq. 9 and 10, without γ)."""
    return 0.5 * slopes(critic, x).square().mean()
