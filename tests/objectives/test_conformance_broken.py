"""Broken objectives, at least one for each check of the conformance kit: it fails exactly that check and no other."""

import random
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from lipbench.objectives import Batch, GradientPenalty, Objective, SpectralNorm
from lipbench.objectives.conformance import CHECKS, assert_conforms, check_objective
from lipbench.objectives.layers import WEIGHTED
from lipbench.objectives.slopes import POINTS

Broken = type[Objective]
BROKEN: list[tuple[str, Broken, str]] = []


def fails(check: str, reason: str) -> Callable[[Broken], Broken]:
    """Notes that the class below must fail that check, with a reason that says so, and no other."""

    def note(broken: Broken) -> Broken:
        BROKEN.append((check, broken, reason))
        return broken

    return note


class Plain(Objective):
    """Sound; the broken ones differ from it in one thing."""

    name, reference = "plain", "none"

    def __init__(self, *, loss: str = "non_saturating") -> None:
        super().__init__(loss=loss)


class Penalised(GradientPenalty):
    """Sound, with a penalty that the broken ones replace."""

    name, reference = "penalised", "none"

    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(1).norm(dim=1)

    def points(self, batch: Batch) -> Tensor:
        return POINTS["line"](batch)

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        x = self.points(batch).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=create_graph)
        return 10 * (self.norm(gradient) - 1).square().mean()


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


@fails("finite scalars", r"critic_loss has shape \(1,\), not \(\), for 7 samples")
class LossInAList(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch)[None]


@fails("finite scalars", r"critic_loss has shape \(7,\), not \(\), for 7 samples")
class LossPerSample(Plain):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return critic(batch.fake) - critic(batch.real)


@fails("finite scalars", "is inf for 32 samples and a critic scaled by")
class LogOfSigmoid(Plain):
    """log(1 − σ(f)) is −∞ from f = 17 on, in single precision."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        real, fake = critic(batch.real).sigmoid(), critic(batch.fake).sigmoid()
        return -real.log().mean() - (1 - fake).log().mean()


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


@fails("inputs unchanged", "the critic phase changes batch.real in place")
class ChangesInputs(Plain):
    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x.mul_(0.9)


@fails("inputs unchanged", "the generator phase changes batch.real in place")
class ChangesRealSamples(Plain):
    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        batch.real.zero_()
        return super().generator_loss(critic, batch)


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


class Clipped(Plain):
    def clip_(self, module: nn.Module) -> None:
        for parameter in module.parameters():
            parameter.clamp_(-0.05, 0.05)


@fails("constraint holds", r"leaves layers\.3\.weight \(of a Linear\), layers\.5\.weight \(of a Linear\) unconstrained")
class ClipsTheFirstLayer(Clipped):
    def constrain_(self, critic: nn.Module) -> None:
        first = next(layer for layer in critic.modules() if isinstance(layer, WEIGHTED))
        norms = [layer for layer in critic.modules() if isinstance(layer, nn.LayerNorm | nn.GroupNorm)]
        for layer in (first, *norms):
            self.clip_(layer)


@fails("constraint holds", r"layers\.1\.weight \(of a LayerNorm\) unconstrained in a critic with layer norm")
class ForgetsNorms(Clipped):
    def constrain_(self, critic: nn.Module) -> None:
        for layer in critic.modules():
            if isinstance(layer, WEIGHTED):
                self.clip_(layer)


@fails("constraint holds", "constrain it in constrain_, after the step")
class ClipsBeforeTheStep(Clipped):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        with torch.no_grad():
            self.clip_(critic)
        return super().critic_loss(critic, batch)


@fails("constraint holds", "is out of bounds: constrain_ applied again changes it")
class ClipsEveryOtherStep(Clipped):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def constrain_(self, critic: nn.Module) -> None:
        self.calls += 1
        bound = torch.where(self.calls % 2 == 0, 0.05, 1.0)
        for parameter in critic.parameters():
            parameter.copy_(parameter.clamp(-bound, bound))


@fails("constraint holds", "constrain_ leaves .* unconstrained")
class ClipsACopy(Clipped):
    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            parameter.clamp(-0.05, 0.05)


@fails("constraint holds", r"the weights of layers\.\d are not parametrised")
class NormalisesHiddenLayers(Plain):
    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for layer in [layer for layer in critic.modules() if isinstance(layer, WEIGHTED)][:-1]:
            parametrizations.spectral_norm(layer)
        return critic


@fails("bound on linear layers", "claimed bound 1")
class ClaimsABoundForAPenalty(GradientPenalty):
    name, lipschitz_bound = "bold-gp", 1.0


@fails("bound on linear layers", "claimed bound 0.1")
class ClaimsTooMuch(SpectralNorm):
    name, lipschitz_bound = "bold-sn", 0.1

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return super().prepare_critic(critic)


@fails("bound on linear layers", "claimed bound 1")
class NormalisesOnce(Plain):
    """At the start, when it is true, and never again."""

    lipschitz_bound = 1.0

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for name, parameter in critic.named_parameters():
            if name.endswith("weight"):
                parameter.data.div_(torch.linalg.matrix_norm(parameter.data.flatten(1), 2))
        return critic


class LargestEntry(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / weight.abs().max()


@fails("bound on convolutions", "claimed bound 1, product of the layers' norms")
class NormalisesConvolutionsByTheirLargestEntry(Plain):
    lipschitz_bound = 1.0

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for layer in critic.modules():
            if isinstance(layer, nn.Conv2d):
                parametrize.register_parametrization(layer, "weight", LargestEntry())
            elif isinstance(layer, nn.Linear):
                parametrizations.spectral_norm(layer)
        return critic


class FreeConvolution(nn.Module):
    """A layer of its own class, with a kernel as it comes."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias, self.stride, self.padding = layer.weight, layer.bias, layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)  # pyright: ignore[reportArgumentType]


