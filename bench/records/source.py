"""Which source a result depends on, and a hash of it. Reads text; imports and runs nothing.

A definition (what a `def`, a `class` or an assignment at the top of a module binds) depends on the definitions that it
names, followed through imports within lipbench. Syntax trees are compared, without comments and docstrings. A registry
holds names as text, so its other entries do not count; who looks a name up gives the target.
Of a plug-in all files count: those of its package, or its file and the modules outside site-packages that it imports;
of a notebook the definitions that the plug-in uses. Runs, studies and cached references are all identified by this.
"""

import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from .interactive import MAIN, interactive_source
from .syntax import Definition, Module, parse

ROOT = Path(__file__).parents[2]
NAME = "lipbench"
# Modules that decide no number: catalogs, command line, records, pictures, where and how runs are made.
UNCOUNTED = (
    "lipbench.objectives.catalog",
    "lipbench.objectives.registry",
    "lipbench.objectives.conformance",
    "lipbench.models.catalog",
    "lipbench.bench.api",
    "lipbench.bench.cli",
    "lipbench.bench.config.architectures",
    "lipbench.bench.conformance",
    "lipbench.bench.config.datasets",
    "lipbench.bench.config.entry_points",
    "lipbench.bench.config.fingerprint",
    "lipbench.bench.config.metrics",
    "lipbench.bench.config.plugins",
    "lipbench.bench.data.catalog",
    "lipbench.bench.metrics.catalog",
    "lipbench.bench.perf",
    "lipbench.bench.records",
    "lipbench.bench.report",
    "lipbench.bench.run.checkpoint",
    "lipbench.bench.run.context",
    "lipbench.bench.run.hardware",
    "lipbench.bench.run.logger_entries",
    "lipbench.bench.run.loggers",
    "lipbench.bench.run.parent",
    "lipbench.bench.run.sampling",
    "lipbench.bench.studies.engine.job",
    "lipbench.bench.studies.engine.judge",
    "lipbench.bench.studies.engine.report",
    "lipbench.bench.studies.engine.runner",
    "lipbench.bench.studies.engine.store",
    "lipbench.bench.studies.engine.table",
    "lipbench.bench.studies.plotting",
    "lipbench.bench.sweep",
    "lipbench.bench.tuning",
)
COUNTED = ("lipbench.bench.records.summary",)
RUNS = "lipbench.bench.sweep.runner"
# A run takes its finished specification, which is compared itself, and so do its metrics.
RUN = ("lipbench.bench.run", "lipbench.bench.metrics")
SETTINGS = ("lipbench.bench.config", "lipbench.bench.metrics.settings")
# A sweep decides nothing itself, but whoever asks it for runs depends on how they are specified and made.
A_RUN = ("lipbench.bench.config.spec.expand", "lipbench.bench.run.execution.run")

Key = tuple[str, str]  # module and name; an empty name is all of a foreign file, or a module's other statements


@dataclass(frozen=True)
class Closure:
    """All definitions that some targets depend on, theirs included."""

    definitions: dict[Key, Definition]

    @cached_property
    def digest(self) -> str:
        """A hash that changes with any of them."""
        parts = sorted(f"{module}:{name} {found.digest}" for (module, name), found in self.definitions.items())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def texts(self, room: str = NAME) -> set[str]:
        """The texts in definitions of the modules below `room`."""
        return {text for (module, _), d in self.definitions.items() if _is_within(module, room) for text in d.texts}


