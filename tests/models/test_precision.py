"""bfloat16 in the networks alone; TF32 settings put back; nothing changed at the default."""

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lipbench.models import GAN, repeatable_float32, tensor_float32
from lipbench.objectives import Batch, GradientPenalty, Objective, SpectralNorm

MakeGAN = Callable[..., GAN]
Fit = Callable[..., pl.Trainer]


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


def inner_types(gan: GAN) -> list[torch.dtype]:
    """What the first layers of generator and critic give out, in the order of the forward passes."""
    found: list[torch.dtype] = []
    for network in (gan.generator, gan.critic):
        layer = next(m for m in network.modules() if isinstance(m, nn.Linear))
        layer.register_forward_hook(lambda _, __, output: found.append(output.dtype))
    return found


@pytest.mark.parametrize(("precision", "expected"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_of_the_networks_and_of_nothing_else(
    make_gan: MakeGAN, fit: Fit, precision: str, expected: torch.dtype
) -> None:
    gan = make_gan(Watched(), precision=precision)
    inner = inner_types(gan)
    fit(gan, 1)
    low, high = expected, torch.float32
    # Fakes; the logits noted; those of loss, penalty (noted, own); generator and critic of the generator's step.
    assert inner == [low, low, low, low, high, high, low, low]
    half = precision == "bf16"
    assert gan.objective.seen == [
        ("fake", high, half),
        ("logits", high, half),
        ("logits in the penalty", high, False),
        ("constraint", high, False),
        ("fake of the generator", high, half),
    ]
    assert {p.grad.dtype for p in gan.generator.parameters() if p.grad is not None} == {high}


def test_precision_bf16_makes_normalised_weights_in_full(make_gan: MakeGAN, fit: Fit) -> None:
    """σ in half precision would be off by up to 1 %: after one step both have the weights of eager float32."""
    sigmas = []
    for precision in ("32", "bf16"):
        gan = make_gan(SpectralNorm(), precision=precision, n_critic=1)
        types: list[Any] = []
        layer: Any = next(m for m in gan.critic.modules() if isinstance(m, nn.Linear))
        layer.parametrizations.weight[0].register_forward_hook(lambda _, __, output, types=types: types.append(output))
        fit(gan, 1)
        assert [x.dtype for x in types] == [torch.float32, torch.float32]
        sigmas.append(types[0].detach())
    assert torch.equal(*sigmas)


@pytest.mark.parametrize("objective", [GradientPenalty(), SpectralNorm()])
def test_precision_bf16_trains_near_float32(make_gan: MakeGAN, fit: Fit, objective: Objective) -> None:
    full, half = (make_gan(type(objective)(), precision=precision, n_critic=2) for precision in ("32", "bf16"))
    fit(full, 1)
    fit(half, 1)
    assert not torch.equal(full.scalars, half.scalars)
    torch.testing.assert_close(half.scalars, full.scalars, rtol=0.1, atol=0.1)


def test_precision_tf32_is_on_for_the_iteration_alone(
    make_gan: MakeGAN, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tf32()
    gan, seen = make_gan(precision="tf32"), []
    monkeypatch.setattr(gan, "iterate", lambda timed: seen.append(tf32()) or torch.zeros(3))

    class Watch(pl.Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            seen.append(tf32())

    fit(gan, 1, callbacks=[Watch()])
    assert seen == [(True, True), before]


def test_precision_tf32_is_put_back_after_an_error() -> None:
    before = tf32()
    for on in (True, False):
        with pytest.raises(ZeroDivisionError), tensor_float32(on):
            assert tf32() == (on, on)
            raise ZeroDivisionError
        assert tf32() == before