@fails("bound on convolutions", "of another class than torch's layers, norm not known")
class ClaimsABoundOfLayersOfItsOwn(Plain):
    lipschitz_bound = 1.0

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        for name, layer in list(critic.named_modules()):
            if isinstance(layer, nn.Conv2d):
                critic.set_submodule(name, FreeConvolution(layer))
            elif isinstance(layer, nn.Linear):
                parametrizations.spectral_norm(layer)
        return critic


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


@fails("NaN stays visible", "NaN raises ValueError, so that a run would fail, not diverge: diverged")
class RaisesOnNaN(Plain):
    capturable = False

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        loss = super().critic_loss(critic, batch)
        if loss.device.type != "meta" and loss.isnan():
            raise ValueError("diverged")
        return loss


@fails("NaN stays visible", "NaN raises _LinAlgError, so that a run would fail, not diverge")
class ProjectsSingularValues(Plain):
    capturable = False

    def constrain_(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            if parameter.dim() == 1:
                parameter.clamp_(-1, 1)
                continue
            u, s, vh = torch.linalg.svd(parameter.flatten(1), full_matrices=False)
            parameter.copy_(((u * s.clamp(max=1)) @ vh).view_as(parameter))


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


def parameters() -> Iterator[object]:
    """The first broken objective of each check, and as slow ones the others."""
    seen = set[str]()
    for check, broken, reason in BROKEN:
        marks = [pytest.mark.slow] if check in seen else []
        seen.add(check)
        yield pytest.param(check, broken, reason, id=broken.__name__, marks=marks)


@pytest.mark.parametrize(("check", "broken", "reason"), list(parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(check: str, broken: Broken, reason: str) -> None:
    report = check_objective(broken)
    assert [failure.check for failure in report.failures] == [check], str(report)
    assert re.search(reason, report.failures[0].reason), report.failures[0].reason


def test_conformance_each_check_has_a_broken_objective() -> None:
    assert {check for check, _, _ in BROKEN} == {check.name for check in CHECKS}


@pytest.mark.parametrize("sound", [Plain, Penalised])
def test_conformance_passes_what_the_broken_ones_are_made_from(sound: Broken) -> None:
    assert_conforms(sound)
