"""Broken objectives that do not run, return the wrong things or change their inputs."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lipbench.objectives import Batch, Objective

from .sound import Broken, Clipped, Penalised, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


@fails("runs", r"the objective's scale\.weight is in no optimiser: let prepare_critic put it into the critic")
class TrainsNobodysNetwork(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch) + self.scale(critic(batch.real)[:, None]).square().mean()


@fails("runs", "raises KeyError: 'labels'")
class Raises(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        raise KeyError("labels")


@fails("runs", "the class attribute `reference` is missing")
class Nameless(Objective):
    name = "nameless"


@fails("runs", "generator_loss is a float, not a tensor")
class ReturnsAFloat(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().generator_loss(critic, batch).item()  # pyright: ignore[reportReturnType]


@fails("runs", "every critic of the kit is refused")
class RefusesEverything(Plain):
    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str:
        return "only transformers"


@fails("runs", "critic_loss has no gradient")
class Disconnected(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch).detach()


class Repeated(nn.Module):
    """Logits [B, n], n equal columns."""

    def __init__(self, critic: nn.Module, n: int) -> None:
        super().__init__()
        self.critic, self.n = critic, n

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x)[:, None].expand(-1, self.n)


@fails("runs", r"the critic \(Repeated\) returns logits of shape \(32, 3\) for 32 samples, expected \(32,\)")
class ThreeLogits(Plain):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return Repeated(critic, 3)


@fails("runs", r"logits of shape \(32, 1\) for 32 samples")
class ColumnOfLogits(Plain):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return Repeated(critic, 1)


@fails("shapes", r"critic_loss has shape \(1,\), not \(\), for 7 samples")
class LossInAList(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch)[None]


@fails("shapes", r"critic_loss has shape \(7,\), not \(\), for 7 samples")
class LossPerSample(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return critic(batch.fake) - critic(batch.real)


@fails("finite scalars", "is inf for 32 samples and a critic scaled by")
class LogOfSigmoid(Plain):
    """log(1 − σ(f)) is −∞ from f = 17 on, in single precision."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        real, fake = critic(batch.real).sigmoid(), critic(batch.fake).sigmoid()
        return -real.log().mean() - (1 - fake).log().mean()


@fails("inputs unchanged", "the critic phase changes batch.real in place")
class ChangesInputs(Plain):
    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x.mul_(0.9)


@fails("inputs unchanged", "the generator phase changes batch.real in place")
class ChangesRealSamples(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        batch.real.zero_()
        return super().generator_loss(critic, batch)


@fails("runs", "prepare_critic returned None, not a module")
class ForgetsToReturnTheCritic(Plain):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        parametrizations.spectral_norm(next(m for m in critic.modules() if isinstance(m, nn.Linear)))
        return None  # pyright: ignore[reportReturnType]


@fails("NaN stays visible", "critic_loss is finite although a real sample is NaN")
class SwallowsNaN(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch).nan_to_num()


@fails("NaN stays visible", "generator_loss is finite although a generated sample is NaN")
class DropsNaNSamples(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -critic(batch.fake).nanmean()


@fails("NaN stays visible", "penalty is finite although the critic's parameters are NaN")
class SwallowsNaNInThePenalty(Penalised):
    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        return super().penalty(critic, batch, create_graph).nan_to_num()


@fails("NaN stays visible", "the constraint replaces the critic's NaN parameters")
class RepairsNaN(Clipped):
    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            parameter.nan_to_num_().clamp_(-0.05, 0.05)


@fails("NaN stays visible", "NaN raises ValueError: diverged .*; a run would fail, not diverge")
class RaisesOnNaN(Plain):
    capturable = False

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        loss = super().critic_loss(critic, batch)
        if loss.device.type != "meta" and loss.isnan():
            raise ValueError("diverged")
        return loss


@fails("NaN stays visible", "NaN raises _LinAlgError: .*; a run would fail, not diverge")
class ProjectsSingularValues(Plain):
    capturable = False

    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            if parameter.dim() == 1:
                parameter.clamp_(-1, 1)
                continue
            u, s, vh = torch.linalg.svd(parameter.flatten(1), full_matrices=False)
            parameter.copy_(((u * s.clamp(max=1)) @ vh).view_as(parameter))


@fails("shapes", r"points: the critic is given samples of shape \(7, 1, 7, 8\), not \(n, 8\)")
class EpsilonOfImages(Penalised):
    """Of shape [B, 1, 1, 1] also on points, which makes a batch of batches."""

    def points(self, batch: Batch) -> Tensor:
        size = (len(batch.real), 1, 1, 1)
        epsilon = torch.rand(size, generator=batch.rng, device=batch.real.device, dtype=batch.real.dtype)
        return batch.fake + epsilon * (batch.real - batch.fake)


@fails("inputs unchanged", "the generator phase changes batch.fake in place")
class ChangesFakes(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        batch.fake.mul_(0.9)
        return super().generator_loss(critic, batch)


@fails("finite scalars", "penalty is nan for 1 samples")
class SpreadOfOneSample(Plain):
    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        logits = critic(batch.real)
        return (logits - logits.mean()).square().sum() / (len(logits) - 1)


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
