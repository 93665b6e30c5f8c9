"""What the helpers find in critics of different makes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lipbench.objectives.layers import (
    ACTIVATIONS,
    GroupSort,
    MaxMin,
    contracts,
    head,
    hidden_features,
    is_chain,
    measurable,
    no_hidden_layer,
    weighted,
)


class Critic(nn.Module):
    """Points [B, 3] → [B] through one hidden layer; subclasses disturb what lies between the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bend, self.last = nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)

    def between(self, h: Tensor) -> Tensor:
        return h

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.bend(self.first(x)))).squeeze(1)


class Functional(Critic):
    def between(self, h: Tensor) -> Tensor:
        return F.relu(h)


class InPlace(Critic):
    def between(self, h: Tensor) -> Tensor:
        return h.add_(h)


class Residual(Critic):
    def between(self, h: Tensor) -> Tensor:
        return h + self.bend(h)


class Sliced(Critic):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 1)

    def between(self, h: Tensor) -> Tensor:
        return h[:, ::2]


class Scaled(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * super().forward(x)


class Viewed(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))


def convolutional() -> nn.Sequential:
    layers = [nn.Conv2d(1, 2, 3), nn.LeakyReLU(0.2, inplace=True), nn.Flatten(), nn.Linear(8, 1)]
    return nn.Sequential(*layers, nn.Flatten(0))


def test_layers_weighted_come_in_order_with_the_head_last() -> None:
    critic = convolutional()
    assert list(weighted(critic)) == ["0", "3"]
    assert head(critic) == ("3", critic.get_submodule("3"))


def test_layers_a_single_layer_leaves_no_hidden_one() -> None:
    assert no_hidden_layer(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))) == "the critic has no hidden layer"
    assert no_hidden_layer(convolutional()) is None


class Normalising(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight / self.weight.norm(), self.bias)


class NormalisingKernel(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, weight / weight.norm(), bias)


class Renamed(nn.Linear):
    """Another name alone, and torch's forward pass."""


class Around(nn.Module):
    """Goes around one layer, and hands its input to another by name."""

    def __init__(self, lends: nn.Linear, called: nn.Linear) -> None:
        super().__init__()
        self.lends, self.called = lends, called

    def forward(self, x: Tensor) -> Tensor:
        return self.called(input=F.linear(x, self.lends.weight / 2))


def test_layers_measurable_are_those_that_apply_their_weight_as_it_is_and_are_called() -> None:
    layers = [nn.Conv2d(1, 2, 3), NormalisingKernel(2, 2, 1), nn.Flatten(), Normalising(8, 4), Renamed(4, 3)]
    layers += [Around(nn.Linear(3, 6), nn.Linear(6, 2)), parametrizations.spectral_norm(nn.Linear(2, 1))]
    found = measurable(nn.Sequential(*layers), torch.randn(5, 1, 4, 4))
    assert found == {"0": (5, 1, 4, 4), "4": (5, 4), "5.called": (5, 6), "6": (5, 2)}
    assert not any(layer._forward_pre_hooks for layer in nn.Sequential(*layers).modules())


def test_layers_hidden_features_are_what_enters_the_head() -> None:
    critic = convolutional()
    images = torch.randn(5, 1, 4, 4)
    with hidden_features(critic) as features:
        logits = critic(images)
        critic(images[:2])
    assert [h.shape for h in features] == [(5, 8), (2, 8)]
    torch.testing.assert_close(critic[3](features[0]).flatten(), logits)
    critic(images)
    assert len(features) == 2, "the hook outlives its block"


@pytest.mark.parametrize("critic", [Critic(), Viewed()])
def test_layers_a_plain_chain_is_one(critic: nn.Module) -> None:
    assert is_chain(critic, (3,))


def test_layers_a_convolutional_sequence_is_a_chain() -> None:
    assert is_chain(convolutional(), (1, 4, 4))


@pytest.mark.parametrize(
    "critic", [Functional(), InPlace(), Residual(), Sliced(), Scaled()], ids=lambda c: type(c).__name__
)
def test_layers_anything_between_the_layers_breaks_the_chain(critic: nn.Module) -> None:
    assert not is_chain(critic, (3,))


def test_layers_looking_for_a_chain_leaves_no_hooks() -> None:
    critic = Critic()
    is_chain(critic, (3,))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in critic.modules())


ELEMENTWISE = [kind() for kind in ACTIVATIONS if kind not in (MaxMin, GroupSort, nn.PReLU)]
STEEP = [nn.LeakyReLU(1.5), nn.LeakyReLU(-1.5), nn.ELU(alpha=1.5), nn.LeakyReLU(0.2), nn.Softplus(beta=3)]


@pytest.mark.parametrize("activation", [*ELEMENTWISE, *STEEP], ids=str)
def test_layers_contract_where_no_slope_is_above_one(activation: nn.Module) -> None:
    x = torch.linspace(-6, 6, 2401, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(x).sum(), x)
    assert contracts(activation) == (slope.abs().max().item() <= 1 + 1e-12)


def test_layers_contract_by_sorting_but_not_with_a_trained_slope() -> None:
    assert contracts(MaxMin())
    assert not contracts(nn.PReLU())
    assert not contracts(nn.Linear(1, 1))
