"""Broken objectives that overlook samples."""

import pytest
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective
from lipbench.objectives.slopes import line, slopes

from .sound import Broken, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


def norms(critic: nn.Module, batch: Batch) -> Tensor:
    return slopes(critic, line(batch))


def half(batch: Batch) -> int:
    return (len(batch.real) + 1) // 2


@fails("every sample counts", "where sample 1 of 5 has slope 1000 and the others 0.5, below the samples' mean")
class PenalisesTheFirst(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * (norms(critic, batch)[0] - 1).square()


@fails("every sample counts", "where sample 3 of 5")
class PenalisesHalf(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * (norms(critic, batch)[: half(batch)] - 1).square().mean()


@fails("every sample counts", "is it one of the mean")
class PenalisesTheMeanSlope(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * (norms(critic, batch).mean() - 1).square()


@fails("every sample counts", "critic_loss does not depend on real sample 3 of 5")
class JudgesHalf(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        n = half(batch)
        return self.loss.critic(critic(batch.real)[:n], critic(batch.fake)[:n])


@fails("every sample counts", "generator_loss does not depend on fake sample 1 of 5")
class LearnsFromEveryOther(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return self.loss.generator(critic(batch.fake)[::2], None)


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
