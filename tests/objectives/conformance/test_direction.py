"""Broken objectives that move a player the wrong way, or the other one's."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, GradientPenalty, Objective

from .sound import Broken, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("gradient reaches the generator", "are the fakes detached")
class DetachesFakes(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -critic(batch.fake.detach()).mean()


@fails("gradient reaches the generator", "are the fakes detached")
class GradientOfZero(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -critic(batch.fake.detach()).mean() + 0 * batch.fake.sum()


@fails("critic separates", "both must be > 0")
class InvertedCritic(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.loss.critic(critic(batch.fake), critic(batch.real))


@fails("critic separates", "both must be > 0")
class InvertedCriticWithPenalty(GradientPenalty):
    name = "inverted-gp"

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -super().critic_loss(critic, batch)


@fails("generator approaches the data", "both must be > 0")
class InvertedGenerator(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -super().generator_loss(critic, batch)


@fails("critic kept by the generator phase", "the generator phase changes the critic's layers.0.weight")
class ShrinksTheCritic(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.mul_(0.999)
        return super().generator_loss(critic, batch)


@fails("critic kept by the generator phase", "the generator phase changes the critic's passes: keep a power iteration")
class CountsPasses(Plain):
    """A wrapper whose buffer moves with every forward pass, like power iterations in a hook."""

    class Counting(nn.Module):
        def __init__(self, critic: nn.Module) -> None:
            super().__init__()
            self.critic = critic
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.passes += 1
            return self.critic(x)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return self.Counting(critic)


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
