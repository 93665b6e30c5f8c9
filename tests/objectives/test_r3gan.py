"""R3GAN's loss and penalties against numpy."""

import numpy as np
import pytest
from torch import Tensor, nn

from lipbench.objectives import R3GAN, BadInput


class Cubic(nn.Module):
    """Σ xᵢ³/3, with gradient x²."""

    def forward(self, x: Tensor) -> Tensor:
        return (x**3).sum(1) / 3


def test_r3gan_adds_both_penalties(make_batch) -> None:
    batch = make_batch()
    at_real, at_fake = (np.mean(np.sum(x.numpy() ** 4, axis=1)) for x in (batch.real, batch.fake))
    assert at_real != pytest.approx(at_fake)
    expected = 0.5 * 3 * (at_real + at_fake)
    assert R3GAN(gamma=3).penalty(Cubic(), batch).item() == pytest.approx(expected, rel=1e-10)


def test_r3gan_pairs_logits_in_both_phases(make_batch) -> None:
    batch = make_batch()
    real, fake = ((x.numpy() ** 3).sum(1) / 3 for x in (batch.real, batch.fake))
    assert R3GAN().critic_loss(Cubic(), batch).item() == pytest.approx(np.log1p(np.exp(fake - real)).mean())
    assert R3GAN().generator_loss(Cubic(), batch).item() == pytest.approx(np.log1p(np.exp(real - fake)).mean())


def test_r3gan_asks_for_real_samples_in_the_generator_phase() -> None:
    assert R3GAN().relativistic


def test_r3gan_refuses_a_negative_gamma() -> None:
    with pytest.raises(BadInput, match="gamma"):
        R3GAN(gamma=-0.5)


def test_r3gan_skips_batch_norm() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    assert "batch norm" in str(R3GAN().skip_reason(critic, (3,)))
