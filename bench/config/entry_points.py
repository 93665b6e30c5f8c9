"""What may be somebody else's, and which names installed packages add. Imports none of them, and no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ...models.catalog import ARCHITECTURES
from ...objectives.catalog import BUILTINS
from ...objectives.errors import BadInput, unknown
from ..data.catalog import DATASETS, PREFIXES, check_name
from ..metrics.catalog import EXTRACTORS
from ..metrics.labels import LABELS


@dataclass(frozen=True, eq=False)
class PluginKind:
    """A kind of thing that a file or a package may bring.

    Attributes:
        name: what one is called in messages.
        builtins: those of lipbench's own, by name.
    """

    name: str
    builtins: Mapping[str, Any]

    @property
    def group(self) -> str:
        """Of the entry points."""
        return f"lipbench.{self.name}s"


OBJECTIVE = PluginKind("objective", BUILTINS)
ARCHITECTURE = PluginKind("architecture", ARCHITECTURES)
DATASET = PluginKind("dataset", DATASETS)
METRIC = PluginKind("metric", dict.fromkeys(LABELS))
EXTRACTOR = PluginKind("extractor", EXTRACTORS)
KINDS = {kind.name: kind for kind in (OBJECTIVE, ARCHITECTURE, DATASET, METRIC, EXTRACTOR)}


def known_names(kind: PluginKind) -> dict[str, str]:
    """Every name that needs no path → where it comes from. Raises BadInput if two packages claim one name."""
    return {name: "built in" for name in kind.builtins} | {n: provider(p) for n, p in plugged_in(kind).items()}


def is_brought(name: str) -> bool:
    """Whether a function of somebody else's makes the data set of that name."""
    target = name.partition("?")[0]
    return not name.startswith(PREFIXES) and (":" in target or target in plugged_in(DATASET))


def check_dataset(name: str) -> None:
    """Raises BadInput if no data set goes by that name; looks at no file, and imports no plug-in."""
    if is_brought(name):
        return
    try:
        check_name(name)
    except BadInput as error:
        if name.startswith(PREFIXES) or not plugged_in(DATASET):
            raise
        raise unknown(DATASET.name, name, [*DATASET.builtins, *plugged_in(DATASET)]) from error


def check_known(kind: PluginKind, name: str) -> None:
    """Raises BadInput if nothing goes by that name; looks at no file, and imports no plug-in."""
    if ":" not in name and name not in kind.builtins:
        find_point(kind, name)


def find_point(kind: PluginKind, name: str) -> EntryPoint:
    """The entry point of that name. Raises BadInput if no installed package has one."""
    plugins = plugged_in(kind)
    if name.endswith(".py"):
        raise BadInput(f"{kind.name} '{name}': give the name in it too, as in {name}:MyOwn")
    if name not in plugins:
        raise unknown(kind.name, name, [*kind.builtins, *plugins])
    return plugins[name]


def plugged_in(kind: PluginKind) -> dict[str, EntryPoint]:
    """Name → entry point of an installed package. Raises BadInput if a name is taken already."""
    found: dict[str, EntryPoint] = {}
    for point in installed(kind.group):
        other = "built in" if point.name in kind.builtins else None
        other = provider(found[point.name]) if point.name in found else other
        if other is not None:
            raise BadInput(f"two {kind.name}s are called '{point.name}': {other}, and {provider(point)}; uninstall one")
        found[point.name] = point
    return found


@cache
def installed(group: str) -> tuple[EntryPoint, ...]:
    """The entry points themselves; a look takes some ten milliseconds, and a sweep looks once for each run."""
    return tuple(entry_points(group=group))


def provider(point: EntryPoint) -> str:
    """Where an entry point comes from, in words."""
    return f"from the package {point.dist.name if point.dist else point.value}"
