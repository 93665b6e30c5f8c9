"""From which ranges configurations are drawn: the defaults with their sources, and those of a suite's key `tune`.

    tune:
      lr: {low: 1.0e-5, high: 1.0e-2, log: true}     # a setting of the recipe, for all objectives
      n_critic: [1, 5]                               # a list: choices, each as likely
      weight: {low: 0.1, high: 100, log: true}       # an argument, for the objectives that have it
      wgan-clip: {clip: {low: 0.001, high: 1, log: true}, n_critic: [5]}    # for this objective, before the others

`beta1` and `beta2` are the two parts of `betas`. Nothing is drawn here.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...models.recipe import Recipe
from ...objectives.errors import BadInput, unknown
from ..config.plugins import ResolvedObjective, parameters_of

BETAS = ("beta1", "beta2")
SETTINGS = (*(field.name for field in fields(Recipe)), *BETAS)
WHOLE = ("n_critic", "batch", "generator_batch")  # settings that are whole numbers


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, evenly or evenly in their logarithm; whole ones include both ends."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, u: float) -> float | int:
        """The value at the share u in [0, 1) of the range."""
        low, high = (self.low, self.high + 1) if self.whole else (self.low, self.high)
        value = low * (high / low) ** u if self.log else low + u * (high - low)
        return min(int(value), int(self.high)) if self.whole else value

    def record(self) -> dict[str, Any]:
        """As a suite would write it."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class OneOf:
    """One of the values, each as likely."""

    values: tuple[Any, ...]

    def at(self, u: float) -> Any:
        """The value at the share u in [0, 1) of the list."""
        return self.values[int(u * len(self.values))]

    def record(self) -> list[Any]:
        """As a suite would write it."""
        return list(self.values)


Ranges = dict[str, Range | OneOf]

# Lucic et al. 2018, "Are GANs Created Equal?", the wide ranges (their code: google/compare_gan, params.py), without
# batch norm in the critic, which belongs to the architecture here.
DEFAULTS: Ranges = {"lr": Range(1e-5, 1e-2, log=True), "beta1": Range(0.0, 1.0), "n_critic": OneOf((1, 5))}
_WEIGHT = Range(0.1, 100.0, log=True)
DEFAULT_ARGUMENTS: dict[str, Ranges] = {
    "wgan-clip": {"clip": Range(1e-3, 1.0, log=True)},  # as above
    "wgan-gp": {"weight": _WEIGHT},  # as above
    "dragan": {"weight": _WEIGHT},  # as above
    # Not in that study. Choices: the range of the penalty they vary, around these papers' own 10 (r3gan: 1).
    "wgan-lp": {"weight": _WEIGHT},
    "r1": {"gamma": _WEIGHT},
    "r2": {"gamma": _WEIGHT},
    "r3gan": {"gamma": Range(0.01, 10.0, log=True)},
    "instance-noise": {"sigma": Range(0.01, 1.0, log=True)},
}


def ranges_of(declared: Mapping[str, Any], found: ResolvedObjective, names: Sequence[str], where: str) -> Ranges:
    """The ranges of one objective: its own before those for all; the defaults where the suite declares nothing.

    Args:
        declared: a suite's `tune`.
        found: the objective.
        names: what all of the suite's objectives may be called by.
        where: opens the message.

    Raises:
        BadInput: one line for a key that means nothing, and for a range that is none.
    """
    arguments = _arguments(found, where)
    if not declared:
        return DEFAULTS | DEFAULT_ARGUMENTS.get(found.cls.name, {})
    own: dict[str, Any] = {}
    for name in dict.fromkeys((found.cls.name, found.target)):
        if not isinstance(declared.get(name, {}), Mapping):
            raise BadInput(f"{where}: tune: {name}: must be a mapping from settings to ranges, not {declared[name]!r}")
        own |= declared.get(name, {})
    for key in own:
        if key not in (*SETTINGS, *arguments):
            allowed = [*SETTINGS, *arguments]
            raise BadInput(f"{where}: tune: {found.cls.name}: {unknown('setting', key, allowed)}")
    shared = {key: value for key, value in declared.items() if key not in names and key in (*SETTINGS, *arguments)}
    integers = {*WHOLE, *(name for name, whole in arguments.items() if whole)}
    return {k: parse_range(v, k in integers, f"{where}: tune: {k}") for k, v in (shared | own).items()}


def check_keys(
    declared: Mapping[str, Any], founds: Sequence[ResolvedObjective], names: Sequence[str], where: str
) -> None:
    """Raises BadInput for a key of `tune` that is no setting, no objective, and no argument of any of them."""
    arguments = list(dict.fromkeys(name for found in founds for name in _arguments(found, where)))
    for key in declared:
        if key not in (*SETTINGS, *names, *arguments):
            raise BadInput(f"{where}: tune: {unknown('key', key, [*SETTINGS, *arguments, *names])}")


def parse_range(value: Any, whole: bool, where: str) -> Range | OneOf:
    """A range from what a suite says. Raises BadInput, with `where` before it, if that is none."""
    if isinstance(value, list):
        if not value:
            raise BadInput(f"{where}: an empty list has nothing to choose from")
        return OneOf(tuple(value))
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        raise BadInput(f"{where}: must be {{low: …, high: …, log: true or false}} or a list of choices, not {value!r}")
    low, high, log = value["low"], value["high"], value.get("log", False)
    _check_bounds(low, high, log, where)
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise BadInput(f"{where}: low={low}, high={high}: must be whole numbers")
    return Range(float(low), float(high), log, whole)


def _check_bounds(low: Any, high: Any, log: Any, where: str) -> None:
    if not (_is_number(low) and _is_number(high)):
        raise BadInput(f"{where}: low={low!r}, high={high!r}: must be finite numbers")
    if not isinstance(log, bool):
        raise BadInput(f"{where}: log={log!r}: must be true or false")
    if not low < high:
        raise BadInput(f"{where}: low={low}, high={high}: low must be less than high")
    if log and low <= 0:
        raise BadInput(f"{where}: low={low}: must be more than 0 where log is true")


def _is_number(value: Any) -> bool:
    """Whether it is a finite number within the range of a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _arguments(found: ResolvedObjective, where: str) -> dict[str, bool]:
    """The objective's own arguments → whether they are whole numbers."""
    return {name: parameter.annotation is int for name, parameter in parameters_of(found.cls, where).items()}
