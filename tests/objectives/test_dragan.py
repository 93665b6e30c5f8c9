"""DRAGAN against numpy at points recorded from the critic."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import DRAGAN, BadInput
from lipbench.objectives.slopes import POINTS


class Cubic(nn.Module):
    """Σ xᵢ³/3, with gradient x², which remembers its input."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x.detach().clone()
        return (x**3).sum(1) / 3


def test_dragan_equals_numpy_at_the_points_it_visits(make_batch) -> None:
    critic = Cubic()
    penalty = DRAGAN(weight=4, target=0.7).penalty(critic, make_batch())
    slopes = np.linalg.norm(critic.seen.numpy() ** 2, axis=1)
    assert penalty.item() == pytest.approx(4 * np.mean((slopes - 0.7) ** 2), rel=1e-10)


def test_dragan_visits_the_neighbourhood_of_real_samples(make_batch) -> None:
    critic, batch = Cubic(), make_batch(4000)
    DRAGAN().penalty(critic, batch)
    shift = (critic.seen - batch.real) / batch.real.std()
    assert shift.min() >= 0 and shift.max() <= 0.5
    assert shift.mean().item() == pytest.approx(0.125, abs=0.005)  # ½·E[α]·E[u]
    assert shift.std(dim=1).min() > 0, "one number per sample instead of one per coordinate"


def test_dragan_takes_the_sd_of_numpy(make_batch) -> None:
    """Its divisor is n: 6 % less than with n − 1 for two samples in a space of four dimensions."""
    rng = torch.Generator().manual_seed(9)
    real = torch.tensor([[3.0, -1.0, 0.5, 2.0], [1.0, 4.0, -2.0, 0.0]], dtype=torch.float64)
    found = POINTS["noise"](replace(make_batch(2), real=real, rng=rng)) - real
    again = torch.Generator().manual_seed(9)
    u = torch.rand(2, 4, generator=again, dtype=torch.float64)
    alpha = torch.rand(2, 1, generator=again, dtype=torch.float64)
    assert found.numpy() == pytest.approx((alpha * 0.5 * float(np.std(real.numpy())) * u).numpy(), rel=1e-12)


def test_dragan_draws_from_the_batch_stream_alone(make_batch, make_critic) -> None:
    critic = make_critic()
    torch.manual_seed(0)
    first = DRAGAN().penalty(critic, make_batch(seed=5)).item()
    torch.manual_seed(1)
    assert DRAGAN().penalty(critic, make_batch(seed=5)).item() == first


def test_dragan_trains_the_non_saturating_game() -> None:
    assert DRAGAN().loss.name == "non_saturating"


@pytest.mark.parametrize("arguments", [{"weight": -0.1}, {"target": 0.0}, {"target": -1.0}])
def test_dragan_refuses_senseless_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        DRAGAN(**arguments)  # pyright: ignore[reportArgumentType]


def test_dragan_skips_batch_norm() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    assert "batch norm" in str(DRAGAN().skip_reason(critic, (3,)))
