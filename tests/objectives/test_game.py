"""The two steps of the game: what moves, what does not, in what order; and the value of the minimax game."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn

from lipbench.objectives import (
    BadInput,
    Batch,
    GradientPenalty,
    Minimax,
    Objective,
    SpectralNorm,
    critic_step,
    generator_step,
    prepared,
)
from lipbench.objectives.game import frozen


class Recorder(Objective):
    """Writes down what happens in which order, and under which modes."""

    name = "recorder"
    reference = "none"

    def __init__(self) -> None:
        super().__init__(loss="hinge")
        self.events: list[str] = []
        self.autocast: list[bool] = []
        self.penalised: Tensor | None = None

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        assert not batch.fake.requires_grad
        self.events.append("loss")
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        return super().critic_loss(critic, batch)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.events.append("penalty")
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        self.penalised = batch.fake
        return 0.5 * critic(batch.real).square().mean()

    def constrain_(self, critic: nn.Module) -> None:
        self.events.append("constrain" if not torch.is_grad_enabled() else "constrain with gradients")


class RecordedSGD(torch.optim.SGD):
    """Writes its steps into the same list."""

    def __init__(self, module: nn.Module, events: list[str]) -> None:
        super().__init__(module.parameters(), lr=0.1)
        self.events = events

    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.events.append("step")
        super().step()


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


class LooksFirst(SpectralNorm):
    """Calls the critic without gradients before its loss, as for a weight that adapts."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        with torch.no_grad():
            gap = (critic(batch.real).mean() - critic(batch.fake).mean()).abs()
        return super().critic_loss(critic, batch) / (1 + gap)


def test_game_a_look_without_gradients_freezes_no_weight(make_batch, make_critic) -> None:
    objective = LooksFirst()
    critic = objective.prepare_critic(make_critic())
    critic_step(objective, critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.1))
    weights = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    assert len(weights) > 1
    assert all(weight.grad is not None and weight.grad.any() for weight in weights)


def test_game_critic_step_constrains_after_the_optimizer_step(make_batch, make_critic) -> None:
    critic, objective = make_critic(), Recorder()
    critic_step(objective, critic, make_batch(), RecordedSGD(critic, objective.events))
    assert objective.events == ["loss", "penalty", "step", "constrain"]


def test_game_critic_step_descends_loss_plus_penalty(make_batch, make_critic) -> None:
    critic, twin, batch = make_critic(), make_critic(), make_batch()
    scalars = critic_step(Recorder(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.1))
    real, fake = twin(batch.real), twin(batch.fake)
    loss = (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    penalty = 0.5 * real.square().mean()
    gradients = torch.autograd.grad(loss + penalty, list(twin.parameters()))
    assert scalars["critic_loss"].item() == pytest.approx(loss.item(), rel=1e-12)
    assert scalars["penalty"].item() == pytest.approx(penalty.item(), rel=1e-12)
    assert not any(value.requires_grad for value in scalars.values())
    for moved, start, gradient in zip(critic.parameters(), twin.parameters(), gradients, strict=True):
        torch.testing.assert_close(moved.detach(), start.detach() - 0.1 * gradient, rtol=1e-12, atol=1e-14)


def test_game_critic_step_forgets_old_gradients_and_reports_no_penalty_as_zero(make_batch, make_critic) -> None:
    critic, twin = make_critic(), make_critic()
    for parameter in critic.parameters():
        parameter.grad = torch.full_like(parameter, 1e3)
    for module in (critic, twin):
        scalars = critic_step(Minimax(), module, make_batch(), torch.optim.SGD(module.parameters(), lr=0.1))
        assert scalars["penalty"].item() == 0
    for one, other in zip(critic.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other)


def test_game_critic_step_detaches_the_fakes(make_batch, make_critic) -> None:
    critic, generator = make_critic(), nn.Linear(2, 3).double()
    fake = generator(torch.ones(64, 2, dtype=torch.float64))
    batch = replace(make_batch(), fake=fake)
    critic_step(GradientPenalty(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.1))
    assert all(p.grad is None for p in generator.parameters())
    assert batch.fake is fake  # the caller's batch is left as it was
    assert fake.requires_grad


def test_game_penalty_runs_outside_autocast(make_batch, make_critic) -> None:
    """Under bf16 the loss is in half precision, the penalty equals the single-precision one bit for bit."""
    critic, batch = make_critic(dtype=torch.float32), make_batch(dtype=torch.float32)
    plain = critic_step(Recorder(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.0))
    objective = Recorder()
    with torch.autocast("cpu", torch.bfloat16):
        half = replace(batch, fake=batch.fake.bfloat16())
        mixed = critic_step(objective, critic, half, torch.optim.SGD(critic.parameters(), lr=0.0))
    assert objective.autocast == [True, False]
    assert objective.penalised is not None
    assert objective.penalised.dtype == torch.float32
    assert torch.equal(mixed["penalty"], plain["penalty"])
    assert 0 < abs(mixed["critic_loss"].item() - plain["critic_loss"].item()) < 0.05


@pytest.mark.parametrize("objective", [GradientPenalty(), SpectralNorm()], ids=["wgan-gp", "sn-gan"])
def test_game_runs_under_bf16_autocast(objective: Objective, make_batch, make_critic) -> None:
    critic, generator = objective.prepare_critic(make_critic(dtype=torch.float32)), nn.Linear(2, 3)
    batch, latent = make_batch(dtype=torch.float32), torch.ones(64, 2)
    with torch.autocast("cpu", torch.bfloat16):
        scalars = critic_step(objective, critic, batch, torch.optim.Adam(critic.parameters()))
        optimizer = torch.optim.Adam(generator.parameters())
        scalars |= generator_step(objective, generator, critic, latent, batch, optimizer)
    assert all(torch.isfinite(value) for value in scalars.values())
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in generator.parameters())


