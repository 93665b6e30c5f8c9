"""The gradient penalty in closed form, and the optimum of the whole game on shifted Gaussians."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn

from lipbench.objectives import BadInput, Batch, GradientPenalty, critic_step
from lipbench.objectives.slopes import POINTS


class Linear(nn.Module):
    """f(x) = a·x + 3."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.a + 3


def linear(norm: float, d: int) -> Linear:
    a = torch.arange(1, d + 1, dtype=torch.float64)
    return Linear(norm * a / a.norm())


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("norm", [0.3, 1.0, 4.5])
@pytest.mark.parametrize("shape", [(3,), (2, 4, 4)])
def test_gradient_penalty_of_a_linear_critic_is_exact_for_any_batch_size(
    n: int, norm: float, shape: tuple[int, ...], make_batch
) -> None:
    batch = make_batch(n, shape)
    penalty = GradientPenalty(weight=7.0).penalty(linear(norm, batch.real[0].numel()), batch)
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(7.0 * (norm - 1) ** 2, rel=1e-12, abs=1e-24)


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize(
    ("one_sided", "norm", "expected"),
    [(False, 0.5, 0.4 * 2.25), (False, 3.5, 0.4 * 2.25), (True, 0.5, 0.0), (True, 3.5, 0.4 * 2.25)],
)
def test_gradient_penalty_sides_and_target(at: str, one_sided: bool, norm: float, expected: float, make_batch) -> None:
    objective = GradientPenalty(weight=0.4, target=2.0, at=at, one_sided=one_sided)
    assert objective.penalty(linear(norm, 3), make_batch()).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [7, 64])
def test_gradient_penalty_has_the_analytic_gradient(n: int, make_batch) -> None:
    """∇_a λ(‖a‖ − 1)² = 2λ(‖a‖ − 1)a/‖a‖; through critic_step, where −E f(x) + E f(G(z)) adds its own."""
    critic, batch = linear(2.5, 3), make_batch(n)
    a = critic.a.detach().clone()
    scalars = critic_step(GradientPenalty(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.0))
    assert scalars["penalty"].item() == pytest.approx(10 * 1.5**2, rel=1e-12)
    assert critic.a.grad is not None
    expected = 2 * 10 * 1.5 * a / 2.5 + batch.fake.mean(0) - batch.real.mean(0)
    torch.testing.assert_close(critic.a.grad, expected, rtol=1e-12, atol=0)


def test_gradient_penalty_takes_norms_per_sample_where_slopes_differ(make_batch) -> None:
    """f(x) = ½‖x‖² has the slope ‖x‖ at x."""

    class Bowl(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * x.square().sum(1)

    batch = make_batch(7)
    norms = np.linalg.norm(batch.fake.numpy(), axis=1)
    penalty = GradientPenalty(at="fake").penalty(Bowl(), batch)
    assert penalty.item() == pytest.approx(10 * np.mean((norms - 1) ** 2), rel=1e-12)


def test_gradient_penalty_refuses_a_critic_with_batch_norm() -> None:
    reason = GradientPenalty().skip_reason(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)), (2,))
    assert "batch norm" in str(reason)
    assert GradientPenalty().skip_reason(nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4)), (2,)) is None


def test_gradient_penalty_is_capturable_but_for_transport() -> None:
    assert {at: GradientPenalty(at=at).capturable for at in POINTS} == {at: at != "ot_line" for at in POINTS}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -1.0}, "weight=-1.0: must be a number ≥ 0"),
        ({"weight": float("nan")}, "weight=nan: must be a number ≥ 0"),
        ({"target": 0.0}, "target=0.0: must be a number > 0"),
        ({"at": "lines"}, r"unknown points \(at\) 'lines' \(did you mean 'line'\?\); known: box, fake, line, noise"),
        ({"at": ["line"]}, "unknown points"),
        ({"weight": float("inf")}, "weight=inf"),
        ({"target": float("inf")}, "target=inf"),
        ({"loss": "earth"}, "unknown loss 'earth'"),
    ],
)
def test_gradient_penalty_refuses_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        GradientPenalty(**arguments)


def optimum_by_quadrature(shift: float, weight: float) -> float:
    """Dual gap of the optimum for N(0, 1) against N(s, 1) with slopes penalised on lines between random pairs.

    In one dimension E f(x) − E f(G(z)) − λE(f'(x̂) − 1)² is maximal, point by point, at f' = 1 + Δ/(2λr) with Δ the
    difference of the distribution functions and r the density of x̂, a mixture of N(ts, t² + (1 − t)²) over t in [0, 1].
    """
    x = np.linspace(-9, 9 + shift, 20_001)
    delta = stats.norm.cdf(x) - stats.norm.cdf(x - shift)
    nodes, weights = np.polynomial.legendre.leggauss(100)
    t = (nodes + 1) / 2
    density = (weights / 2) @ stats.norm.pdf(x, (t * shift)[:, None], np.hypot(t, 1 - t)[:, None])
    return float(integrate.trapezoid(delta * (1 + delta / (2 * weight * density)), x))


@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
def test_gradient_penalty_optimum_by_quadrature_is_near_the_closed_form(shift: float) -> None:
    assert optimum_by_quadrature(shift, 10.0) == pytest.approx(shift * (1 + shift / 20), rel=0.006)


@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
def test_gradient_penalty_dual_estimate_on_shifted_gaussians(shift: float) -> None:
    """λ = 10: the trained dual gap is within 5 % of s(1 + s/(2λ))."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(1, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1))
    critic.append(nn.Flatten(0))
    objective, rng, n = GradientPenalty(weight=10.0), torch.Generator().manual_seed(0), 512
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3, betas=(0.5, 0.9))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for _ in range(600):
        real, fake = torch.randn(n, 1, generator=rng) + shift, torch.randn(n, 1, generator=rng)
        critic_step(objective, critic, Batch(real, fake, None, 0, rng), optimizer)
        schedule.step()
    quantiles = torch.from_numpy(stats.norm.ppf((np.arange(4000) + 0.5) / 4000)).float()[:, None]
    with torch.no_grad():
        dual = (critic(quantiles + shift).mean() - critic(quantiles).mean()).item()
    assert dual == pytest.approx(shift * (1 + shift / 20), rel=0.05)
    assert dual == pytest.approx(optimum_by_quadrature(shift, 10.0), rel=0.05)
