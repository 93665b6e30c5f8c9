"""Does all randomness come from `batch.rng`, and does a checkpoint hold all state?"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..capture_guard import CaptureGuard
from ..errors import message_of
from .report import CheckOutcome, failed, passed
from .trial import Game, Make, Scalars, TrialSetting

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


@contextmanager
def global_streams_kept() -> Iterator[None]:
    """The global generators of torch, numpy and random are afterwards as they were."""
    others = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        random.setstate(others[0])
        np.random.set_state(others[1])


def global_states() -> dict[str, bytes]:
    """Where the global generators of torch, numpy and random stand, by name."""
    return {
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
        "numpy's global generator": repr(np.random.get_state(legacy=False)).encode(),
        "Python's random": repr(random.getstate()).encode(),
    }


def randomness_from_the_stream(make: Make, setting: TrialSetting) -> CheckOutcome:
    """No generator but that of the batch is held or moves in a step, and equal streams alone give equal scalars."""
    if own := _generators_of_its_own(Game(make, setting)):
        return failed(f"has a generator of its own, {' and '.join(own)}: draw from batch.rng instead")
    first = second = {}
    for seed in (0, 1):
        game = Game(make, setting)
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = global_states()
        first, second = second, game.play(3)
        moved = [name for name, state in global_states().items() if state != before[name]]
        if moved:
            return failed(f"draws from {' and '.join(moved)} instead of batch.rng")
    if different := _different(first, second):
        return failed(f"two runs with equal batch.rng differ in {different}")
    ends = [_stream_after_a_round(Game(make, setting), seed) for seed in (0, 1)]
    return failed("seeds batch.rng anew: only draw from it") if torch.equal(*ends) else passed()


def _stream_after_a_round(game: Game, seed: int) -> Tensor:
    game.rng.manual_seed(seed)
    game.play(1)
    return game.rng.get_state()


def _generators_of_its_own(game: Game) -> list[str]:
    """Attributes of the objective and its critic: no checkpoint holds them, and the run's seed does not set them."""
    modules = {f"objective.{name}": m for name, m in game.objective.named_modules()}
    modules |= {f"critic.{name}": m for name, m in game.critic.named_modules()}
    return [
        f"`{name.rstrip('.')}.{attribute}`"
        for name, module in modules.items()
        for attribute, value in vars(module).items()
        if isinstance(value, GENERATORS)
    ]


def _different(one: Scalars, other: Scalars) -> str | None:
    names = (name for name in one if not torch.allclose(one[name], other[name], rtol=1e-5, atol=1e-8))
    return next(names, None)


def state_in_buffers(make: Make, setting: TrialSetting) -> CheckOutcome:
    """A game made anew and given the checkpoint of another one plays on with the same scalars."""
    game = Game(make, setting)
    game.play(4)
    guard = CaptureGuard(game.objective, game.critic)
    game.play(1)
    if changed := guard.changed_attribute():
        return failed(f"{changed}, which no checkpoint holds: keep state in buffers, or use batch.step")
    restored = Game(make, setting, seed=7)
    try:
        _restore_(restored, _checkpoint(game))
    except RuntimeError as error:
        return failed(f"the state cannot be loaded: {message_of(error, 120)}")
    different = _different(game.play(2), restored.play(2))
    return failed(f"after a checkpoint {different} differs: keep state in buffers") if different else passed()


def _parts(game: Game) -> dict[str, nn.Module | Optimizer]:
    return {
        "objective": game.objective,
        "critic": game.critic,
        "generator": game.generator,
        "critic optimizer": game.critic_optimizer,
        "generator optimizer": game.generator_optimizer,
    }


def _checkpoint(game: Game) -> dict[str, dict[str, Any]]:
    streams = {"rng": game.rng.get_state(), "data": game.data.get_state(), "updates": game.updates}
    return deepcopy({name: part.state_dict() for name, part in _parts(game).items()}) | {"streams": streams}


def _restore_(game: Game, checkpoint: dict[str, dict[str, Any]]) -> None:
    for name, part in _parts(game).items():
        part.load_state_dict(checkpoint[name])
    streams = checkpoint["streams"]
    game.rng.set_state(streams["rng"])
    game.data.set_state(streams["data"])
    game.updates = streams["updates"]
