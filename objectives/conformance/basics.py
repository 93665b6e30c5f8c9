"""Does the objective run at all, return finite scalars, leave its inputs alone and show a NaN?"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..game import frozen
from ..slopes import mixes_samples
from .report import CheckOutcome, Status, failed, passed, said
from .trial import Game, Make, Scalars, TrialSetting

SIZES = (1, 7, 32)  # of batches


def _forward(game: Game, n: int) -> Scalars:
    """What the objective's three functions return on n samples, without a step."""
    values = {"critic_loss": game.objective.critic_loss(game.critic, game.batch(n))}
    penalty = game.objective.penalty(game.critic, game.batch(n))
    if penalty is not None:
        values["penalty"] = penalty
    batch = game.batch(n)
    with frozen(game.critic):
        batch.fake = game.generator(game.latent(n))
        values["generator_loss"] = game.objective.generator_loss(game.critic, batch)
    return values


def runs(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Name, reference and the three functions exist and return tensors; the critic's loss reaches its parameters."""
    game = Game(make, setting)
    for attribute in ("name", "reference"):
        if not isinstance(getattr(game.objective, attribute, None), str):
            return failed(f"the class attribute `{attribute}` is missing")
    if untrained := _in_no_optimizer(game):
        return failed(f"the objective's {untrained} is in no optimiser: let prepare_critic put it into the critic")
    values = _forward(game, 32)
    for name, value in values.items():
        if not isinstance(value, Tensor):
            return failed(f"{name} is a {type(value).__name__}, not a tensor")
    if not values["critic_loss"].requires_grad:
        return failed("critic_loss has no gradient with respect to the critic's parameters")
    return passed()


def _in_no_optimizer(game: Game) -> str | None:
    known = {id(parameter) for parameter in game.critic.parameters()}
    own = game.objective.named_parameters()
    return next((name for name, p in own if p.requires_grad and id(p) not in known), None)


def shapes(make: Make, setting: TrialSetting) -> CheckOutcome:
    """The critic sees samples [n, …] and gives logits [n], and what is minimised has shape ()."""
    for n in SIZES[1:]:
        game = Game(make, setting)
        with _watched(game.critic) as passes:
            values = _forward(game, n)
        for seen, logits in passes:
            if seen[1:] != setting.shape:
                wanted = ", ".join(map(str, ("n", *setting.shape)))
                return failed(f"the critic is given samples of shape {seen}, not ({wanted})")
            if logits != seen[:1]:
                return failed(f"the critic returns logits of shape {logits} for {seen[0]} samples")
        for name, value in values.items():
            if value.shape != ():
                return failed(f"{name} has shape {tuple(value.shape)}, not (), for {n} samples")
    return passed()


@contextmanager
def _watched(critic: nn.Module) -> Iterator[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """A list that receives the shapes of what enters the critic and of what leaves it, at each forward pass."""
    passes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def watch(critic: nn.Module, args: tuple[Any, ...], logits: Tensor) -> None:
        passes.append((tuple(args[0].shape), tuple(logits.shape)))

    with critic.register_forward_hook(watch):
        yield passes


def finite_scalars(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Finite: for several batch sizes, and with logits around ±100 where nothing bounds them.

    A batch of one may be refused by BadInput; it is not tried on samples of one number, which have no spread at all.
    """
    sizes = SIZES[1:] if setting.centre.numel() == 1 else SIZES
    for n, scale in (*((n, 1.0) for n in sizes), (32, scale_for_large_logits(setting))):
        game = Game(make, setting, scale=scale)
        if n == 1 and mixes_samples(game.critic):  # batch norm refuses one sample by itself
            continue
        try:
            values = _forward(game, n)
        except BadInput:
            if n > 1:
                raise
            continue
        for name, value in values.items():
            if not torch.isfinite(value):
                return failed(f"{name} is {value.item()} for {n} samples and a critic scaled by {scale:.1f}")
    return passed()


@cache
def scale_for_large_logits(setting: TrialSetting, size: float = 100.0) -> float:
    """The factor on all parameters that makes the plain critic's largest logit that large, by bisection."""
    low, high = 1.0, 100.0
    for _ in range(20):
        middle = (low * high) ** 0.5
        critic = setting.critic()
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.mul_(middle)
            low, high = (middle, high) if critic(setting.centre[None]).abs() < size else (low, middle)
    return high


def inputs_unchanged(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Samples and latents are the same after a step."""
    game, made = Game(make, setting), list[tuple[Tensor, Tensor]]()

    def keep(generator: nn.Module, args: tuple[Any, ...], fake: Tensor) -> None:
        made.append((fake, fake.detach().clone()))

    game.generator.register_forward_hook(keep)
    for phase in ("critic", "generator"):
        batch, latent = game.batch(), game.latent()
        given = {"real": batch.real, "fake": batch.fake, "latent": latent}
        before = {name: value.clone() for name, value in given.items()}
        if phase == "critic":
            game.critic_step(batch)
        else:
            game.generator_step(latent, batch)
        for name, value in before.items():
            if not torch.equal(value, given[name]):
                return failed(f"the {phase} phase changes batch.{name} in place")
    fake, fake_before = made[-1]
    if not torch.equal(fake, fake_before):
        return failed("the generator phase changes batch.fake in place")
    return passed()


def nan_stays_visible(make: Make, setting: TrialSetting) -> CheckOutcome:
    """A NaN in one sample or in the critic reaches the loss, so that a diverged run is seen to diverge."""
    try:
        found = _nan_samples(make, setting)
        return _nan_critic(make, setting) if found.status is Status.PASS else found
    except Exception as error:  # whatever: with numbers it does not
        return failed(f"NaN {said(error, make)}; a run would fail, not diverge")


def _nan_samples(make: Make, setting: TrialSetting) -> CheckOutcome:
    nan = torch.nan
    for side in ("real", "fake"):
        game = Game(make, setting)
        batch = game.batch()
        getattr(batch, side)[0] = nan
        if torch.isfinite(game.critic_step(batch)["critic_loss"]):
            return failed(f"critic_loss is finite although a {side} sample is NaN")
    game = Game(make, setting)
    latent = game.latent()
    latent[0] = nan
    if torch.isfinite(game.generator_step(latent)["generator_loss"]):
        return failed("generator_loss is finite although a generated sample is NaN")
    return passed()


def _nan_critic(make: Make, setting: TrialSetting) -> CheckOutcome:
    healthy, game = Game(make, setting), Game(make, setting)
    penalty = healthy.still_step()["penalty"]
    with torch.no_grad():
        for parameter in game.critic.parameters():
            parameter.fill_(torch.nan)
    scalars = game.critic_step()
    if not any(parameter.isnan().any() for parameter in game.critic.parameters()):
        return failed("the constraint replaces the critic's NaN parameters by numbers")
    if penalty == 0:
        del scalars["penalty"]
    for name, value in (scalars | game.generator_step()).items():
        if torch.isfinite(value):
            return failed(f"{name} is finite although the critic's parameters are NaN")
    return passed()
