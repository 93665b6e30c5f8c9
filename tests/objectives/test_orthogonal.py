"""The 1-Lipschitz critic against numpy's singular values, of weights and of whole convolutions."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from lipbench.objectives import BadInput, Orthogonal, critic_step
from lipbench.objectives.layers import GroupSort, MaxMin
from lipbench.objectives.slopes import slopes


def convolutional_critic() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 6, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(6, 4, 3, 1, 1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)).double()


def operator_norm(layer: nn.Module, shape: tuple[int, ...]) -> float:
    """Largest singular value of the layer's linear map on inputs of this shape, from its Jacobian at zero."""
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x[None]).flatten(), torch.zeros(shape).double())
    return float(np.linalg.svd(jacobian.flatten(1).numpy(), compute_uv=False)[0])


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (9, 4), (4, 9), (1, 8)])
def test_orthogonal_linear_weights_have_unit_singular_values(rows: int, columns: int, make_batch) -> None:
    middle = nn.Linear(columns, rows)
    critic = nn.Sequential(nn.Linear(3, columns), middle, nn.Linear(rows, 1), nn.Flatten(0)).double()
    Orthogonal().prepare_critic(critic)
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for seed in range(20):
        critic_step(Orthogonal(), critic, make_batch(seed=seed), optimizer)
        values = np.linalg.svd(middle.weight.detach().numpy(), compute_uv=False)
        np.testing.assert_allclose(values, np.ones(min(rows, columns)), atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 6, 4, 2, 1),
        nn.Conv2d(3, 4, 3, 1, 1),
        nn.Conv2d(2, 4, 5, 3, 2),
        nn.Conv2d(2, 4, 3, 2, 2, dilation=2),
        nn.Conv2d(4, 6, 3, 1, 1, groups=2),
        nn.Conv2d(2, 8, (1, 4), (1, 2)),
    ],
    ids=lambda layer: f"{layer.kernel_size}/{layer.stride}x{layer.dilation}g{layer.groups}",
)
def test_orthogonal_convolutions_are_contractions_as_operators(layer: nn.Conv2d) -> None:
    Orthogonal().prepare_critic(nn.Sequential(layer.double()))
    norm = operator_norm(layer, (layer.in_channels, 9, 9))
    assert 0.4 < norm <= 1 + 1e-12
    kernel = layer.weight.detach().flatten(1).numpy()
    values = np.linalg.svd(kernel, compute_uv=False)
    np.testing.assert_allclose(values, np.full(min(kernel.shape), values[0]), rtol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (4, 2, 1), (5, 3, 1), (3, 2, 2)])
def test_orthogonal_convolutions_nearly_reach_their_bound_with_a_constant_kernel(
    kernel: int, stride: int, dilation: int
) -> None:
    layer = nn.Conv2d(1, 1, kernel, stride, kernel // 2, dilation).double()
    nn.init.ones_(layer.weight)
    Orthogonal().prepare_critic(nn.Sequential(layer))
    assert 0.8 < operator_norm(layer, (1, 15, 15)) <= 1


def test_orthogonal_bounds_the_slopes_of_a_convolutional_critic(make_batch) -> None:
    critic = Orthogonal().prepare_critic(convolutional_critic())
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for seed in range(30):
        critic_step(Orthogonal(), critic, make_batch(16, (2, 8, 8), seed=seed), optimizer)
    x = make_batch(400, (2, 8, 8), seed=99).real
    slopes = (critic(x[:200]) - critic(x[200:])).abs() / (x[:200] - x[200:]).flatten(1).norm(dim=1)
    assert 0.001 < slopes.max().item() <= 1


def test_orthogonal_reaches_the_slope_of_one_where_that_is_optimal(make_batch) -> None:
    """Two parallel lines at distance 2: f(x) = x₀ is the optimum of the dual, and W1 = 2."""
    torch.manual_seed(0)
    layers = [nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0)]
    critic, objective = Orthogonal().prepare_critic(nn.Sequential(*layers).double()), Orthogonal()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    height = torch.linspace(-1, 1, 64, dtype=torch.float64)
    real, fake = (torch.stack([torch.full_like(height, x0), height], dim=1) for x0 in (1.0, -1.0))
    batch = make_batch(real=real, fake=fake)
    duals = [-critic_step(objective, critic, batch, optimizer)["critic_loss"].item() for _ in range(300)]
    assert duals[-1] == pytest.approx(2, abs=0.02)
    assert max(duals) <= 2 + 1e-12


def test_orthogonal_maxmin_sorts_pairs_of_channels() -> None:
    x = torch.tensor([[1.0, 5.0, 3.0, -2.0]])
    torch.testing.assert_close(MaxMin()(x), torch.tensor([[5.0, 1.0, 3.0, -2.0]]))
    images = torch.randn(3, 6, 4, 4)
    torch.testing.assert_close(MaxMin()(images).sort(dim=1).values, images.sort(dim=1).values)
    torch.testing.assert_close(MaxMin()(images).flatten(1).norm(dim=1), images.flatten(1).norm(dim=1))