def critic_with_state() -> nn.Module:
    """Every kind of state a critic may have: power iterations and running statistics."""
    torch.manual_seed(0)
    layers = [nn.Linear(3, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0)]
    return SpectralNorm().prepare_critic(nn.Sequential(*layers).double())


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_game_generator_step_changes_nothing_of_the_critic(loss: str, make_batch) -> None:
    critic, generator = critic_with_state(), nn.Linear(2, 3).double()
    critic.get_parameter("0.bias").requires_grad_(False)
    before, flags = snapshot(critic), [p.requires_grad for p in critic.parameters()]
    latent = torch.randn(64, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator_step(SpectralNorm(loss=loss), generator, critic, latent, make_batch(), optimizer)
    for name, value in critic.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert [p.requires_grad for p in critic.parameters()] == flags
    assert all(p.grad is None for p in critic.parameters())
    assert all(module.training for module in critic.modules())


def test_game_critic_step_does_change_that_state(make_batch) -> None:
    critic = critic_with_state()
    before = snapshot(critic)
    critic_step(SpectralNorm(), critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.1))
    changed = {name for name, value in critic.state_dict().items() if not torch.equal(value, before[name])}
    assert {"0.parametrizations.weight.original", "1.running_mean", "1.running_var"} <= changed


def test_game_frozen_thaws_after_an_error() -> None:
    critic = critic_with_state()
    with pytest.raises(RuntimeError, match="stop"), frozen(critic):
        assert not any(p.requires_grad for p in critic.parameters())
        raise RuntimeError("stop")
    assert all(p.requires_grad for p in critic.parameters())
    assert all(module.training for module in critic.modules())
    assert critic.get_submodule("1").track_running_stats


def test_game_frozen_does_not_change_what_the_critic_computes(make_batch) -> None:
    """Batch norm keeps to the batch's own statistics, spectral norm to its last estimate."""
    critic, x = critic_with_state(), make_batch().real
    for _ in range(50):  # until one more power iteration changes nothing
        critic(x)
    with frozen(critic):
        inside = critic(x)
    torch.testing.assert_close(inside, critic(x), rtol=1e-9, atol=1e-12)


def test_game_generator_step_descends_through_the_critic(make_batch, make_critic) -> None:
    critic, batch = make_critic(), make_batch()
    generator, twin = nn.Linear(2, 3).double(), nn.Linear(2, 3).double()
    twin.load_state_dict(generator.state_dict())
    latent = torch.randn(64, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    scalars = generator_step(GradientPenalty(), generator, critic, latent, batch, optimizer)
    loss = -critic(twin(latent)).mean()
    gradients = torch.autograd.grad(loss, list(twin.parameters()))
    assert scalars["generator_loss"].item() == pytest.approx(loss.item(), rel=1e-12)
    for moved, start, gradient in zip(generator.parameters(), twin.parameters(), gradients, strict=True):
        assert gradient.abs().max() > 0
        torch.testing.assert_close(moved.detach(), start.detach() - 0.1 * gradient, rtol=1e-12, atol=1e-14)


def test_game_transform_reaches_real_and_fake_in_both_phases(make_batch, make_critic) -> None:
    class Shifted(Objective):
        name, reference = "shifted", "none"

        def transform(self, x: Tensor, batch: Batch) -> Tensor:
            return x + (2 if x is batch.real else 5)

    critic, batch, generator = make_critic(), make_batch(), nn.Linear(2, 3).double()
    expected = critic(batch.fake + 5).mean() - critic(batch.real + 2).mean()
    scalars = critic_step(Shifted(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.0))
    assert scalars["critic_loss"].item() == pytest.approx(expected.item(), rel=1e-12)
    latent = torch.ones(64, 2, dtype=torch.float64)
    expected = -critic(generator(latent) + 5).mean()
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.0)
    scalars = generator_step(Shifted(), generator, critic, latent, batch, optimizer)
    assert scalars["generator_loss"].item() == pytest.approx(expected.item(), rel=1e-12)


