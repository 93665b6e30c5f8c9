"""Broken objectives that draw from elsewhere or keep state outside buffers."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective

from .sound import Broken, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


class NoisyInput(Plain):
    def noise(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + 0.1 * self.noise(x)


@fails("randomness from batch.rng", "draws from torch's global generator instead of batch.rng")
class TorchNoise(NoisyInput):
    def noise(self, x: Tensor) -> Tensor:
        return torch.randn_like(x)


@fails("randomness from batch.rng", "draws from numpy's global generator instead of batch.rng")
class NumpyNoise(NoisyInput):
    def noise(self, x: Tensor) -> Tensor:
        return torch.full((), np.random.randn(), dtype=x.dtype, device=x.device)


@fails("randomness from batch.rng", "draws from Python's random instead of batch.rng")
class PythonNoise(NoisyInput):
    def noise(self, x: Tensor) -> Tensor:
        return torch.full((), random.gauss(), dtype=x.dtype, device=x.device)


@fails("randomness from batch.rng", "two runs with equal batch.rng differ in critic_loss")
class UnseededNoise(NoisyInput):
    def noise(self, x: Tensor) -> Tensor:
        return torch.full((), np.random.default_rng().normal(), dtype=x.dtype, device=x.device)


@fails("randomness from batch.rng", r"has a generator of its own, `objective\.own`: draw from batch\.rng instead")
class OwnGenerator(NoisyInput):
    """Seeded alike whatever the seed of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.own = torch.Generator().manual_seed(3)

    def noise(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=self.own, dtype=x.dtype).to(x.device)


class OwnNumpyGenerator(nn.Module):
    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic, self.own = critic, np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x) * (1 + 0.1 * self.own.random())


@fails("randomness from batch.rng", r"has a generator of its own, `critic\.own`")
class OwnGeneratorInTheCritic(Plain):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return OwnNumpyGenerator(critic)


@fails("randomness from batch.rng", "draws from torch's global generator instead of batch.rng")
class SinglePrecisionPointsOfTheGlobalStream(Penalised):
    """Their dtype would fail in float64 as well."""

    def points(self, batch: Batch) -> Tensor:
        epsilon = torch.rand((len(batch.real), 1), device=batch.real.device)
        return torch.lerp(batch.fake.flatten(1), batch.real.flatten(1), epsilon).view_as(batch.real)


@fails("state in buffers", "after a checkpoint critic_loss differs: keep state in buffers")
class CountsSteps(Plain):
    """A schedule by numbers of its own, which no checkpoint holds, instead of by batch.step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.steps.append(1)
        return super().critic_loss(critic, batch) * (1 + 0.1 * len(self.steps))


@fails("state in buffers", "objective.calls changed from 4 to 5, which no checkpoint holds")
class PenalisesEverySixteenthStep(Penalised):
    """By a number of its own, whose effect is further away than a game of the kit lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        self.calls += 1
        return super().penalty(critic, batch, create_graph) * (16 if self.calls % 16 == 0 else 1)


@fails("state in buffers", "the state cannot be loaded")
class RegistersLate(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        if not hasattr(self, "mean"):
            self.register_buffer("mean", torch.zeros_like(batch.real[0]))
        return super().critic_loss(critic, batch)


@fails("randomness from batch.rng", "seeds batch.rng anew")
class SeedsTheStream(NoisyInput):
    def noise(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        batch.rng.manual_seed(0)
        return x + 0.1 * torch.randn(x.shape, generator=batch.rng, device=x.device, dtype=x.dtype)


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
