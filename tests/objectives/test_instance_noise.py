"""Instance noise: its law, its schedule, and that it reaches both samples in both phases."""

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from lipbench.objectives import BadInput, InstanceNoise, critic_step, generator_step


class Recorder(nn.Module):
    """Logits are the sum of the inputs times a weight; remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones((), dtype=torch.float64)), []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        return self.weight * x.sum(1)


def test_instance_noise_is_normal_with_the_given_deviation(make_batch) -> None:
    batch = make_batch(4000)
    noise = (InstanceNoise(sigma=0.7).transform(batch.real, batch) - batch.real).flatten()
    assert kstest(noise.numpy(), "norm", args=(0, 0.7)).pvalue > 0.001
    assert noise.std().item() == pytest.approx(0.7, rel=0.03)  # 12,000 draws: one standard error is 0.6 %


@pytest.mark.parametrize(("step", "expected"), [(0, 0.6), (1, 0.45), (3, 0.15), (4, 0.0), (9, 0.0)])
def test_instance_noise_falls_linearly_to_zero(step: int, expected: float, make_batch) -> None:
    objective, batch = InstanceNoise(sigma=0.6, until=4), make_batch(4000)
    batch.step = step
    noise = objective.transform(batch.fake, batch) - batch.fake
    assert objective.sigma_at(step) == pytest.approx(expected)
    assert noise.std().item() == pytest.approx(expected, rel=0.03, abs=1e-12)


def test_instance_noise_is_constant_by_default() -> None:
    assert InstanceNoise(sigma=0.6).sigma_at(10**6) == 0.6


def test_instance_noise_reaches_both_samples_with_different_draws(make_batch) -> None:
    critic, batch = Recorder(), make_batch()
    critic_step(InstanceNoise(), critic, batch, torch.optim.SGD(critic.parameters(), lr=0.1))
    on_real, on_fake = critic.seen[0] - batch.real, critic.seen[1] - batch.fake
    assert on_real.std().item() == pytest.approx(0.1, rel=0.3)
    assert on_fake.std().item() == pytest.approx(0.1, rel=0.3)
    assert not torch.allclose(on_real, on_fake)


def test_instance_noise_reaches_the_generator_phase(make_batch) -> None:
    critic, generator, latent = Recorder(), nn.Linear(2, 3).double(), torch.ones(64, 2, dtype=torch.float64)
    made = generator(latent).detach()
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator_step(InstanceNoise(), generator, critic, latent, make_batch(), optimizer)
    assert (critic.seen[0] - made).std().item() == pytest.approx(0.1, rel=0.3)


def test_instance_noise_draws_from_the_batch_stream_alone(make_batch) -> None:
    torch.manual_seed(0)
    first, again = make_batch(seed=4), make_batch(seed=4)
    noisy = InstanceNoise().transform(first.real, first)
    torch.manual_seed(1)
    assert torch.equal(InstanceNoise().transform(again.real, again), noisy)


def test_instance_noise_with_a_schedule_cannot_be_captured() -> None:
    assert InstanceNoise().capturable
    assert not InstanceNoise(until=100).capturable


@pytest.mark.parametrize("arguments", [{"sigma": 0.0}, {"sigma": -1.0}, {"until": 0}, {"until": 2.5}])
def test_instance_noise_refuses_senseless_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        InstanceNoise(**arguments)  # pyright: ignore[reportArgumentType]
