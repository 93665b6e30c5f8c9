"""R2 against numpy on a critic whose gradient is known."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import R2, BadInput


class Cubic(nn.Module):
    """Σ xᵢ³/3, with gradient x²."""

    def forward(self, x: Tensor) -> Tensor:
        return (x**3).sum(1) / 3


def test_r2_is_half_gamma_times_the_mean_squared_slope_at_generated_samples(make_batch) -> None:
    batch = make_batch()
    expected = 0.5 * 6 * np.mean(np.sum(batch.fake.numpy() ** 4, axis=1))
    assert R2(gamma=6).penalty(Cubic(), batch).item() == pytest.approx(expected, rel=1e-10)


def test_r2_ignores_the_other_samples(make_batch) -> None:
    batch = make_batch()
    before = R2().penalty(Cubic(), batch).item()
    batch.real = batch.real + 5
    assert R2().penalty(Cubic(), batch).item() == before


def test_r2_of_images_sums_over_all_pixels(make_batch) -> None:
    batch = make_batch(8, (2, 4, 4))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(32, 1), nn.Flatten(0)).double()
    expected = 0.5 * 10 * critic[1].get_parameter("weight").square().sum()
    torch.testing.assert_close(R2().penalty(critic, batch), expected)


def test_r2_trains_the_non_saturating_game() -> None:
    assert R2().loss.name == "non_saturating"


@pytest.mark.parametrize("gamma", [-1.0, float("nan")])
def test_r2_refuses_senseless_arguments(gamma: float) -> None:
    with pytest.raises(BadInput, match="gamma"):
        R2(gamma=gamma)


def test_r2_skips_batch_norm() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    assert "batch norm" in str(R2().skip_reason(critic, (3,)))
