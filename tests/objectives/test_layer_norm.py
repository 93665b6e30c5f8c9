"""The layer-normalised critic against numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from lipbench.objectives import LayerNorm


def convolutional_critic() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1)]
    return nn.Sequential(*layers, nn.Flatten(0)).double()


def normalised(h: np.ndarray) -> np.ndarray:
    """Each sample to mean 0 and variance 1 over all its features, ε = 1e-5 as torch has it."""
    flat = h.reshape(len(h), -1)
    flat = (flat - flat.mean(1, keepdims=True)) / np.sqrt(flat.var(1, keepdims=True) + 1e-5)
    return flat.reshape(h.shape)


def test_layer_norm_equals_numpy_before_training(make_batch) -> None:
    x, plain = make_batch(6, (2, 4, 4)).real, convolutional_critic()
    h = normalised(plain[0](x).detach().numpy())
    h = normalised(plain[3](plain[2](plain[1](torch.from_numpy(h)))).detach().numpy())
    expected = plain[5](plain[4](torch.from_numpy(h))).squeeze(1)
    torch.testing.assert_close(LayerNorm().prepare_critic(convolutional_critic())(x), expected)


def test_layer_norm_gives_each_channel_a_gain() -> None:
    norms = [m for m in LayerNorm().prepare_critic(convolutional_critic()).modules() if hasattr(m, "eps")]
    assert [(type(m), tuple(m.get_parameter("weight").shape), m.get_parameter("weight").dtype) for m in norms] == [
        (nn.GroupNorm, (3,), torch.float64),
        (nn.LayerNorm, (5,), torch.float64),
    ]


def test_layer_norm_does_not_mix_samples(make_batch) -> None:
    critic, x = LayerNorm().prepare_critic(convolutional_critic()), make_batch(6, (2, 4, 4)).real
    torch.testing.assert_close(critic(x)[:2], critic(x[:2]), rtol=1e-12, atol=0)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4)])
def test_layer_norm_skips_critics_that_have_a_norm(norm: nn.Module) -> None:
    critic = nn.Sequential(nn.Linear(3, 4), norm, nn.ReLU(), nn.Linear(4, 1), nn.Flatten(0))
    assert LayerNorm().skip_reason(critic, (3,)) == f"the critic already has {type(norm).__name__}"


def test_layer_norm_skips_critics_without_a_hidden_layer() -> None:
    assert LayerNorm().skip_reason(nn.Sequential(nn.Linear(3, 1)), (3,)) == "the critic has no hidden layer"
    assert LayerNorm().skip_reason(convolutional_critic(), (2, 4, 4)) is None
