"""bfloat16 in the networks alone; TF32 settings put back; nothing changed at the default."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.models import Iteration, repeatable_float32, tensor_float32
from lipbench.models.acceleration import TrainingLoop, rehearse
from lipbench.models.precision import float32_settings
from lipbench.objectives import Batch, GradientPenalty, NonSaturating, Objective, SpectralNorm

MakeIteration = Callable[..., Iteration]


def tf32() -> tuple[Any, Any]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("before", [True, False])
def test_precision_puts_the_choice_of_convolutions_back(monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", before)
    with pytest.raises(KeyError), tensor_float32(True), repeatable_float32():
        assert torch.backends.cudnn.deterministic
        assert tf32() == (False, False)
        raise KeyError
    assert torch.backends.cudnn.deterministic is before


backends: Any = torch.backends
SETTINGS = {  # what a notebook or a plug-in may have said, in torch's older words and in its newer ones
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "products": lambda: setattr(backends.cuda.matmul, "allow_tf32", True),
    "no convolutions": lambda: setattr(backends.cudnn, "allow_tf32", False),
    "new products": lambda: setattr(backends.cuda.matmul, "fp32_precision", "tf32"),
    "new convolutions": lambda: setattr(backends.cudnn.conv, "fp32_precision", "ieee"),
    "new on the CPU": lambda: setattr(backends.mkldnn.matmul, "fp32_precision", "bf16"),
}


def newer() -> list[str]:
    """Of each library and kind of operation; without one it is exact."""
    parts = (
        backends.cuda.matmul,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
        backends.cudnn.conv,
        backends.cudnn.rnn,
    )
    return [part.fp32_precision.replace("none", "ieee") for part in parts]


@pytest.fixture
def put_back() -> Iterator[None]:
    before = newer()
    yield
    torch.set_float32_matmul_precision("highest")
    backends.cudnn.allow_tf32 = True
    assert newer() == before


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize("said", [*itertools.combinations_with_replacement(SETTINGS, 2)])
def test_precision_is_full_whatever_was_said_before_and_comes_back(said: tuple[str, str]) -> None:
    for name in said:
        SETTINGS[name]()
    before, newly_before = float32_settings(), newer()
    with tensor_float32(False):
        assert (torch.get_float32_matmul_precision(), tf32(), newer()) == ("highest", (False, False), ["ieee"] * 5)
        for name in said:
            SETTINGS[name]()
    assert newer() == newly_before
    with tensor_float32(True):
        assert (torch.get_float32_matmul_precision(), tf32()) == ("high", (True, True))
    assert newer() == newly_before
    if "mixed" not in before:  # which torch can say no more in its older words
        assert float32_settings() == before


class Watched(GradientPenalty):
    """Keeps the types of what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, torch.dtype, bool]] = []

    def _note(self, what: str, tensor: Tensor) -> None:
        self.seen.append((what, tensor.dtype, torch.is_autocast_enabled("cpu")))

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self._note("fake", batch.fake)
        self._note("logits", critic(batch.real))
        return super().critic_loss(critic, batch)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        self._note("logits in the penalty", critic(batch.real))
        return super().penalty(critic, batch)

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self._note("fake of the generator", batch.fake)
        return super().generator_loss(critic, batch)

    def constrain_(self, critic: nn.Module) -> None:
        self._note("constraint", next(critic.parameters()))


def inner_types(iteration: Iteration) -> list[torch.dtype]:
    """What the first layers of generator and critic give out, in the order of the forward passes."""
    found: list[torch.dtype] = []
    for network in (iteration.generator, iteration.critic):
        layer = next(m for m in network.modules() if isinstance(m, nn.Linear))
        layer.register_forward_hook(lambda _, __, output: found.append(output.dtype))
    return found


@pytest.mark.parametrize(("precision", "expected"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_of_the_networks_and_of_nothing_else(
    make_iteration: MakeIteration, precision: str, expected: torch.dtype
) -> None:
    iteration = make_iteration(Watched(), precision=precision)
    inner = inner_types(iteration)
    iteration.run(1)
    low, high = expected, torch.float32
    # Fakes; the logits noted; those of loss, penalty (noted, own); generator and critic of the generator's step.
    assert inner == [low, low, low, low, high, high, low, low]
    half = precision == "bf16"
    assert iteration.objective.seen == [
        ("fake", high, half),
        ("logits", high, half),
        ("logits in the penalty", high, False),
        ("constraint", high, False),
        ("fake of the generator", high, half),
    ]
    assert {p.grad.dtype for p in iteration.generator.parameters() if p.grad is not None} == {high}


def test_precision_bf16_makes_normalised_weights_in_full(make_iteration: MakeIteration) -> None:
    """σ in half precision would be off by up to 1 %: after one step both have the weights of eager float32."""
    sigmas = []
    for precision in ("32", "bf16"):
        iteration = make_iteration(SpectralNorm(), precision=precision, n_critic=1)
        types: list[Any] = []
        layer: Any = next(m for m in iteration.critic.modules() if isinstance(m, nn.Linear))
        layer.parametrizations.weight[0].register_forward_hook(lambda _, __, output, types=types: types.append(output))
        iteration.run(1)
        assert [x.dtype for x in types] == [torch.float32, torch.float32]
        sigmas.append(types[0].detach())
    assert torch.equal(*sigmas)


@pytest.mark.parametrize("objective", [GradientPenalty(), SpectralNorm()])
def test_precision_bf16_trains_near_float32(make_iteration: MakeIteration, objective: Objective) -> None:
    full, half = (make_iteration(type(objective)(), precision=precision, n_critic=2) for precision in ("32", "bf16"))
    full.run(1)
    half.run(1)
    assert not torch.equal(full.scalars, half.scalars)
    torch.testing.assert_close(half.scalars, full.scalars, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("accelerate", ["none", "compile"])
def test_precision_tf32_is_on_for_the_iterations_alone(make_iteration: MakeIteration, accelerate: str) -> None:
    """And while they are captured or compiled."""
    before, seen = tf32(), set[tuple[Any, Any]]()

    class Curious(NonSaturating):
        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            seen.add(tf32())
            return super().critic_loss(critic, batch)

    TrainingLoop(make_iteration(Curious(), precision="tf32", accelerate=accelerate), make=rehearsed).run(2)
    assert seen == {(True, True)}
    assert tf32() == before


def rehearsed(iteration: Iteration) -> Callable[[], Tensor]:
    rehearse(iteration, 2)
    return iteration.once


def test_precision_tf32_is_put_back_after_an_error() -> None:
    before = tf32()
    for on in (True, False):
        with pytest.raises(ZeroDivisionError), tensor_float32(on):
            assert tf32() == (on, on)
            raise ZeroDivisionError
        assert tf32() == before
