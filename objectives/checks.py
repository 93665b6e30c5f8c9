"""Checks of hyper-parameters that several objectives share; each failure is a `BadInput` of one line."""

from .errors import BadInput


def positive_integer(name: str, value: int) -> int:
    """The value itself; BadInput if it is not an integer above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{name}={value}: must be an integer ≥ 1")
    return value
