"""Broken objectives that wait for the device, or work in one precision and on one device alone."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, Objective

from .sound import Broken, Clipped, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("capturable", r"talks to the host \(_local_scalar_dense\)")
class ReadsTheLoss(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        loss = super().critic_loss(critic, batch)
        return loss * 2 if loss > 100 else loss


@fails("capturable", r"talks to the host \(numpy\)")
class ComputesInNumpy(Plain):
    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + 0 * float(np.mean(x.detach().float().numpy()))


@fails("capturable", r"talks to the host \(index\)")
class SelectsByMask(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        logits = critic(batch.fake)
        return -logits[torch.ones_like(logits, dtype=torch.bool)].mean()


class Asks(Plain):
    """Adds what is asked of the samples to the loss, without changing it."""

    def ask(self, batch: Batch) -> Tensor | float:
        raise NotImplementedError

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch) + 0 * self.ask(batch)


@fails("capturable", r"talks to the host \(_local_scalar_dense\)")
class DecidesByTheStep(Asks):
    """The step is a number for a run that is not accelerated, and lies on the device for the others."""

    def ask(self, batch: Batch) -> Tensor | float:
        return 1.0 if batch.step % 16 == 0 else 2.0


@fails("capturable", r"talks to the host \(to\)")
class MovesToTheHost(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return batch.fake.to("cpu").mean().to(batch.fake.device)


@fails("capturable", r"talks to the host \(tensor\)")
class BringsNumbersToTheDevice(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return torch.tensor([1.0, 2.0], device=batch.fake.device).mean()


@fails("capturable", r"talks to the host \(allclose\)")
class ComparesAll(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return float(torch.allclose(batch.real, 2 * batch.real))


@fails("capturable", r"talks to the host \(index_put_\)")
class SetsByMask(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        x = batch.real.clone()
        x[torch.ones_like(x, dtype=torch.bool)] = batch.real.flatten()
        return x.mean()


@fails("capturable", r"talks to the host \(unique_consecutive\)")
class CountsConsecutive(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return batch.fake.unique_consecutive().mean()


@fails("capturable", r"talks to the host \(unique_dim\)")
class CountsRows(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return batch.fake.unique(dim=0).mean()


@fails("capturable", r"talks to the host \(repeat_interleave\)")
class RepeatsByCounts(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        counts = torch.ones(len(batch.fake), dtype=torch.int64, device=batch.fake.device)
        return batch.fake.repeat_interleave(counts, dim=0).mean()


@fails("capturable", r"talks to the host \(bincount\)")
class CountsNumbers(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return torch.ones(len(batch.real), dtype=torch.int64, device=batch.real.device).bincount().sum()


@fails("capturable", r"talks to the host \(_linalg_check_errors\)")
class SolvesAndIsTold(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        identity = torch.eye(3, dtype=batch.real.dtype, device=batch.real.device)
        return torch.linalg.solve(identity, identity).sum()


@fails("capturable", r"talks to the host \(_linalg_svd\)")
class TakesSingularValues(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return torch.linalg.svdvals(torch.ones(2, 3, device=batch.real.device)).sum()


@fails("capturable", r"talks to the host \(_linalg_eigh\)")
class TakesEigenvalues(Asks):
    def ask(self, batch: Batch) -> Tensor | float:
        return torch.linalg.eigvalsh(torch.ones(2, 2, device=batch.real.device)).sum()


@fails("capturable", r"critic\.layers\.0\.weight is replaced by another tensor")
class ReplacesWeights(Clipped):
    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            parameter.data = parameter.data.clamp(-0.05, 0.05)


@fails("capturable", r"objective\.multiplier is replaced by another tensor")
class ReplacesItsBuffer(Plain):
    multiplier: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("multiplier", torch.ones(()))

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.multiplier = 0.999 * self.multiplier
        return super().critic_loss(critic, batch) * self.multiplier


@fails("float64", "critic_loss is torch.float32 for data and networks in float64")
class SinglePrecision(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch).float()


@fails("float64", "raises RuntimeError")
class SinglePrecisionProjection(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        flat = x.flatten(1)
        return (flat @ torch.eye(flat.shape[1], device=x.device)).view_as(x)


@fails("float64", "raises RuntimeError")
class SinglePrecisionPenalty(Penalised):
    def points(self, batch: Batch) -> Tensor:
        epsilon = torch.rand((len(batch.real), 1), generator=batch.rng, device=batch.real.device)
        return torch.lerp(batch.fake.flatten(1), batch.real.flatten(1), epsilon).view_as(batch.real)


@fails("autocast", "raises RuntimeError: expected dtype")
class AveragesProducts(Plain):
    """lerp takes no two dtypes, and products are in half precision under autocast."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        flat = batch.real.flatten(1)
        self.mean.copy_(torch.lerp(self.mean, (flat @ flat.T).mean(), 0.1))
        return super().critic_loss(critic, batch)


@fails("autocast", "the penalty is torch.bfloat16 under bf16 autocast")
class RoundsThePenalty(Penalised):
    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        penalty = super().penalty(critic, batch, create_graph)
        return penalty.bfloat16() if penalty.dtype == torch.float32 else penalty


@fails("other device", "mixes devices")
class MakesTensorsOnTheCPU(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        weights = torch.ones(len(batch.real), dtype=batch.real.dtype)
        return self.loss.critic(critic(batch.real) * weights, critic(batch.fake))


@fails("other device", "mixes devices")
class KeepsATensorOutsideBuffers(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.tensor([2])

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return (super().critic_loss(critic, batch) * self.factor).sum()


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
