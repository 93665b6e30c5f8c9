"""Spectral normalisation against the singular values of numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lipbench.models.mlp import mlp
from lipbench.models.resnet import sngan_resnet
from lipbench.objectives import BadInput, Batch, SpectralNorm, critic_step, generator_step
from lipbench.objectives.layers import WEIGHTED
from lipbench.objectives.slopes import slopes


def convolutional_critic() -> nn.Module:
    """[B, 2, 8, 8] → [B]; a transposed convolution too, whose output channels are its second dimension."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(2, 6, 3, 2, 1), nn.LeakyReLU(0.2), nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 5), nn.Linear(5, 1), nn.Flatten(0)).double()


def largest_singular_values(critic: nn.Module) -> list[float]:
    values = []
    for layer in critic.modules():
        if isinstance(layer, WEIGHTED):
            weight = layer.weight.detach()
            matrix = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
            values.append(float(np.linalg.svd(matrix.flatten(1).numpy(), compute_uv=False)[0]))
    return values


def image_batch(make_batch) -> Batch:
    return make_batch(16, (2, 8, 8))


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_spectral_norm_divides_by_the_largest_singular_value(scale: float, make_batch) -> None:
    critic = convolutional_critic()
    for parameter in critic.parameters():
        parameter.data.mul_(scale)
    raw = largest_singular_values(critic)
    assert all(abs(value - 1) > 0.1 for value in raw)
    critic = SpectralNorm().prepare_critic(critic)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.0)
    for _ in range(200):
        critic_step(SpectralNorm(), critic, image_batch(make_batch), optimizer)
    np.testing.assert_allclose(largest_singular_values(critic), np.ones(4), atol=1e-6)


def test_spectral_norm_is_right_in_eval_mode_before_the_first_pass() -> None:
    critic = SpectralNorm().prepare_critic(convolutional_critic()).eval()
    np.testing.assert_allclose(largest_singular_values(critic), np.ones(4), rtol=0.05)


@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm_is_torchs_own(iterations: int, make_batch) -> None:
    """Bit for bit: the vectors that it draws, the weights after some steps, and the names in its state."""
    theirs, ours = convolutional_critic(), convolutional_critic()
    torch.manual_seed(2)
    for layer in theirs.modules():
        if isinstance(layer, WEIGHTED):
            spectral_norm(layer, n_power_iterations=iterations)
    torch.manual_seed(2)
    ours = SpectralNorm(power_iterations=iterations).prepare_critic(ours)
    for critic in (theirs, ours):
        optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
        for _ in range(4):
            critic_step(SpectralNorm(), critic, image_batch(make_batch), optimizer)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())
    with torch.no_grad():
        layer = next(layer for layer in ours.modules() if isinstance(layer, WEIGHTED))
        layer.weight = torch.ones_like(layer.weight)
    assert torch.equal(layer.parametrizations.weight.original, torch.ones_like(layer.weight))  # pyright: ignore


def test_spectral_norm_survives_evaluation_before_and_between_steps(make_batch) -> None:
    plain, visited = (SpectralNorm().prepare_critic(convolutional_critic()) for _ in range(2))
    visited.load_state_dict(plain.state_dict())
    for critic in (plain, visited):
        optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
        for _ in range(5):
            if critic is visited:
                critic.eval()(image_batch(make_batch).real)
                critic.train()
            critic_step(SpectralNorm(), critic, image_batch(make_batch), optimizer)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, visited.state_dict()[name]), name


def test_spectral_norm_keeps_the_norm_during_training(make_batch) -> None:
    critic = SpectralNorm().prepare_critic(convolutional_critic())
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-4)
    for seed in range(100):
        critic_step(SpectralNorm(), critic, make_batch(16, (2, 8, 8), seed=seed), optimizer)
    np.testing.assert_allclose(largest_singular_values(critic), np.ones(4), atol=0.1)  # one iteration a step lags


def vectors(critic: nn.Module) -> dict[str, Tensor]:
    """By layer: its estimate of the right singular vector of the largest singular value."""
    return {name: x.clone() for name, x in critic.named_buffers() if name.endswith("_v")}


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_spectral_norm_iterates_once_a_critic_step_and_never_in_the_generator_phase(loss: str, make_batch) -> None:
    """Against one power iteration by hand, in every layer."""
    critic, objective = SpectralNorm().prepare_critic(convolutional_critic()), SpectralNorm(loss=loss)
    expected = vectors(critic)
    for name, v in expected.items():
        weight = critic.get_parameter(name.replace("0._v", "original")).detach()
        matrix = (weight.transpose(0, 1) if name.startswith("2.") else weight).flatten(1)  # 2 is transposed
        u = nn.functional.normalize(matrix @ v, dim=0)
        expected[name] = nn.functional.normalize(matrix.T @ u, dim=0)
    critic_step(objective, critic, image_batch(make_batch), torch.optim.SGD(critic.parameters(), lr=0.0))
    stepped = vectors(critic)
    assert len(stepped) == 4
    torch.testing.assert_close(stepped, expected, rtol=0, atol=1e-12)
    generator = nn.Sequential(nn.Linear(3, 128), nn.Unflatten(1, (2, 8, 8))).double()
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    latent = torch.ones(16, 3, dtype=torch.float64)
    generator_step(objective, generator, critic, latent, image_batch(make_batch), optimizer)
    torch.testing.assert_close(vectors(critic), stepped, rtol=0, atol=0)


