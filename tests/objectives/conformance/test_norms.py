"""Broken objectives that take no norm of a sample's gradient."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective
from lipbench.objectives.slopes import line

from .sound import Broken, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("norms per sample", "slope 0.5 everywhere, yet")
class NormOverTheBatch(Penalised):
    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.norm()


@fails("norms per sample", "32 of two opposite gradients")
class NormOfTheMean(Penalised):
    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.mean(0).norm()


@fails("norms per sample", "images: slope 0.5 everywhere, yet")
class NormPerPixel(Penalised):
    """Over the channels alone; summed over the samples it is not even the right size."""

    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.norm(dim=1).flatten(1).sum(1) if gradient.dim() > 2 else super().norm(gradient)

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        factor = len(batch.real) if batch.real.dim() > 2 else 1
        return factor * super().penalty(critic, batch, create_graph)


@fails("norms per sample", "the penalty falls from -0.025 at slope 0.5 to .* at slope 1000: is its sign wrong?")
class RewardsSlopes(Penalised):
    """Too little to show in a short game."""

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        return -0.01 * super().penalty(critic, batch, create_graph)


def gradients(critic: nn.Module, batch: Batch) -> Tensor:
    x = line(batch).detach().requires_grad_(True)
    return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]


@fails("norms per sample", "images: it is made of no norm of a sample's gradient .* of each pixel or channel")
class MeanOverPixels(Plain):
    """Norms over the channels alone, [B, H, W]."""

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * (gradients(critic, batch).norm(dim=1) - 1).square().mean()


@fails("norms per sample", "images: it is made of no norm of a sample's gradient")
class OneSidedMeanOverPixels(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * (gradients(critic, batch).norm(dim=1) - 0.05).clamp(min=0).square().mean()


@fails("norms per sample", "images: it is made of no norm of a sample's gradient")
class NormPerChannel(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        gradient = gradients(critic, batch)
        rows = gradient.flatten(2) if gradient.dim() > 2 else gradient[:, None]
        return 10 * (rows.norm(dim=2) - 1).square().mean()


@fails("norms per sample", "halved where samples have twice as many coordinates")
class MeanOverCoordinates(Plain):
    """R1 but for a factor that is the size of a sample."""

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return 10 * gradients(critic, batch).square().mean()


@fails("norms per sample", r"images, step 15: it is made of no norm")
class NowAndThenPerPixel(Plain):
    """At every 16th step, and not at the first."""

    capturable = False

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor | None:
        if batch.step % 16 != 15:
            return None
        return 160 * (gradients(critic, batch).norm(dim=1) - 1).square().mean()


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
