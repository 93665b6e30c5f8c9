"""Broken objectives that leave weights free or claim bounds that they do not keep."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from lipbench.objectives import Batch, GradientPenalty, Objective, SpectralNorm
from lipbench.objectives.layers import WEIGHTED

from .sound import Broken, Clipped, Plain, assert_fails_only

broken = Broken()
fails = broken.fails


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


@pytest.mark.parametrize(("check", "objective", "reason"), list(broken.parameters()))
def test_conformance_fails_exactly_the_check_that_is_broken(
    check: str, objective: type[Objective], reason: str
) -> None:
    assert_fails_only(check, objective, reason)
