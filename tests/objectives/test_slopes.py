"""Slopes per sample against the analytic gradient, and the points at which penalties measure them."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from lipbench.objectives.slopes import POINTS, mixes_samples, slopes


class Quadratic(nn.Module):
    """f(x) = ½ xᵀAx + bᵀx, so ∇f(x) = ½(A + Aᵀ)x + b."""

    def __init__(self, d: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.a = nn.Parameter(torch.randn(d, d, generator=rng, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn(d, generator=rng, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return 0.5 * torch.einsum("bi,ij,bj->b", x, self.a, x) + x @ self.b


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("shape", [(3,), (2, 4, 4)])
def test_slopes_are_the_norm_of_each_samples_gradient(n: int, shape: tuple[int, ...], make_batch) -> None:
    x = make_batch(n, shape).real
    critic = Quadratic(x[0].numel())
    a, b = critic.a.detach().numpy(), critic.b.detach().numpy()
    gradients = x.flatten(1).numpy() @ (0.5 * (a + a.T)) + b
    measured = slopes(critic, x)
    assert measured.shape == (n,)
    np.testing.assert_allclose(measured.detach().numpy(), np.linalg.norm(gradients, axis=1), rtol=1e-12)


def test_slopes_can_be_differentiated_once_more(make_batch) -> None:
    """‖∇(½c‖x‖²)‖ = c‖x‖, so its derivative with respect to c is ‖x‖."""

    class Bowl(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Parameter(torch.tensor(1.7, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * self.c * x.square().sum(1)

    critic, x = Bowl(), make_batch(5).real
    slopes(critic, x).sum().backward()
    assert critic.c.grad is not None
    assert critic.c.grad.item() == pytest.approx(x.norm(dim=1).sum().item(), rel=1e-12)
    assert not slopes(critic, x, create_graph=False).requires_grad


def test_slopes_at_a_flat_critic_are_zero_with_a_finite_derivative() -> None:
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    critic = nn.Sequential(layer, nn.Flatten(0))
    measured = slopes(critic, torch.randn(4, 2, generator=torch.Generator().manual_seed(0)))
    assert measured.tolist() == [0.0] * 4
    (measured - 1).square().mean().backward()
    assert layer.weight.grad is not None
    assert torch.isfinite(layer.weight.grad).all()


def test_slopes_work_under_no_grad_and_leave_the_points_alone(make_batch, make_critic) -> None:
    x, critic = make_batch().real, make_critic()
    expected = slopes(critic, x)
    with torch.no_grad():
        torch.testing.assert_close(slopes(critic, x, create_graph=False), expected.detach())
    assert not x.requires_grad
    assert all(p.grad is None for p in critic.parameters())


def test_slopes_points_on_lines_have_one_epsilon_a_sample(make_batch) -> None:
    batch = make_batch(500, (2, 3, 3))
    points = POINTS["line"](batch)
    # x̂ − G(z) = ε(x − G(z)): every entry of a sample gives the same ε.
    epsilon = ((points - batch.fake) / (batch.real - batch.fake)).flatten(1)
    assert (epsilon.amax(1) - epsilon.amin(1)).max() < 1e-8
    epsilon = epsilon.mean(1)
    assert len(epsilon.unique()) == 500
    assert 0 <= epsilon.min() < 0.02
    assert 0.98 < epsilon.max() <= 1
    assert epsilon.mean().item() == pytest.approx(0.5, abs=0.04)  # 3 standard errors


def test_slopes_points_on_transport_lines_pair_as_the_cheapest_permutation_does(make_batch) -> None:
    batch = make_batch(6, (2,), seed=4)
    real, fake = batch.real.numpy(), batch.fake.numpy()
    cost = np.linalg.norm(real[:, None] - fake[None], axis=2)
    best = min(permutations(range(6)), key=lambda p: sum(cost[i, j] for i, j in enumerate(p)))
    assert best != tuple(range(6))
    points = POINTS["ot_line"](batch).numpy()
    epsilon = (points - fake[list(best)]) / (real - fake[list(best)])
    np.testing.assert_allclose(epsilon[:, 0], epsilon[:, 1], rtol=1e-8)
    assert np.all((epsilon >= 0) & (epsilon <= 1))


def test_slopes_points_of_noise_have_the_law_of_the_authors_code(make_batch) -> None:
    """αu with α per sample and u per coordinate, both U(0, 1): P(αu ≤ t) = t(1 − ln t), and two coordinates of a sample
    correlate by cov(αu, αu')/var(αu) = (1/12 − 1/16)/(1/9 − 1/16) = 3/7.
    """
    batch = make_batch(4000)
    shift = ((POINTS["noise"](batch) - batch.real) / (0.5 * np.std(batch.real.numpy(), ddof=1))).numpy()
    assert kstest(shift[:, 0], lambda t: t * (1 - np.log(t))).pvalue > 1e-3
    correlation = np.corrcoef(shift.T)
    np.testing.assert_allclose(correlation[np.triu_indices(3, 1)], 3 / 7, atol=0.04)  # 3 standard errors


def test_slopes_points_of_the_box_fill_it(make_batch) -> None:
    batch = make_batch(4000)
    low = np.minimum(batch.real.numpy().min(0), batch.fake.numpy().min(0))
    high = np.maximum(batch.real.numpy().max(0), batch.fake.numpy().max(0))
    u = (POINTS["box"](batch).numpy() - low) / (high - low)
    np.testing.assert_allclose(u.min(0), 0, atol=5e-3)
    np.testing.assert_allclose(u.max(0), 1, atol=5e-3)
    np.testing.assert_allclose(u.mean(0), 0.5, atol=0.02)


def test_slopes_points_real_and_fake_are_the_samples(make_batch) -> None:
    batch = make_batch()
    assert torch.equal(POINTS["real"](batch), batch.real)
    assert torch.equal(POINTS["fake"](batch), batch.fake)


@pytest.mark.parametrize("at", POINTS)
def test_slopes_points_come_from_the_objectives_stream_alone(at: str, make_batch) -> None:
    state = torch.get_rng_state()
    first, again, other = make_batch(seed=1), make_batch(seed=1), make_batch(seed=1)
    other.rng.manual_seed(9)
    points = POINTS[at](first)
    assert points.shape == first.real.shape
    assert points.dtype == first.real.dtype
    assert torch.equal(points, POINTS[at](again))
    assert torch.equal(points, POINTS[at](other)) == (at in ("real", "fake"))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("at", POINTS)
def test_slopes_points_keep_a_nan_instead_of_failing(at: str, make_batch) -> None:
    """A diverged generator is a result: the run must be able to see the NaN."""
    batch = make_batch(5)
    batch.real[0], batch.fake[1] = torch.nan, torch.nan
    assert POINTS[at](batch).isnan().any()


def test_slopes_are_refused_where_samples_are_mixed() -> None:
    assert mixes_samples(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))) is None
    for norm in (nn.BatchNorm1d(2), nn.BatchNorm2d(2)):
        assert "batch norm" in str(mixes_samples(nn.Sequential(nn.Linear(2, 2), norm)))
