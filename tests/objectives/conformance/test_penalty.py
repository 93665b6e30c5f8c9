"""Broken objectives that mix samples, share draws or lose second derivatives."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective

from .sound import Broken, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("samples stay apart", "depends on the other samples of the batch")
class AddsBatchNorm(Penalised):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for name, layer in list(critic.named_modules()):
            if name.endswith("layers.0"):
                norm = nn.BatchNorm2d(8) if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d(32)
                critic.set_submodule(name, nn.Sequential(layer, norm))
        return critic


@fails("batch norm refused", "leave penalty_allows_batch_norm False")
class AllowsBatchNormUnderSlopes(Penalised):
    penalty_allows_batch_norm = True


@fails("batch norm refused", r"let a skip_reason of your own ask super\(\)")
class ForgetsTheDefaultRefusal(Penalised):
    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        return None


@fails("one draw a sample", "one random draw serves the whole batch")
class OneEpsilon(Penalised):
    def points(self, batch: Batch) -> Tensor:
        epsilon = torch.rand((), generator=batch.rng, device=batch.real.device, dtype=batch.real.dtype)
        return batch.fake + epsilon * (batch.real - batch.fake)


@fails("one draw a sample", "one random draw serves the whole batch")
class OneNoise(Plain):
    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        noise = torch.randn(x.shape[1:], generator=batch.rng, device=x.device, dtype=x.dtype)
        return x + 0.1 * noise


@fails("penalty differentiable", "is create_graph=True missing")
class NotTwice(Penalised):
    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = False) -> Tensor:
        return super().penalty(critic, batch, create_graph)


@fails("penalty differentiable", "along its gradient of norm")
class HalfDetached(Penalised):
    """E[s² − 2s + 1] with the second s held fixed: the gradient is 2s instead of 2s − 2."""

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        x = self.points(batch).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        slope = self.norm(gradient)
        return 10 * (slope.square() - 2 * slope.detach() + 1).mean()


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