def test_orthogonal_replaces_every_activation() -> None:
    kinds = [type(m) for m in Orthogonal().prepare_critic(convolutional_critic()).modules()]
    assert kinds.count(MaxMin) == 2
    assert not any(kind in (nn.LeakyReLU, nn.ReLU) for kind in kinds)


def test_orthogonal_replaces_an_activation_at_each_of_its_places_and_a_shared_layer_once(make_batch) -> None:
    """SELU has slopes up to 1.76."""
    torch.manual_seed(0)
    act, middle = nn.SELU(), nn.Linear(8, 8)
    layers = [nn.Linear(3, 8), act, middle, act, middle, act, nn.Linear(8, 1), nn.Flatten(0)]
    critic = nn.Sequential(*layers).double()
    assert Orthogonal().skip_reason(critic, (3,)) is None
    Orthogonal().prepare_critic(critic)
    assert [type(critic[i]) for i in (1, 3, 5)] == [MaxMin] * 3
    assert len(list(middle.get_submodule("parametrizations.weight").children())) == 1
    assert slopes(critic, make_batch(500).real, create_graph=False).max() <= 1 + 1e-12


def test_orthogonal_draws_no_random_numbers() -> None:
    """So that the seed of the networks decides everything."""
    critic = convolutional_critic()
    before = torch.get_rng_state()
    Orthogonal().prepare_critic(critic)
    assert torch.equal(torch.get_rng_state(), before)


def test_orthogonal_keeps_the_rounding_of_its_bound_in_single_precision(make_critic) -> None:
    critic = make_critic(dtype=torch.float32, width=64)
    Orthogonal().prepare_critic(critic)
    with parametrize.cached(), torch.no_grad():
        norms = [torch.linalg.matrix_norm(critic[i].weight, 2).item() for i in (0, 2, 4)]
    np.testing.assert_allclose(norms, np.ones(3), atol=1e-5)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside, self.last = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x + self.inside(x)).squeeze(1)


@pytest.mark.parametrize(
    ("critic", "shape", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1)), (4,), "BatchNorm1d has no"),
        (nn.Sequential(nn.ConvTranspose2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 1)), (1, 4, 4), "ConvTranspose2d"),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")), (1, 4, 4), "padding_mode=reflect"),
        (nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1)), (4,), "5 wide"),
        (Residual(), (4,), "not a plain chain"),
        (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Tanh(), nn.Flatten(0)), (4,), "1 wide"),
        (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Flatten(0), nn.Tanh()), (4,), "1 wide"),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 6), nn.Linear(6, 1), nn.Flatten(0)), (3,), "3 wide"),
    ],
)
def test_orthogonal_skips_what_would_break_the_bound(critic: nn.Module, shape: tuple[int, ...], reason: str) -> None:
    assert reason in str(Orthogonal().skip_reason(critic, shape))


def test_orthogonal_takes_plain_critics(make_critic) -> None:
    odd_without_activation = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 5), nn.Linear(5, 1), nn.Flatten(0))
    assert Orthogonal().skip_reason(odd_without_activation, (3,)) is None
    assert Orthogonal().skip_reason(make_critic(), (3,)) is None
    assert Orthogonal().skip_reason(convolutional_critic(), (2, 8, 8)) is None


@pytest.mark.parametrize(("group", "sorted_"), [(2, [1.0, 5, -2, 3]), (4, [-2.0, 1, 3, 5]), (None, [-2.0, 1, 3, 5])])
def test_orthogonal_group_sort_sorts_groups_of_any_size(group: int | None, sorted_: list[float]) -> None:
    x = torch.tensor([[1.0, 5.0, 3.0, -2.0], [0.0, 0.0, 0.0, 0.0]])
    assert GroupSort(group)(x)[0].tolist() == sorted_
    images = torch.randn(3, 8, 4, 4)
    torch.testing.assert_close(GroupSort(group)(images).sort(dim=1).values, images.sort(dim=1).values)


@pytest.mark.parametrize("group", [4, None])
def test_orthogonal_with_larger_groups_bounds_slopes_and_keeps_gradients_of_length_1(
    group: int | None, make_batch
) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0)]
    objective = Orthogonal(group=group)
    critic = objective.prepare_critic(nn.Sequential(*layers).double())
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for seed in range(20):
        critic_step(objective, critic, make_batch(seed=seed), optimizer)
    steep = slopes(critic, make_batch(200, seed=99).real)
    assert 0.3 < steep.max().item() <= 1 + 1e-12


def test_orthogonal_refuses_groups_that_do_not_divide_a_layer() -> None:
    critic = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1), nn.Flatten(0))
    assert (
        Orthogonal(group=4).skip_reason(critic, (2,))
        == "GroupSort sorts groups of 4, and what enters an activation is 6 wide"
    )
    assert Orthogonal(group=3).skip_reason(critic, (2,)) is None
    assert Orthogonal(group=None).skip_reason(critic, (2,)) is None


@pytest.mark.parametrize("group", [1, 0])
def test_orthogonal_refuses_groups_of_fewer_than_two(group: int) -> None:
    with pytest.raises(BadInput, match=f"group={group}"):
        Orthogonal(group=group)
