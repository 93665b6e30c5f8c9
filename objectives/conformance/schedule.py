"""At which steps an objective is to be judged: a penalty may come at some steps only."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..base import Objective
from .trial import Game, Make, TrialSetting

PERIOD = (*range(64), 100, 1_000, 10_000, 100_000)
MOST = 4  # different penalties that are taken for a cycle; more are a ramp


def judged_steps(make: Make, settings: Sequence[TrialSetting]) -> list[int]:
    """Step 0, and the first step of each other penalty that `batch.step` makes; of more than a few the largest alone.

    Found in the first of the settings that is not refused.
    """
    if type(make()).penalty is Objective.penalty:
        return [0]
    first = dict[float | None, int]()
    try:
        setting = next(s for s in settings if make().skip_reason(s.critic(), s.shape) is None)
        for step, penalty in _penalties(make, setting):
            first.setdefault(penalty, step)
    except Exception:  # whatever: the checks will say
        return [0]
    if len(first) > MOST:
        first = dict(sorted(first.items(), key=lambda item: item[0] or 0.0)[-1:])
    return sorted({0, *first.values()})


def at_step(setting: TrialSetting, step: int) -> TrialSetting:
    """The setting after so many generator updates; its name says so."""
    return setting if step == 0 else replace(setting, name=f"{setting.name}, step {step}", step=step)


def _penalties(make: Make, setting: TrialSetting) -> Iterator[tuple[int, float | None]]:
    """The same batch's penalty at each step, on a critic steep enough for a one-sided one."""
    for step in PERIOD:
        game = Game(make, replace(setting, step=step), scale=4.0)
        penalty = game.objective.penalty(game.critic, game.batch())
        yield step, None if penalty is None else penalty.item()
