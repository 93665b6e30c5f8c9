"""Which objectives installed packages add, by name. Imports none of them, and no torch."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ...objectives.catalog import BUILTINS
from ...objectives.errors import BadInput

GROUP = "lipbench.objectives"


def objective_names() -> dict[str, str]:
    """Every name that needs no path → where it comes from. Raises BadInput if two packages claim one name."""
    return {name: "built in" for name in BUILTINS} | {name: provider(p) for name, p in plugged_in().items()}


def plugged_in() -> dict[str, EntryPoint]:
    """Name → entry point of an installed package. Raises BadInput if a name is taken already."""
    found: dict[str, EntryPoint] = {}
    for point in installed():
        other = "built in" if point.name in BUILTINS else provider(found[point.name]) if point.name in found else None
        if other is not None:
            raise BadInput(f"two objectives are called '{point.name}': {other}, and {provider(point)}; uninstall one")
        found[point.name] = point
    return found


@cache
def installed() -> tuple[EntryPoint, ...]:
    """The entry points themselves; a look takes some ten milliseconds, and a sweep looks once for each run."""
    return tuple(entry_points(group=GROUP))


def provider(point: EntryPoint) -> str:
    """Where an entry point comes from, in words."""
    return f"from the package {point.dist.name if point.dist else point.value}"