class Sources:
    """The source of lipbench, in a folder that holds objectives, models and bench."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._modules: dict[str, Module | None] = {}
        self._packages: dict[tuple[str, bool], dict[Key, Definition]] = {}
        self._definitions: dict[Key, Definition] = {}
        self._resolved: dict[str, tuple[Key, ...]] = {}
        self._closures: dict[tuple[str, ...], Closure] = {}

    def closure(self, *targets: str) -> Closure:
        """What these targets depend on.

        Args:
            targets: `module:attribute`, a module, or `path/file.py:attribute`; modules outside lipbench are plug-ins.

        Raises:
            LookupError: if there is no such thing in lipbench.
        """
        own = tuple(sorted(target for target in targets if _is_within(target.partition(":")[0], NAME)))
        if len(own) < len(targets):
            return self._collected(targets)
        if own not in self._closures:
            self._closures[own] = self._collected(own)
        return self._closures[own]

    def _collected(self, targets: Iterable[str]) -> Closure:
        found: dict[Key, Definition] = {}
        todo: list[Key] = []
        for target in targets:
            module, _, attribute = target.rpartition(":") if ":" in target else (target, "", "")
            if _is_within(module, NAME):
                keys = self._resolve(f"{module}.{attribute}".rstrip("."))
                if not keys:
                    raise LookupError(f"{target}: not in the source of lipbench")
                todo += keys
            else:
                found |= self._plugin(module, attribute)
        for definition in [*found.values()]:
            self._follow(definition, "", found, todo)
        while todo:
            key = todo.pop()
            if key not in found:
                found[key] = definition = self._definition(key)
                self._follow(definition, key[0], found, todo)
        return Closure(found)

    def _follow(self, definition: Definition, module: str, found: dict[Key, Definition], todo: list[Key]) -> None:
        for used in definition.uses.values():
            if _is_within(used, NAME):
                todo += self._from(module, used)
            elif not module:  # a plug-in's
                new = {k: d for k, d in self._foreign(used.partition(".")[0]).items() if k not in found}
                found |= new
                for other in new.values():
                    self._follow(other, "", found, todo)

    def _from(self, module: str, used: str) -> Iterator[Key]:
        """The definitions behind a name that a module uses."""
        if not (_is_within_one_of(module, RUN) and _is_within_one_of(used, SETTINGS)):
            yield from self._resolve(used)

    def _resolve(self, dotted: str) -> tuple[Key, ...]:
        if dotted not in self._resolved:
            self._resolved[dotted] = tuple(self._look_up(dotted))
        return self._resolved[dotted]

    def _look_up(self, dotted: str) -> Iterator[Key]:
        if _is_within(dotted, RUNS):
            for target in A_RUN:
                yield from self._resolve(target)
        if not _counts(dotted):
            return
        parts = dotted.split(".")
        cut = next(n for n in range(len(parts), 0, -1) if n == 1 or self._module(".".join(parts[:n])))
        module = self._module(".".join(parts[:cut]))
        if module is None:
            return
        yield from ((module.name, "") for _ in module.rest[:1])
        names = parts[cut : cut + 1] or [*module.bound, *module.imports]
        for name in names:
            if name in module.bound:
                yield module.name, name
            elif name in module.imports:
                used = ".".join([module.imports[name], *parts[cut + 1 :]])
                yield from self._from(module.name, used) if _is_within(used, NAME) else ()

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            path = self.root.joinpath(*name.split(".")[1:])
            tried = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
            file = next((p for p in tried if p.is_file()), None) if path != self.root else None
            self._modules[name] = None if file is None else parse(file.read_bytes(), name, file.stem == "__init__")
        return self._modules[name]

    def _definition(self, key: Key) -> Definition:
        if key not in self._definitions:
            module = self._module(key[0])
            assert module is not None
            self._definitions[key] = module.definition(key[1], self._canonical)
        return self._definitions[key]

    def _canonical(self, used: str) -> str:
        """One text for one thing, whichever way it was imported."""
        found = self._resolve(used) if _is_within(used, NAME) else []
        return " ".join(f"{module}:{name}" for module, name in found) or used

    def _plugin(self, module: str, attribute: str) -> dict[Key, Definition]:
        if module == MAIN:
            return {("", ""): _parsed(interactive_source(attribute), "")}
        if not module.endswith(".py"):
            return self._foreign(module.partition(".")[0], installed=True)
        return {("", ""): _parsed(Path(module).read_bytes(), "")}  # whatever the file is called, and wherever it lies

    def _foreign(self, name: str, installed: bool = False) -> dict[Key, Definition]:
        """The files of a module or package outside lipbench, those that others share only if that is asked for."""
        key = name, installed
        if key not in self._packages:
            files = _files(name, installed)
            self._packages[key] = {(n, ""): _parsed(path.read_bytes(), n, path.stem == "__init__") for n, path in files}
        return self._packages[key]


def source_of(*targets: str) -> str:
    """A hash of the source that these targets depend on, in this installation; see `Sources.closure`."""
    return installed_sources().closure(*targets).digest


def stands_alone(target: str) -> bool:
    """Whether a plug-in, `path/file.py:Name`, depends on no other file from outside lipbench."""
    return all(
        module == "" or _is_within(module, NAME) for module, _ in installed_sources().closure(target).definitions
    )


@cache
def installed_sources() -> Sources:
    """The source that this process runs."""
    return Sources()


@cache
def _parsed(content: bytes, name: str, package: bool = False) -> Definition:
    return parse(content, name, package).whole()


def _files(name: str, installed: bool) -> list[tuple[str, Path]]:
    top = _location(name)
    if top is None or (is_dependency(top) and not installed):
        return []
    if not top.is_dir():
        return [(name, top)]
    dotted = ((".".join([name, *path.relative_to(top).with_suffix("").parts]), path) for path in top.rglob("*.py"))
    return sorted((n.removesuffix(".__init__"), path) for n, path in dotted)


def _location(name: str) -> Path | None:
    """A package's folder or a module's file, where it is written in Python."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # as of __main__
        return None
    if spec is None:
        return None
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    if file is not None and file.suffix != ".py":
        return None
    return Path(spec.submodule_search_locations[0]) if spec.submodule_search_locations else file


def is_dependency(path: Path) -> bool:
    """Whether it belongs to an installed package or to Python: recorded by version, and not part of a fingerprint."""
    paths = sysconfig.get_paths()
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or path.is_relative_to(paths["stdlib"])


def _counts(dotted: str) -> bool:
    return _is_within_one_of(dotted, COUNTED) or not _is_within_one_of(dotted, UNCOUNTED)


def _is_within(dotted: str, room: str) -> bool:
    return dotted == room or dotted.startswith(f"{room}.")


def _is_within_one_of(dotted: str, rooms: Iterable[str]) -> bool:
    return any(_is_within(dotted, room) for room in rooms)
