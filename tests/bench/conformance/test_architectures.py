"""The kit of architectures: ours pass, and each broken network fails the one check that is meant for it."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.conformance.architectures import CHECKS, check_architecture
from lipbench.models import ARCHITECTURES, Networks, Unsuited
from lipbench.objectives.conformance.report import Status


class Generator(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, math.prod(shape)))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Critic(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(math.prod(shape), 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).tanh()).squeeze(1)


class NoShape(Generator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z)[:, :1].repeat(1, 3)


class Column(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, None]


class OwnSeed(Critic):
    calls = 0

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        OwnSeed.calls += 1
        nn.init.constant_(self.first.bias, OwnSeed.calls)


class Noisy(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.randn_like(x))


class Counting(Critic):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(x)


class Hidden(Critic):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.scale = torch.rand(8)  # no buffer

    def forward(self, x: Tensor) -> Tensor:
        return self.last((self.scale.to(x) * self.first(x)).tanh()).squeeze(1)


class Centred(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0) if self.training else x)


class Stepped(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach() + 0 * x)


class Unused(Critic):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.spare = nn.Linear(2, 2)


class Single(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


class Normed(Critic):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.first(x)).tanh()).squeeze(1)


def made(generator: type[nn.Module] = Generator, critic: type[nn.Module] = Critic) -> Callable[..., Networks]:
    return lambda shape: Networks(generator(shape), critic(shape), 3)


@pytest.mark.parametrize("name", ["mlp", "dcgan"])
def test_our_architectures_pass(name: str) -> None:
    report = check_architecture(name, lambda shape: ARCHITECTURES[name](shape))
    assert report.ok, str(report)


def test_batch_norm_is_told_and_no_failure() -> None:
    report = check_architecture("normed", made(critic=Normed))
    assert report.ok, str(report)
    assert "batch norm" in next(result.reason for result in report.results if result.check == "samples apart")


BROKEN: dict[str, dict[str, Any]] = {
    "shapes": {"generator": NoShape},
    "one logit a sample": {"critic": Column},
    "same seed, same weights": {"critic": OwnSeed},
    "eval repeats": {"critic": Noisy},
    "state_dict round trip": {"critic": Hidden},
    "samples apart": {"critic": Centred},
    "double backward": {"critic": Stepped},
    "gradient reaches every parameter": {"critic": Unused},
    "float64": {"critic": Single},
}


def test_every_check_has_a_broken_example() -> None:
    assert set(BROKEN) | {"its own class"} == {check.name for check in CHECKS}


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_network_fails_its_check_alone(check: str) -> None:
    report = check_architecture("broken", made(**BROKEN[check]))
    assert [result.check for result in report.failures] == [check], str(report)


class Pair(Critic):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x), x


class Double(Critic):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).double()


class DoubleSamples(Generator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).double()


@pytest.mark.parametrize(
    ("networks", "check", "reason"),
    [
        ({"critic": Pair}, "one logit a sample", "the critic makes a tuple: must be a tensor"),
        ({"critic": Double}, "one logit a sample", "the critic makes torch.float64 of torch.float32"),
        ({"generator": DoubleSamples}, "shapes", "the generator makes torch.float64 of torch.float32"),
    ],
)
def test_a_network_that_makes_something_else_than_its_input_is_fails_in_words(
    networks: dict[str, Any], check: str, reason: str
) -> None:
    failure = check_architecture("other", made(**networks)).failures[0]
    assert (failure.check, failure.reason) == (check, reason)


def test_a_network_whose_pass_changes_it_fails() -> None:
    report = check_architecture("counting", made(critic=Counting))
    assert [result.check for result in report.failures] == ["eval repeats"]


def test_an_architecture_that_suits_nothing_is_told() -> None:
    def nothing(shape: tuple[int, ...]) -> Networks:
        raise Unsuited(f"no {shape}")

    with pytest.raises(Unsuited, match="suits none of the shapes"):
        check_architecture("nothing", nothing)


class Deaf(nn.Module):
    """Does not hear its class."""

    def forward(self, z: Tensor) -> Tensor:
        return z[:, :1] * 0.1 + torch.zeros(len(z), 2)


class Neighbours(nn.Module):
    """Hears the class of the sample before, too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z + 0.5 * z.roll(1, dims=0))


@pytest.mark.parametrize(("generator", "told"), [(Deaf, "does not change with its class"), (Neighbours, "of another")])
def test_kit_finds_conditional_networks_that_do_not_hear_their_class(generator: Any, told: str) -> None:
    def make(shape: tuple[int, ...]) -> Networks:
        if shape != (2,):
            raise Unsuited("points alone")
        whole = ARCHITECTURES["mlp"](shape, width=8, latent_dim=2, classes=3)
        return Networks(generator(), whole.critic, 2, classes=3)

    (result,) = [one for one in check_architecture("mine", make).results if one.check == "its own class"]
    assert result.status is Status.FAIL and told in result.reason


@pytest.mark.parametrize("conditioning", ["projection", "concat"])
@pytest.mark.parametrize("name", ["mlp", "dcgan"])
def test_our_conditional_networks_pass(name: str, conditioning: str) -> None:
    settings: dict[str, Any] = {"classes": 3, "conditioning": conditioning}
    small = {"width": 8} if name == "mlp" else {"channels": 4}
    report = check_architecture(name, lambda shape: ARCHITECTURES[name](shape, **settings, **small))
    assert report.ok, report
    assert {r.check: r.status for r in report.results}["its own class"] is Status.PASS
