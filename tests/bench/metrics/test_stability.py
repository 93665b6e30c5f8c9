"""Stability measures against numpy, scipy and closed forms; and that looking changes nothing."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch import Tensor, nn

from lipbench.bench.metrics import stability
from lipbench.models.dcgan import dcgan
from lipbench.models.mlp import mlp
from lipbench.objectives import SpectralNorm


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(before: dict[str, Tensor], module: nn.Module) -> bool:
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


class Linear(nn.Module):
    """a·x, of slope ‖a‖ everywhere."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.a


class Paraboloid(nn.Module):
    """½‖x‖², of slope ‖x‖ at x."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(dim=1) / 2


def test_critic_slopes_of_a_linear_critic_are_the_norm_of_its_weight() -> None:
    critic, x = Linear(torch.tensor([2.0, -3.0, 6.0])), torch.randn(40, 3, generator=rng())
    found = stability.critic_slopes(critic, x, 5 * x + 1, rng())
    assert set(found) == {f"slope_{p}_{q}" for p in ("real", "fake", "line") for q in ("mean", "sd", "max")}
    for place in ("real", "fake", "line"):
        assert found[f"slope_{place}_mean"] == pytest.approx(7, rel=1e-5)
        assert found[f"slope_{place}_max"] == pytest.approx(7, rel=1e-5)
        assert found[f"slope_{place}_sd"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shape", [(2,), (1, 3, 3)])
def test_critic_slopes_are_taken_at_reals_fakes_and_on_lines_between_pairs(shape: tuple[int, ...]) -> None:
    real, fake = torch.randn(50, *shape, generator=rng(1)), 3 + torch.randn(50, *shape, generator=rng(2))
    found = stability.critic_slopes(Paraboloid(), real, fake, rng(3))
    epsilon = torch.rand(50, *[1 for _ in shape], generator=rng(3)).numpy()
    line = epsilon * real.numpy() + (1 - epsilon) * fake.numpy()
    for place, x in (("real", real.numpy()), ("fake", fake.numpy()), ("line", line)):
        norms = np.linalg.norm(x.reshape(50, -1), axis=1)
        assert found[f"slope_{place}_mean"] == pytest.approx(norms.mean(), rel=1e-5)
        assert found[f"slope_{place}_sd"] == pytest.approx(norms.std(ddof=1), rel=1e-5)
        assert found[f"slope_{place}_max"] == pytest.approx(norms.max(), rel=1e-5)


def test_gradient_norm_is_taken_over_all_parameters() -> None:
    layer = nn.Linear(3, 2)
    assert stability.gradient_norm(layer) is None
    layer.weight.grad, layer.bias.grad = torch.full((2, 3), -2.0), torch.tensor([1.0, 0.0])
    assert stability.gradient_norm(layer) == pytest.approx(5)


def test_weight_norm_is_taken_over_all_parameters() -> None:
    network = mlp((2,), width=5, depth=2).critic
    flat = np.concatenate([p.detach().double().numpy().ravel() for p in network.parameters()])
    assert stability.weight_norm(network) == pytest.approx(np.linalg.norm(flat), rel=1e-5)


@pytest.mark.parametrize(
    ("critic", "shape"), [(mlp((2,), width=7).critic, (2,)), (dcgan((3, 8, 8), channels=4).critic, (3, 8, 8))]
)
def test_singular_values_equal_those_of_numpy(critic: nn.Module, shape: tuple[int, ...]) -> None:
    found = stability.singular_values(critic, torch.zeros(2, *shape))
    layers = {n: m for n, m in critic.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    assert found.keys() == layers.keys()
    for name, layer in layers.items():
        matrix = layer.weight.detach().numpy().reshape(len(layer.weight), -1)
        assert found[name] == pytest.approx(np.linalg.svd(matrix, compute_uv=False)[0], rel=1e-5)


def test_singular_values_are_those_of_the_weight_that_the_layer_uses() -> None:
    torch.manual_seed(0)  # fifteen power iterations leave some starts further off
    critic = SpectralNorm().prepare_critic(mlp((2,), width=16).critic)
    assert list(stability.singular_values(critic, torch.zeros(2, 2)).values()) == pytest.approx([1.0] * 4, abs=0.05)


def test_singular_values_of_a_weight_that_is_not_finite_are_nan() -> None:
    critic = mlp((2,), width=4, depth=1).critic
    first = next(m for m in critic.modules() if isinstance(m, nn.Linear))
    first.weight.data[0, 0] = math.inf
    nan, finite = stability.singular_values(critic, torch.zeros(2, 2)).values()
    assert math.isnan(nan)
    assert math.isfinite(finite)


def test_clipped_share_counts_weights_within_a_hundredth_of_the_bound_on_either_side() -> None:
    critic = nn.Linear(8, 1)
    c = 0.02
    weights = [c, -c, 0.991 * c, 0.989 * c, -0.995 * c, 0.0, 3 * c, -1.02 * c]
    critic.weight.data, critic.bias.data = torch.tensor([weights]), torch.tensor([1.005 * c])
    assert stability.clipped_share(critic, c) == pytest.approx(5 / 9)


def test_clipped_share_of_a_critic_that_was_never_clipped_is_small() -> None:
    """Most initial weights lie beyond ±c, not at it."""
    assert stability.clipped_share(mlp((2,), width=64).critic, 0.01) < 0.05


def test_clipped_share_leaves_out_what_is_not_trained() -> None:
    critic = nn.Linear(3, 1)
    critic.weight.data, critic.bias.data = torch.full((1, 3), 0.5), torch.zeros(1)
    critic.bias.requires_grad_(False)
    assert stability.clipped_share(critic, 0.5) == 1


def test_weight_histograms_count_every_weight_once_around_zero() -> None:
    critic = dcgan((1, 8, 8), channels=4).critic
    layers = {n: m for n, m in critic.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    found = stability.weight_histograms(critic, torch.zeros(2, 1, 8, 8), bins=9)
    assert found.keys() == layers.keys()
    for name, layer in layers.items():
        weights = layer.weight.detach().numpy().ravel()
        reach = np.abs(weights).max()
        counts, edges = np.histogram(weights, bins=9, range=(-reach, reach))
        assert sum(found[name]["counts"]) == weights.size
        assert found[name]["edges"] == pytest.approx(edges, abs=1e-6)
        assert np.abs(np.array(found[name]["counts"]) - counts).sum() <= 2  # a weight on an edge, in single precision


def test_weight_histograms_leave_out_what_is_not_finite_and_bear_zeros() -> None:
    broken, zeros = nn.Linear(2, 2), nn.Linear(2, 2)
    critic = nn.Sequential(broken, zeros)
    broken.weight.data[0, 0] = math.nan
    zeros.weight.data.zero_()
    found = stability.weight_histograms(critic, torch.zeros(2, 2), bins=3)
    assert list(found) == ["1"]
    assert found["1"]["counts"] == [0, 4, 0]


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_mean_distance_is_over_pairs_of_different_samples(shape: tuple[int, ...]) -> None:
    x = torch.randn(30, *shape, generator=rng())
    assert stability.mean_distance(x) == pytest.approx(pdist(x.numpy().reshape(30, -1)).mean(), rel=1e-5)


def test_evaluating_puts_each_mode_back_even_after_an_error() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    network[1].eval()
    modes = [m.training for m in network.modules()]
    with pytest.raises(ZeroDivisionError), stability.evaluating(network):
        assert not any(m.training for m in network.modules())
        raise ZeroDivisionError
    assert [m.training for m in network.modules()] == modes == [True, True, False, False, False]


@pytest.mark.parametrize(
    "critic",
    [
        SpectralNorm().prepare_critic(mlp((2,), width=8).critic),
        mlp((2,), width=8, critic_norm="batch").critic,
    ],
    ids=["power iteration", "running statistics"],
)
def test_stability_leaves_a_critic_in_training_as_it_was(critic: nn.Module) -> None:
    critic.train()
    critic(torch.randn(8, 2)).sum().backward()
    gradients = [p.grad.clone() for p in critic.parameters() if p.grad is not None]
    before, random, x = state_of(critic), torch.get_rng_state(), torch.randn(30, 2, generator=rng())
    looks: list[Any] = [
        stability.critic_slopes(critic, x, -x, rng()),
        stability.singular_values(critic, x),
        stability.weight_histograms(critic, x),
        stability.clipped_share(critic, 0.1),
        stability.weight_norm(critic),
        stability.gradient_norm(critic),
    ]
    assert all(look is not None for look in looks)
    assert same(before, critic)
    assert critic.training
    now = [p.grad for p in critic.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(gradients, now, strict=True))
    assert torch.equal(random, torch.get_rng_state())


class Halved(nn.Linear):
    """Uses half its weight."""

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.linear(input, self.weight / 2)


class Borrows(nn.Module):
    """Uses half the weight of a layer that it never calls."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.layer.weight / 2)


@pytest.mark.parametrize("own", [Halved(3, 4), Borrows(nn.Linear(3, 4))], ids=["own class", "gone around"])
def test_layers_that_do_not_use_their_weight_as_it_is_are_not_measured(own: nn.Module) -> None:
    torchs, normed = nn.Linear(4, 5), nn.utils.parametrizations.spectral_norm(nn.Linear(5, 2))
    critic, x = nn.Sequential(own, nn.LayerNorm(4), torchs, normed), torch.zeros(2, 3)
    assert set(stability.singular_values(critic, x)) == set(stability.weight_histograms(critic, x)) == {"2", "3"}
    assert stability.singular_values(critic, x)["2"] == pytest.approx(
        np.linalg.svd(torchs.weight.detach())[1].max(), rel=1e-5
    )
    assert stability.singular_values(own, x) == stability.weight_histograms(own, x) == {}
