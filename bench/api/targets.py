"""Classes and functions as the text that a suite names them by, so that records can too. No torch."""

import sys
from collections.abc import Mapping
from typing import Any

from ...models.catalog import ARCHITECTURES
from ...objectives.catalog import BUILTINS
from ...objectives.errors import BadInput
from ..data.catalog import DATASETS

INTERACTIVE = "__main__:"  # opens the target of what is defined in a notebook or a script


def named(value: Any) -> Any:
    """The same settings with a text for every class and function in them; see `target_of`."""
    if isinstance(value, Mapping):
        return {key: named(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [named(part) for part in value]
    return target_of(value) if callable(value) else value


def target_of(thing: Any) -> str:
    """The name of a built-in class or function, else `pkg.mod:Name`; of one in a notebook `__main__:Name`.

    Raises BadInput for what cannot be found again by a name, as a class within a function.
    """
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module is None or name is None:
        raise BadInput(f"{thing!r}: must be a class or a function, or text that names one")
    if getattr(sys.modules.get(module), name, None) is not thing:
        raise BadInput(f"{module}.{name}: is not found under its name; define it at the top of the notebook or module")
    target = f"{module}:{name}"
    for registry in (BUILTINS, ARCHITECTURES, DATASETS):
        for builtin in registry:
            if registry.target(builtin) == target:
                return builtin
    return target


def interactive(value: Any) -> bool:
    """Whether settings name something that exists in this process alone."""
    if isinstance(value, Mapping):
        return any(interactive(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(interactive(part) for part in value)
    return isinstance(value, str) and value.startswith(INTERACTIVE)
