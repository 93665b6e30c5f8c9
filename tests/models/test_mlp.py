"""The multi-layer perceptrons: shapes, initial weights, latents, and what is refused."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lipbench.models import draw_latent, mlp
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
    torch.testing.assert_close(critic(changed)[0], critic(x)[0], rtol=1e-6, atol=1e-7)


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