class LogRatio(nn.Module):
    """A quadratic: the family that holds log p/q of any two Gaussians."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([torch.ones_like(x[:, 0]), x[:, 0], x[:, 0] ** 2], 1) @ self.coefficients


@pytest.mark.parametrize(("mean", "sd"), [(1.2, 1.0), (-0.7, 1.6), (2.0, 0.5)])
def test_game_minimax_optimum_is_the_density_ratio(mean: float, sd: float) -> None:
    """D* = p/(p + q) and V(D*) = −2 log 2 + 2 JSD (Goodfellow et al. 2014, proposition 1, theorem 1)."""
    p, q = stats.norm(mean, sd), stats.norm(0, 1)
    quantiles = (np.arange(5000) + 0.5) / 5000
    real, fake = (torch.from_numpy(law.ppf(quantiles))[:, None] for law in (p, q))
    critic, batch = LogRatio(), Batch(real, fake, None, 0, torch.Generator())
    optimizer = torch.optim.Adam(critic.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    scalars: dict[str, Tensor] = {}
    for _ in range(1000):
        scalars = critic_step(Minimax(), critic, batch, optimizer)
        schedule.step()
    assert critic.coefficients.grad is not None
    assert critic.coefficients.grad.norm() < 1e-4  # the problem is convex: this is its optimum
    x = np.linspace(-12, 12, 20_001)
    px, qx = stats.norm.pdf(x, mean, sd), stats.norm.pdf(x)
    with torch.no_grad():
        probability = critic(torch.from_numpy(x)[:, None]).sigmoid().numpy()
    seen = px + qx > 0.01
    np.testing.assert_allclose(probability[seen], (px / (px + qx))[seen], atol=0.01)
    entropy = [integrate.trapezoid(-law * np.log(np.maximum(law, 1e-300)), x) for law in (px, qx, (px + qx) / 2)]
    divergence = entropy[2] - (entropy[0] + entropy[1]) / 2
    assert -scalars["critic_loss"].item() == pytest.approx(-2 * np.log(2) + 2 * divergence, abs=2e-3)


class Vectors(Minimax):
    """Each loss as a list of one number."""

    def __init__(self, vector: str) -> None:
        super().__init__()
        self.vector = vector

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch).expand(1 if self.vector == "critic_loss" else ())

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().generator_loss(critic, batch).expand(1 if self.vector == "generator_loss" else ())

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return critic(batch.real).square() if self.vector == "penalty" else critic(batch.real).square().mean()


@pytest.mark.parametrize(("vector", "size"), [("critic_loss", 1), ("generator_loss", 1), ("penalty", 64)])
def test_game_refuses_a_loss_that_is_no_scalar(vector: str, size: int, make_batch, make_critic) -> None:
    objective, critic, batch = Vectors(vector), make_critic(), make_batch()
    generator = nn.Linear(2, 3, dtype=torch.float64)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    with pytest.raises(BadInput, match=rf"^minimax: {vector} has shape \({size},\), expected \(\)$"):
        critic_step(objective, critic, batch, optimizer)
        generator_step(objective, generator, critic, torch.zeros(64, 2, dtype=torch.float64), batch, optimizer)


@pytest.mark.parametrize("columns", [1, 3])
def test_prepared_critic_is_refused_at_its_first_pass_unless_logits_are_one_a_sample(columns: int) -> None:
    critic = prepared(Minimax(), nn.Linear(2, columns))
    with pytest.raises(BadInput, match=rf"minimax: .*\(5, {columns}\) for 5 samples, expected \(5,\)"):
        critic(torch.zeros(5, 2))


def test_prepared_critic_is_looked_at_once() -> None:
    layers = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    critic = prepared(Minimax(), layers)
    assert critic(torch.zeros(5, 2)).shape == (5,)
    layers.append(nn.Unflatten(0, (-1, 1)))
    assert critic(torch.zeros(5, 2)).shape == (5, 1)
