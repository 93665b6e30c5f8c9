"""WGAN-LP against closed forms on a linear critic, whose slope is the same everywhere."""

import pytest
import torch
from torch import nn

from lipbench.objectives import BadInput, GradientPenalty, LipschitzPenalty
from lipbench.objectives.slopes import POINTS


def linear(*weights: float) -> nn.Sequential:
    layer = nn.Linear(len(weights), 1).double()
    layer.weight.data = torch.tensor([weights], dtype=torch.float64)
    return nn.Sequential(layer, nn.Flatten(0))


@pytest.mark.parametrize("at", list(POINTS))
def test_wgan_lp_penalises_the_excess_over_one(at: str, make_batch) -> None:
    penalty = LipschitzPenalty(weight=5, at=at).penalty(linear(2.0, -3.0, 6.0), make_batch())
    assert penalty.item() == pytest.approx(5 * (7 - 1) ** 2)


def test_wgan_lp_leaves_gentle_slopes_alone(make_batch) -> None:
    critic = linear(0.3, 0.0, -0.4)
    penalty = LipschitzPenalty().penalty(critic, make_batch())
    penalty.backward()
    assert penalty.item() == 0.0
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in critic.parameters())
    assert GradientPenalty().penalty(critic, make_batch()).item() == pytest.approx(10 * 0.25)


@pytest.mark.parametrize("at", list(POINTS))
def test_wgan_lp_is_the_one_sided_gradient_penalty(at: str, make_batch, make_critic) -> None:
    critic = make_critic()
    critic[0].weight.data *= 20
    ours = LipschitzPenalty(weight=3, at=at).penalty(critic, make_batch(seed=2))
    theirs = GradientPenalty(weight=3, at=at, one_sided=True).penalty(critic, make_batch(seed=2))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    assert ours.item() > 0


@pytest.mark.parametrize("arguments", [{"weight": -1.0}, {"weight": float("nan")}, {"at": "lines"}, {"loss": "l2"}])
def test_wgan_lp_refuses_senseless_arguments(arguments: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        LipschitzPenalty(**arguments)  # pyright: ignore[reportArgumentType]


def test_wgan_lp_skips_batch_norm() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    assert "batch norm" in str(LipschitzPenalty().skip_reason(critic, (3,)))
    assert LipschitzPenalty().skip_reason(linear(1.0, 2.0), (2,)) is None


def test_wgan_lp_is_capturable_unless_it_solves_a_transport_on_the_host() -> None:
    assert LipschitzPenalty().capturable
    assert not LipschitzPenalty(at="ot_line").capturable
