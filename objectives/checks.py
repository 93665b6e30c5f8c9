"""Checks of settings that objectives and architectures share; each failure is a `BadInput` of one line."""

import math
from collections.abc import Collection

from .errors import BadInput, unknown


def choice(kind: str, value: str, allowed: Collection[str]) -> str:
    """The value itself; BadInput, which lists what is allowed, if it is not among them."""
    if not isinstance(value, str) or value not in allowed:
        raise unknown(kind, value, list(allowed))
    return value


def positive_integer(name: str, value: int) -> int:
    """The value itself; BadInput if it is not an integer above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{name}={value}: must be an integer ≥ 1")
    return value


def natural_number(name: str, value: int) -> int:
    """The value itself; BadInput if it is not an integer, or below zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadInput(f"{name}={value}: must be an integer ≥ 0")
    return value


def at_least_zero(name: str, value: float) -> float:
    """The value itself; BadInput if it is negative, infinite or not a number."""
    if not 0 <= value < math.inf:
        raise BadInput(f"{name}={value}: must be a number ≥ 0")
    return value


def above_zero(name: str, value: float) -> float:
    """The value itself; BadInput if it is not above zero, or infinite."""
    if not 0 < value < math.inf:
        raise BadInput(f"{name}={value}: must be a number > 0")
    return value
