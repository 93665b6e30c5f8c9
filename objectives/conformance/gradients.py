"""Are the gradients of both players finite where slopes, distances or spreads are exactly zero?"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..base import Batch
from ..errors import BadInput
from ..game import frozen
from ..layers import head
from ..slopes import mixes_samples
from .basics import scale_for_large_logits
from .report import CheckOutcome, failed, passed
from .trial import Game, Make, Scalars, TrialSetting


def finite_gradients(make: Make, setting: TrialSetting) -> CheckOutcome:
    """In ordinary and degenerate games; where the critic itself is not finite there, nothing is asked."""
    for where, game, batch in _games(make, setting):
        if not _finite_critic(game, batch):
            continue
        try:
            wrong = _not_finite(game, batch)
        except BadInput:
            if len(batch.real) > 1:
                raise
            continue
        if wrong:
            return failed(f"{wrong} {where}")
    return passed()


def _games(make: Make, setting: TrialSetting) -> Iterator[tuple[str, Game, Batch]]:
    large = scale_for_large_logits(setting)
    for scale, where in (
        (1.0, "in an ordinary game"),
        (large, "where logits are large"),
        (0.0, "where the critic is 0"),
    ):
        game = _built(make, setting, scale=scale)
        if game is not None:
            yield where, game, game.batch()
    constant = setting.critic()
    with torch.no_grad():
        head(constant)[1].weight.zero_()
    game = _built(make, setting, constant)
    if game is not None:
        yield "where the critic is constant", game, game.batch()
    yield from _samples(make, setting)


def _built(make: Make, setting: TrialSetting, critic: nn.Module | None = None, scale: float = 1.0) -> Game | None:
    try:
        return Game(make, setting, critic, scale=scale)
    except Exception:  # whatever: some parametrizations know no weight of zero
        return None


def _samples(make: Make, setting: TrialSetting) -> Iterator[tuple[str, Game, Batch]]:
    """Batches in which samples are equal, with a generator that has collapsed to the fake ones."""
    drawn, one = Game(make, setting).batch().real, setting.centre.expand(16, *setting.shape)
    for where, real, fake in (
        ("for equal real and fake samples", drawn, drawn),
        ("where all fakes are equal", drawn, one),
        ("where all samples are equal", one, one),
    ):
        game = Game(make, setting)
        if fake is one:
            _collapse_(game, setting.centre)
        yield where, game, game.constant_batch(real.clone(), fake.clone())
    game = Game(make, setting)
    if setting.centre.numel() > 1 and not mixes_samples(game.critic):  # one number has no spread, nor has batch norm
        yield "for a batch of one", game, game.batch(1)


@torch.no_grad()
def _collapse_(game: Game, sample: Tensor) -> None:
    for name, parameter in game.generator.named_parameters():
        parameter.copy_(sample.flatten() if name.endswith("bias") else torch.zeros_like(parameter))


@torch.no_grad()
def _finite_critic(game: Game, batch: Batch) -> bool:
    with frozen(game.critic):
        return all(bool(game.critic(x).isfinite().all()) for x in (batch.real, batch.fake))


def _not_finite(game: Game, batch: Batch) -> str | None:
    """A scalar or a gradient that is not finite, or None."""
    scalars: Scalars = game.still_step(batch)
    if wrong := _first_not_finite(game.critic, scalars, "critic"):
        return wrong
    return _first_not_finite(game.generator, game.generator_step(game.latent(len(batch.real)), batch), "generator")


def _first_not_finite(player: nn.Module, scalars: Scalars, whose: str) -> str | None:
    for name, value in scalars.items():
        if not value.isfinite():
            return f"{name} is {value.item()}"
    for name, parameter in player.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            return f"the gradient of the {whose}'s {name} is not finite, though the loss is,"
    return None
