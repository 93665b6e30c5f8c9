"""LSGAN's two losses against numpy."""

import numpy as np
import pytest
from torch import Tensor, nn

from lipbench.objectives import LeastSquares


class Total(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1)


def test_least_squares_critic_pulls_real_to_one_and_fake_to_zero(make_batch) -> None:
    batch = make_batch()
    real, fake = (x.numpy().sum(1) for x in (batch.real, batch.fake))
    expected = 0.5 * np.mean((real - 1) ** 2) + 0.5 * np.mean(fake**2)
    assert LeastSquares().critic_loss(Total(), batch).item() == pytest.approx(expected, rel=1e-10)


def test_least_squares_generator_pulls_fake_to_one(make_batch) -> None:
    batch = make_batch()
    expected = 0.5 * np.mean((batch.fake.numpy().sum(1) - 1) ** 2)
    assert LeastSquares().generator_loss(Total(), batch).item() == pytest.approx(expected, rel=1e-10)


def test_least_squares_has_neither_penalty_nor_bound(make_batch) -> None:
    assert LeastSquares().penalty(Total(), make_batch()) is None
    assert LeastSquares().lipschitz_bound is None
