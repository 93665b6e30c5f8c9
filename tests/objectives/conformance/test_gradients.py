"""Broken objectives that have gradients that are not finite where something is zero."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective

from .sound import Broken, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("finite gradients", "the critic's layers.0.weight is not finite, though the loss is, where the critic is 0")
class RootOfSquares(Penalised):
    """At a slope of zero the root's derivative is infinite; torch.norm's is taken as zero."""

    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(1).square().sum(1).sqrt()


@fails("finite gradients", "where the critic is 0")
class RootOfTheGap(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        gap = critic(batch.real).mean() - critic(batch.fake).mean()
        return super().critic_loss(critic, batch) + 0.1 * gap.square().sqrt()


@fails("finite gradients", "the generator's 0.weight is not finite, though the loss is, where all fakes are equal")
class RootOfTheSpread(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        fake = batch.fake.flatten(1)
        spread = (fake - fake.mean(0)).square().mean(0).sqrt().mean()
        return super().generator_loss(critic, batch) - 0.01 * spread


@fails("finite gradients", "penalty is nan for equal real and fake samples")
class DifferenceQuotient(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        distance = (batch.real - batch.fake).flatten(1).norm(dim=1)
        return 0.01 * ((critic(batch.real) - critic(batch.fake)) / distance).square().mean()


@fails("finite gradients", "not finite, though the loss is, for a batch of one")
class PointsByTheSpread(Penalised):
    """The deviation of a single sample is NaN, and so is where the slope is taken."""

    def points(self, batch: Batch) -> Tensor:
        spread = batch.real.var(0, correction=0) * len(batch.real) / (len(batch.real) - 1 or torch.nan)
        return batch.real + 0.1 * spread


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
