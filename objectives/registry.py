"""Names of built-in things, and the modules they come from; a module is imported when its name is asked for.

A registry holds text, so that a list of names costs no import, and code depends on what it names only where it uses it.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Name → object, imported at the first look.

    Args:
        package: the dotted name that `targets` are relative to.
        targets: name → "module:attribute" within the package.
    """

    def __init__(self, package: str, targets: Mapping[str, str]) -> None:
        self._package, self._targets = package, dict(targets)

    def __getitem__(self, name: str) -> T:
        module, _, attribute = self.target(name).partition(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def target(self, name: str) -> str:
        """`package.module:attribute` behind a name; imports nothing."""
        return f"{self._package}.{self._targets[name]}"
