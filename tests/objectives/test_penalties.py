"""Penalties on slopes against numpy, on a quadratic critic whose gradient is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives.penalties import one_sided, two_sided, zero_centred

A = torch.tensor([[0.5, -0.3, 0.1], [-0.3, 1.2, 0.4], [0.1, 0.4, -0.7]], dtype=torch.float64)
B = torch.tensor([0.3, -0.8, 0.2], dtype=torch.float64)
Penalty = Callable[..., Tensor]


class Quadratic(nn.Module):
    """½xᵀAx + bᵀx, with gradient Ax + b."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(A.clone()), nn.Parameter(B.clone())

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * torch.einsum("bi,ij,bj->b", x, self.a, x) + x @ self.b


def points() -> Tensor:
    return torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) + 0.2


def norms() -> np.ndarray:
    return np.linalg.norm(points().numpy() @ A.numpy() + B.numpy(), axis=1)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (two_sided, lambda s: np.mean((s - 0.9) ** 2)),
        (one_sided, lambda s: np.mean(np.maximum(s - 0.9, 0) ** 2)),
    ],
)
def test_penalties_with_a_target_equal_numpy(penalty: Penalty, expected: Callable[[np.ndarray], float]) -> None:
    assert (norms() > 0.9).any() and (norms() < 0.9).any()
    assert penalty(Quadratic(), points(), 0.9).item() == pytest.approx(expected(norms()), rel=1e-10)


def test_penalties_zero_centred_equals_numpy() -> None:
    assert zero_centred(Quadratic(), points()).item() == pytest.approx(0.5 * np.mean(norms() ** 2), rel=1e-10)


@pytest.mark.parametrize("penalty", [two_sided, one_sided, zero_centred])
def test_penalties_have_the_right_gradient_for_the_critic(penalty: Penalty) -> None:
    """Against central differences in one weight of b: the penalty differentiates through the slope."""
    critic, h = Quadratic(), 1e-6
    penalty(critic, points()).backward()
    values = []
    for sign in (1, -1):
        moved = Quadratic()
        moved.b.data[1] += sign * h
        values.append(penalty(moved, points()).item())
    assert critic.b.grad is not None
    assert critic.b.grad[1].item() == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-6)


def test_penalties_of_a_flat_critic_are_finite() -> None:
    """Also their gradients, where the norm of a zero gradient has none."""
    critic = Quadratic()
    for parameter in critic.parameters():
        parameter.data.zero_()
    total = two_sided(critic, points()) + one_sided(critic, points()) + zero_centred(critic, points())
    total.backward()
    assert total.item() == pytest.approx(1.0)
    assert critic.a.grad is not None and critic.b.grad is not None
    assert critic.a.grad.isfinite().all() and critic.b.grad.isfinite().all()