def test_spectral_norm_bounds_the_slope_of_a_linear_critic(make_batch, make_critic) -> None:
    """Whatever the start: scaled by 20, each raw layer alone would break the bound of 1."""
    critic = make_critic(3)
    for parameter in critic.parameters():
        parameter.data.mul_(20)
    critic = SpectralNorm().prepare_critic(critic)
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for seed in range(50):
        critic_step(SpectralNorm(loss="wasserstein"), critic, make_batch(seed=seed), optimizer)
    x = torch.randn(2000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    slopes = (critic(x[:1000]) - critic(x[1000:])).abs() / (x[:1000] - x[1000:]).norm(dim=1)
    assert SpectralNorm.lipschitz_bound == 1.0
    assert 0 < slopes.max().item() <= 1.05


class Skip(nn.Module):
    """x + f(x): a sum of two maps of slope 1 may have slope 2."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(3, 1), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x).squeeze(1) + self.other(x).squeeze(1)


def with_middle(middle: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), middle, nn.Linear(4, 1), nn.Flatten(0))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "softplus", "elu", "maxmin"])
def test_spectral_norm_claims_its_bound_for_plain_chains(activation: str) -> None:
    objective = SpectralNorm()
    objective.prepare_critic(mlp((2,), width=8, activation=activation).critic)
    assert objective.lipschitz_bound == 1.0


@pytest.mark.parametrize(
    "critic",
    [
        with_middle(nn.LayerNorm(4)),
        with_middle(nn.SELU()),
        with_middle(nn.GELU()),
        with_middle(nn.PReLU()),
        with_middle(nn.LeakyReLU(2.0)),
        with_middle(nn.ELU(alpha=1.5)),
        with_middle(Skip(nn.Linear(4, 4))),
        Both(),
        sngan_resnet((3, 32, 32), channels=2).critic,
    ],
    ids=["layer norm", "SELU", "GELU", "PReLU", "steep leaky ReLU", "steep ELU", "skip", "two paths", "residual"],
)
def test_spectral_norm_claims_no_bound_where_the_layers_bounds_do_not_multiply(critic: nn.Module) -> None:
    objective = SpectralNorm()
    objective.prepare_critic(critic)
    assert objective.lipschitz_bound is None
    objective.prepare_critic(with_middle(nn.ReLU()))
    assert objective.lipschitz_bound == 1.0


def test_spectral_norm_bounds_no_slope_of_a_critic_with_layer_norm(make_batch) -> None:
    torch.manual_seed(0)
    critic = SpectralNorm().prepare_critic(mlp((3,), critic_norm="layer").critic.double())
    assert slopes(critic, make_batch().real, create_graph=False).max() > 2


@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm_takes_as_many_power_iterations_a_step_as_asked_for(iterations: int, make_batch) -> None:
    """Against power iteration by hand, from the vector that the layer begins with."""
    torch.manual_seed(3)
    objective = SpectralNorm(power_iterations=iterations)
    critic = objective.prepare_critic(nn.Sequential(nn.Linear(3, 9), nn.Linear(9, 1), nn.Flatten(0)).double())
    layer = critic.get_submodule("0.parametrizations.weight")
    matrix, v = layer.get_parameter("original").detach(), layer.get_buffer("0._v").clone()
    for _ in range(iterations):
        u = nn.functional.normalize(matrix @ v, dim=0)
        v = nn.functional.normalize(matrix.T @ u, dim=0)
    critic_step(objective, critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.0))
    torch.testing.assert_close(layer.get_buffer("0._v"), v, rtol=0, atol=1e-12)


def test_spectral_norm_refuses_no_power_iteration() -> None:
    with pytest.raises(BadInput, match="power_iterations=0"):
        SpectralNorm(power_iterations=0)


@pytest.mark.parametrize("constant", [False, True])
def test_gradient_goes_through_sigma_unless_it_is_constant(constant: bool, make_batch) -> None:
    """Against numpy, at exact u and v: ∂(W/σ)/∂W applied to G is G/σ, less ⟨G, W⟩/σ² · uvᵀ unless σ is constant."""
    torch.manual_seed(5)
    layer = nn.Linear(3, 4).double()
    objective = SpectralNorm(power_iterations=200, constant_sigma=constant)
    critic = objective.prepare_critic(nn.Sequential(layer, nn.Linear(4, 1).double()))
    critic(make_batch().real)  # moves u and v to the singular vectors
    raw = layer.get_parameter("parametrizations.weight.original")
    given = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(4, 3).sin()
    (found,) = torch.autograd.grad((layer.weight * given).sum(), raw)
    weight, g = raw.detach().numpy(), given.numpy()
    u, s, vt = np.linalg.svd(weight)
    expected = g / s[0]
    if not constant:
        expected = expected - (g * weight).sum() / s[0] ** 2 * np.outer(u[:, 0], vt[0])
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-10)
