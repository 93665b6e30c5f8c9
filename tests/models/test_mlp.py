"""The multi-layer perceptrons: shapes, initial weights, latents, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lipbench.models import draw_latent
from lipbench.models.mlp import mlp, perceptron
from lipbench.models.networks import ACTIVATIONS
from lipbench.objectives import BadInput


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [m for m in network.modules() if isinstance(m, nn.Linear)]


@pytest.mark.parametrize(("shape", "latent_dim"), [((2,), 5), ((7,), 1), ((3, 8, 8), 4)])
def test_mlp_maps_latents_to_samples_and_samples_to_logits(shape: tuple[int, ...], latent_dim: int) -> None:
    networks = mlp(shape, width=6, depth=3, latent_dim=latent_dim)
    samples = networks.generator(torch.randn(9, latent_dim))
    assert samples.shape == (9, *shape)
    assert networks.critic(samples).shape == (9,)


def test_mlp_has_the_layers_it_was_asked_for() -> None:
    networks = mlp((2,), width=6, depth=3, latent_dim=5)
    assert [(m.in_features, m.out_features) for m in linear_layers(networks.generator)] == [
        (5, 6), (6, 6), (6, 6), (6, 2),
    ]  # fmt: skip
    assert [(m.in_features, m.out_features) for m in linear_layers(networks.critic)] == [(2, 6), (6, 6), (6, 6), (6, 1)]


@pytest.mark.parametrize(
    ("activation", "sd"), [("relu", math.sqrt(2 / 300)), ("tanh", math.sqrt(2 / 600)), ("maxmin", math.sqrt(2 / 600))]
)
def test_mlp_weights_start_kaiming_or_glorot_and_biases_at_zero(activation: str, sd: float) -> None:
    """Kaiming 2015: sd = √(2/fan_in) for ReLU; Glorot 2010: sd = √(2/(fan_in + fan_out)); both on a 300 × 300 layer."""
    torch.manual_seed(0)
    layer = linear_layers(mlp((2,), width=300, depth=2, activation=activation).critic)[1]
    weights = layer.weight.detach().flatten().numpy()
    assert weights.std() == pytest.approx(sd, rel=0.02)
    assert stats.kstest(weights[:2000] / sd, "norm").pvalue > 1e-3
    assert all(not m.bias.any() for m in linear_layers(mlp((2,), activation=activation).generator))


def test_mlp_images_lie_between_minus_one_and_one_and_points_anywhere() -> None:
    far = 100 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    image = mlp((1, 8, 8), width=16).generator(far)
    assert image.abs().max() <= 1
    assert image.abs().max() > 0.9
    assert mlp((2,), width=16).generator(far).abs().max() > 1


@pytest.mark.parametrize(("kind", "layer"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_mlp_norms_stand_where_they_were_asked_for(kind: str, layer: type[nn.Module]) -> None:
    def count(network: nn.Module) -> int:
        return sum(isinstance(m, layer) for m in network.modules())

    only_generator = mlp((2,), width=6, depth=3, norm=kind)
    assert (count(only_generator.generator), count(only_generator.critic)) == (3, 0)
    only_critic = mlp((2,), width=6, depth=3, critic_norm=kind)
    assert (count(only_critic.generator), count(only_critic.critic)) == (0, 3)


def test_mlp_offset_shifts_the_points_along_the_first_axis_and_nothing_else() -> None:
    torch.manual_seed(0)
    plain = mlp((2,), width=16)
    torch.manual_seed(0)
    shifted, latent = mlp((2,), width=16, offset=3.0), torch.randn(6, 2)
    moved = shifted.generator(latent) - plain.generator(latent)
    torch.testing.assert_close(moved, torch.tensor([3.0, 0.0]).expand(6, 2), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shifted.critic(latent), plain.critic(latent), rtol=0, atol=0)
    with pytest.raises(BadInput, match="only points can be shifted"):
        mlp((1, 8, 8), offset=3.0)


def test_mlp_critic_without_norm_treats_each_sample_by_itself() -> None:
    critic, x = mlp((2,), width=16).critic, torch.randn(8, 2)
    changed = x.clone()
    changed[1:] += 5
    torch.testing.assert_close(critic(changed)[0], critic(x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_takes_every_activation(activation: str) -> None:
    networks = mlp((2,), width=6, activation=activation)
    assert networks.critic(networks.generator(torch.randn(4, 2))).isfinite().all()


@pytest.mark.parametrize(("latent", "law"), [("normal", "norm"), ("uniform", stats.uniform(-1, 2).cdf)])
def test_draw_latent_follows_the_law(latent: str, law: object) -> None:
    drawn = draw_latent(mlp((2,), latent_dim=3, latent=latent), 4000, torch.Generator().manual_seed(1))
    assert drawn.shape == (4000, 3)
    assert all(stats.kstest(column, law).pvalue > 1e-3 for column in drawn.T.numpy())
    assert np.abs(np.corrcoef(drawn.T.numpy()) - np.eye(3)).max() < 0.06


def test_draw_latent_uses_the_given_stream_alone() -> None:
    networks, before = mlp((2,)), torch.get_rng_state()
    first = draw_latent(networks, 5, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, draw_latent(networks, 5, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, draw_latent(networks, 5, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(("latent", "law"), [("normal", "norm"), ("uniform", stats.uniform(-1, 2).cdf)])
def test_draw_latent_asks_for_every_class_equally_often_whatever_the_rest_is(latent: str, law: object) -> None:
    networks = mlp((2,), width=4, depth=1, latent=latent, classes=7)
    drawn = draw_latent(networks, 7000, torch.Generator().manual_seed(1), torch.float64)
    assert (drawn.shape, drawn.dtype) == ((7000, 9), torch.float64)
    asked = drawn[:, 2:].numpy()
    assert set(np.unique(asked)) == {0.0, 1.0} and (asked.sum(axis=1) == 1).all()
    assert stats.chisquare(asked.sum(axis=0)).pvalue > 1e-3
    assert all(stats.kstest(column, law).pvalue > 1e-3 for column in drawn[:, :2].T.numpy())
    high = drawn[:, 0].numpy() > 0
    tables = [np.stack([asked[high].sum(axis=0), asked[~high].sum(axis=0)])]
    tables += [np.stack([asked[1:][asked[:-1, k] == 1].sum(axis=0) for k in range(7)])]  # one draw and the one before
    found: list[Any] = [stats.chi2_contingency(table) for table in tables]
    assert all(one.pvalue > 1e-3 for one in found)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_draw_latent_without_classes_draws_what_it_did_before_there_were_any(latent: str) -> None:
    rng, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    drawn = draw_latent(mlp((2,), latent=latent), 40, rng)
    expected = torch.randn(40, 2, generator=same) if latent == "normal" else torch.rand(40, 2, generator=same) * 2 - 1
    assert torch.equal(drawn, expected) and torch.equal(rng.get_state(), same.get_state())


def test_mlp_without_classes_has_the_weights_of_its_seed() -> None:
    torch.manual_seed(3)
    networks = mlp((2,), width=8)
    torch.manual_seed(3)
    parts = (perceptron(2, 2, width=8, depth=3), perceptron(2, 1, width=8, depth=3))
    expected = [value for part in parts for value in part.state_dict().values()]
    found = [*networks.generator.state_dict().values(), *networks.critic.state_dict().values()]
    assert len(found) == len(expected) and all(map(torch.equal, found, expected))


@pytest.mark.parametrize("classes", [-1, 2.0, True, 1])
def test_mlp_refuses_what_is_no_number_of_classes(classes: Any) -> None:
    with pytest.raises(BadInput, match=f"classes={classes}: "):
        mlp((2,), classes=classes)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 0}, "width=0: must be an integer ≥ 1"),
        ({"width": 2.5}, "width=2.5: must be an integer ≥ 1"),
        ({"width": "8"}, "width=8: must be an integer ≥ 1"),
        ({"depth": -1}, "depth=-1: must be an integer ≥ 1"),
        ({"offset": math.nan}, "offset=nan: must be finite"),
        ({"offset": -math.inf}, "offset=-inf: must be finite"),
        ({"activation": ["relu"]}, "unknown activation"),
        ({"latent_dim": 0}, "latent_dim=0: must be"),
        ({"activation": "rellu"}, "unknown activation 'rellu' .did you mean 'relu'.*; known: elu, leaky_relu"),
        ({"norm": "group"}, "unknown norm 'group'; known: batch, layer, none"),
        ({"critic_norm": "group"}, "unknown critic_norm 'group'; known: batch, layer, none"),
        ({"latent": "cauchy"}, "unknown latent 'cauchy'; known: normal, uniform"),
        ({"activation": "maxmin", "width": 7}, "width=7: must be even for activation 'maxmin'"),
    ],
)
def test_mlp_refuses_what_it_cannot_build(settings: dict, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        mlp((2,), **settings)
