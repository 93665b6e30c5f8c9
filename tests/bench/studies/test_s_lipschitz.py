"""Slopes and operator norms against numpy, closed forms and dense matrices."""

import numpy as np
import ot
import pytest
import torch
from torch import nn

from lipbench.bench.studies.measures import lipschitz
from lipbench.models.mlp import mlp
from lipbench.objectives import SpectralNorm


class Affine(nn.Module):
    """x ↦ ⟨w, x⟩ + 3."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weight = torch.tensor(weights, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + 3.0


def points(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(layer: nn.Conv2d, shape: tuple[int, int, int]) -> torch.Tensor:
    """The convolution without bias as a matrix, a column per place of the input."""
    basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).unflatten(1, shape)
    weight = layer.weight.detach().double()
    out = nn.functional.conv2d(basis, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    return out.flatten(1).T


def test_largest_gradient_of_an_affine_critic_is_the_norm_of_its_weights():
    critic = Affine(3.0, -4.0)
    assert lipschitz.largest_gradient(critic, points(5, 2), points(7, 2, 1)) == pytest.approx(5.0, abs=1e-12)
    assert torch.equal(lipschitz.gradients(critic, points(2, 2)), torch.tensor([[3.0, -4.0]] * 2).double())


def test_largest_gradient_finds_the_steepest_of_all_points():
    def cube(x: torch.Tensor) -> torch.Tensor:
        return x.pow(3).sum(1)

    assert lipschitz.largest_gradient(cube, torch.tensor([[1.0]]), torch.tensor([[-2.0], [0.5]])) == pytest.approx(12.0)  # pyright: ignore[reportArgumentType]


def test_largest_pair_slope_agrees_with_a_loop_over_pairs():
    x, f = points(9, 3).numpy(), points(9, 1, seed=1).numpy()[:, 0]
    slopes = [abs(f[i] - f[j]) / np.linalg.norm(x[i] - x[j]) for i in range(9) for j in range(i)]
    found = lipschitz.largest_pair_slope(torch.tensor(f), torch.tensor(x))
    assert found == pytest.approx(max(slopes), rel=1e-12)


def test_largest_pair_slope_leaves_out_points_that_coincide():
    x = torch.tensor([[0.0], [0.0], [2.0]]).double()
    assert lipschitz.largest_pair_slope(torch.tensor([1.0, 1.0, 4.0]).double(), x) == pytest.approx(1.5)


def test_dual_over_slope_is_at_most_the_exact_distance_for_any_function():
    real, fake = points(40, 2), points(40, 2, 1) * 1.5 + 0.7
    distance = float(ot.emd2([], [], ot.dist(real.numpy(), fake.numpy(), "euclidean")))  # pyright: ignore[reportArgumentType]
    for seed in range(3):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            critic = mlp((2,), width=16).critic.double()
        gap, slope = lipschitz.dual(critic, real, fake)
        assert gap / slope <= distance + 1e-12


def test_dual_of_the_optimal_critic_is_the_distance_with_the_right_sign():
    real = points(30, 2)
    fake = real - torch.tensor([0.0, 1.3], dtype=torch.float64)
    gap, slope = lipschitz.dual(Affine(0.0, 2.0), real, fake)
    assert gap == pytest.approx(2.6, abs=1e-12)
    assert slope == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 3, 4, 2, 1), (2, 8, 6)),
        (nn.Conv2d(1, 2, 3, 1, 0), (1, 5, 7)),
        (nn.Conv2d(2, 4, 3, 1, 1, groups=2), (2, 5, 4)),
    ],
)
def test_convolution_norm_is_the_largest_singular_value_of_the_dense_map(layer: nn.Conv2d, shape: tuple[int, int, int]):
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(3))
    expected = torch.linalg.matrix_norm(dense(layer, shape), 2).item()
    assert lipschitz.convolution_norm(layer, shape) == pytest.approx(expected, rel=1e-5)


def test_convolution_norm_exceeds_the_reshaped_kernels_where_places_overlap():
    layer = nn.Conv2d(1, 1, 3, 1, 1)
    nn.init.constant_(layer.weight, 1 / 3)  # as a matrix [1, 9] of norm 1; as a map it nearly triples a constant image
    assert lipschitz.reshaped_norms(nn.Sequential(layer))["0"] == pytest.approx(1.0, rel=1e-5)
    # Away from the border the gain is ‖1/3·(1, 1, 1)‖-summed: 9 · 1/3; on n places each factor is (1 + 2cos(π/(n+1))).
    factor = 1 + 2 * np.cos(np.pi / 13)
    assert lipschitz.convolution_norm(layer, (1, 12, 12)) == pytest.approx(factor**2 / 3, rel=1e-5)


def test_layer_norms_name_each_layer_and_see_the_size_of_its_input():
    convolution, linear = nn.Conv2d(1, 2, 4, 2, 1), nn.Linear(2 * 3 * 3, 1)
    for layer in (convolution, linear):
        nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(4))
    critic = nn.Sequential(convolution, nn.LeakyReLU(0.2), nn.Flatten(), linear)
    found = lipschitz.layer_norms(critic, (1, 6, 6))
    assert list(found) == ["0", "3"]
    assert found["0"] == pytest.approx(torch.linalg.matrix_norm(dense(convolution, (1, 6, 6)), 2).item(), rel=1e-5)
    assert found["3"] == pytest.approx(np.linalg.norm(linear.weight.detach().double().numpy(), 2), rel=1e-5)
    assert lipschitz.product(found) == pytest.approx(found["0"] * found["3"])


def test_layer_norms_of_a_normalised_critic_are_those_of_the_weights_in_use():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = SpectralNorm().prepare_critic(mlp((2,), width=16).critic)
    for _ in range(200):
        critic(torch.zeros(2, 2))
    norms = lipschitz.layer_norms(critic.eval(), (2,))
    assert list(norms.values()) == pytest.approx([1.0] * 4, abs=1e-3)


def test_clipping_bound_is_reached_where_all_weights_are_extreme_and_bounds_the_product():
    critic = mlp((3,), width=5, depth=2).critic
    for parameter in critic.parameters():
        nn.init.constant_(parameter, 0.1)
    bound = lipschitz.clipping_bound(critic, 0.1)
    assert bound == pytest.approx(0.1**3 * np.sqrt(3 * 5 * 5 * 5 * 5 * 1))
    assert lipschitz.product(lipschitz.layer_norms(critic, (3,))) == pytest.approx(bound, rel=1e-5)


def test_clipping_bound_of_a_convolution_is_nearly_reached_on_a_large_map_and_bounds_every_other():
    layer = nn.Conv2d(2, 3, 3, padding=1)
    nn.init.constant_(layer.weight, 0.1)
    bound = lipschitz.clipping_bound(layer, 0.1)
    assert bound == pytest.approx(0.1 * 9 * np.sqrt(6))
    norm = lipschitz.layer_norms(nn.Sequential(layer), (2, 40, 40))["0"]
    assert norm == pytest.approx(bound * ((1 + 2 * np.cos(np.pi / 41)) / 3) ** 2, rel=1e-5)  # → bound on a plane
    strided = nn.Conv2d(3, 5, 4, 2, 1)
    nn.init.uniform_(strided.weight, -0.2, 0.2, generator=torch.Generator().manual_seed(0))
    norm = torch.linalg.matrix_norm(dense(strided, (3, 8, 8)), 2).item()
    assert norm <= lipschitz.clipping_bound(strided, 0.2)


def test_coupled_lines_of_a_shift_run_along_it_towards_the_real_points():
    fake = points(20, 2)
    shift = torch.tensor([3.0, -4.0]).double()
    at, direction = lipschitz.coupled_lines((fake + shift).flip(0), fake, torch.Generator().manual_seed(0))
    assert torch.allclose(direction, (shift / 5).expand(20, 2), atol=1e-12)
    along = ((at - fake.flip(0)) @ direction.T).diag()
    assert 0 <= along.min() < along.max() <= 5
    assert along.std() > 0.5
