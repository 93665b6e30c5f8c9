"""Weight normalisation against numpy's norms."""

import numpy as np
import pytest
import torch
from torch import nn

from lipbench.objectives import WeightNorm, critic_step


def critic() -> nn.Sequential:
    """[B, 2, 4, 4] → [B], with a transposed convolution, whose output channels are its second dimension."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.ConvTranspose2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 1)]
    return nn.Sequential(*layers, nn.Flatten(0)).double()


def test_weight_norm_leaves_the_function_as_it_was(make_batch) -> None:
    x = make_batch(7, (2, 4, 4)).real
    torch.testing.assert_close(WeightNorm().prepare_critic(critic())(x), critic()(x))


@pytest.mark.parametrize(("layer", "outputs", "rest"), [(0, 0, (1, 2, 3)), (2, 1, (0, 2, 3)), (5, 0, (1,))])
def test_weight_norm_is_gain_times_direction_per_output(layer: int, outputs: int, rest: tuple[int, ...]) -> None:
    prepared = critic()
    WeightNorm().prepare_critic(prepared)
    raw = f"{layer}.parametrizations.weight.original"
    gain, direction = prepared.get_parameter(raw + "0"), prepared.get_parameter(raw + "1")
    gain.data *= torch.linspace(0.5, 2, gain.numel(), dtype=torch.float64).reshape(gain.shape)
    direction.data *= 3
    assert gain.shape[outputs] == gain.numel() == direction.shape[outputs]
    v, g = direction.detach().numpy(), gain.detach().numpy()
    expected = g * v / np.sqrt((v**2).sum(axis=rest, keepdims=True))
    torch.testing.assert_close(prepared[layer].weight, torch.from_numpy(expected))


def test_weight_norm_trains_gains_and_directions(make_batch) -> None:
    prepared = WeightNorm().prepare_critic(critic())
    before = {name: p.detach().clone() for name, p in prepared.named_parameters()}
    assert sum("original" in name for name in before) == 6
    critic_step(WeightNorm(), prepared, make_batch(16, (2, 4, 4)), torch.optim.SGD(prepared.parameters(), lr=0.1))
    assert all(not torch.equal(before[name], p) for name, p in prepared.named_parameters())


def test_weight_norm_claims_no_bound() -> None:
    assert WeightNorm().lipschitz_bound is None
