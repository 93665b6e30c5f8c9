"""Finds what may be somebody else's: built in, shipped by a package, or in a module or file. Binds settings too.

What else a kind of plug-in must be is checked where it is used: of objectives here.
"""

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pydantic import ConfigDict, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

from ...objectives.base import API_VERSION, Objective
from ...objectives.errors import BadInput, error_line, naming, unknown
from ..records.source import is_dependency, source_of
from .entry_points import OBJECTIVE, PluginKind, find_point, known_names, plugged_in, provider
from .process_state import ProcessState, told

PLAIN_VALUES = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
UNTOLD = "warnings filters"  # are put back too, but most packages add some when they are imported


class SideEffect(UserWarning):
    """Importing or building somebody's code changes what others depend on; it was put back."""


@dataclass(frozen=True)
class Resolved:
    """What a target stands for, and a hash of a plug-in's source; None if it is built in."""

    target: str
    value: Any
    source: str | None = None

    @property
    def name(self) -> str:
        """What it is called by whoever asks for it: its name, or that of the attribute."""
        return self.target.rpartition(":")[2]


@dataclass(frozen=True)
class ResolvedObjective:
    """An objective's class, the name it was asked for by, and a hash of a plug-in's source; None if it is built in."""

    target: str
    cls: type[Objective]
    source: str | None = None


def resolve(kind: PluginKind, target: str, folder: Path | None = None) -> Resolved:
    """What is behind a name, `pkg.mod:Name` or `path/file.py:Name`.

    Args:
        kind: what it is to be; that is for the caller to check.
        target: what the user wrote.
        folder: where relative paths are looked up first, e.g. the suite's; the working directory comes after it.

    Raises:
        BadInput: one line, for anything that keeps it from being found or imported.
    """
    if ":" not in target:
        source = None if target in kind.builtins else source_of(find_point(kind, target).value)
        return Resolved(target, _named(kind, target), source)
    location, _, name = target.rpartition(":")
    path = _locate(location, folder, kind) if location.endswith(".py") else None
    module = _import(kind, location, target) if path is None else _load(kind, path)
    return Resolved(target, _attribute(kind, module, name, target), source_of(f"{path or location}:{name}"))


def find_objective(target: str, folder: Path | None = None) -> ResolvedObjective:
    """The class behind a target, as `resolve` finds it. Raises BadInput for what is no objective of this API."""
    found = resolve(OBJECTIVE, target, folder)
    cls = _checked(found.value, target)
    if ":" in target:
        check_untaken(OBJECTIVE, cls.name, cls, target)
    elif cls.name != target:  # tables and suites call it the same
        raise BadInput(f"objective '{target}': its class calls itself '{cls.name}'; let the two agree")
    return ResolvedObjective(target, cls, found.source)


def first_line(value: object) -> str:
    """Of its docstring; empty where it has none."""
    return (getattr(value, "__doc__", None) or "").strip().partition("\n")[0]


def check_untaken(kind: PluginKind, name: str, value: object, target: str) -> None:
    """Raises BadInput where another one goes by this name."""
    known = known_names(kind)
    if name in known and _named(kind, name) is not value:
        raise BadInput(f"{target}: the name '{name}' is taken ({known[name]}); rename it")


def check_same(kind: PluginKind, target: str, source: str | None, folder: Path) -> None:
    """Raises BadInput where the source of what is behind a target is another one than `source` now."""
    if resolve(kind, target, folder).source != source:
        raise BadInput(f"{target}: the file has changed since the sweep began; run the suite again")


def bind_arguments(cls: type[Objective], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All constructor arguments, defaults included, as `bind` checks them."""
    where = f"{where}: {cls.name}"
    return bind(parameters_of(cls, where), given, where)


def bind(
    parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any], where: str, what: str = "argument"
) -> dict[str, Any]:
    """All arguments, defaults included, after checking names and types against the signature.

    Raises BadInput for an unknown or missing argument, a value of a wrong type, and one that no record can hold, with
    `where` before the message.
    """
    for name in given:
        if name not in parameters:
            raise BadInput(f"{where}: {unknown(what, name, list(parameters))}")
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    if missing:
        raise BadInput(f"{where}: needs {', '.join(missing)}")
    defaults = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
    bound = defaults | {n: _typed(parameters[n], value, where) for n, value in given.items()}
    for name, value in bound.items():
        if not _recordable(value):
            raise BadInput(f"{where}: {name}={value!r}: must be of a kind that JSON holds, to be recorded")
    return bound


def build_objective(found: ResolvedObjective, arguments: Mapping[str, Any], where: str) -> Objective:
    """The objective itself. Raises BadInput for arguments that do not fit, or that its constructor refuses."""
    bound = bind_arguments(found.cls, arguments, where)
    guard = leaving_no_trace(found.target, code=False) if found.source else nullcontext()
    with naming(f"{where}: {found.cls.name}", anything=True), guard:
        return found.cls(**bound)


@contextmanager
def leaving_no_trace(target: str, code: bool = True, doing: str = "importing or building it") -> Iterator[None]:
    """Puts back what code from outside changes within for everybody in this process, and warns of it."""
    before = ProcessState.now(code)
    try:
        yield
    finally:
        changes = [change for change in before.restore() if not change.startswith(UNTOLD)]
        if changes and not isinstance(sys.exception(), KeyboardInterrupt):  # which sets an alarm
            warnings.warn(f"{target}: {doing} changes {told(changes)}; put back", SideEffect, 3)


def parameters_of(made: Callable[..., Any], where: str) -> dict[str, inspect.Parameter]:
    """A function's or a constructor's; where that passes `**others` on, those of the next constructor too."""
    bases = [vars(c)["__init__"] for c in made.__mro__ if "__init__" in vars(c)] if inspect.isclass(made) else [made]
    found: dict[str, inspect.Parameter] = {}
    for function in bases:
        try:
            own = list(inspect.signature(function, eval_str=True).parameters.values())
        except Exception as error:
            raise BadInput(f"{where}: its annotations cannot be read: {error_line(error)}") from error
        own = own[1:] if inspect.isclass(made) else own
        found = {p.name: p for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | found
        if function is Objective.__init__ or not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return found


def _typed(parameter: inspect.Parameter, value: Any, where: str) -> Any:
    if parameter.annotation is parameter.empty:
        return value
    try:
        adapter = TypeAdapter(parameter.annotation, config=PLAIN_VALUES)
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise BadInput(f"{where}: {parameter.name}={value!r}: {problem}") from error
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        shown = inspect.formatannotation(parameter.annotation)
        raise BadInput(f"{where}: {parameter.name}: values cannot be checked against its type {shown}") from error


def _recordable(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _named(kind: PluginKind, name: str) -> object:
    plugged_in(kind)  # two of one name are told whatever is asked for
    if name in kind.builtins:
        return kind.builtins[name]
    point = find_point(kind, name)
    where = f"{kind.name} '{name}' {provider(point)} cannot be imported"
    with naming(where, anything=True), leaving_no_trace(name), _from_source():
        return point.load()


def _import(kind: PluginKind, module: str, target: str) -> ModuleType:
    where = f"{kind.name} '{target}' cannot be imported"
    with naming(where, anything=True), leaving_no_trace(target), _from_source():
        return importlib.import_module(module)


def absolute(target: str, folder: Path | None = None, kind: PluginKind = OBJECTIVE) -> str:
    """The target as it is found from any working directory. Raises BadInput for a file that is not there."""
    location, _, name = target.rpartition(":")
    return f"{_locate(location, folder, kind)}:{name}" if location.endswith(".py") else target


def _locate(location: str, folder: Path | None, kind: PluginKind) -> Path:
    tried = [base / location for base in (folder, Path()) if base is not None]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise BadInput(f"{kind.name} file not found: {' or '.join(str(p) for p in dict.fromkeys(tried))}")


def _content(kind: PluginKind, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{kind.name} file {path} cannot be read: {error.strerror or error}") from error


def _load(kind: PluginKind, path: Path) -> ModuleType:
    content = _content(kind, path)
    source = hashlib.sha256(content).hexdigest()
    # The name carries the content, so that two files of one name, or two versions of one file, never mix.
    name = f"lipbench_plugin_{path.stem}_{source[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, str(path), content))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with leaving_no_trace(str(path)), _importable(path.parent), _from_source():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadInput(f"{kind.name} file {path} cannot be imported: {error_line(error)}") from error
    return module


class _SourceLoader(SourceFileLoader):
    """Runs the source, or the bytes of it that were hashed, and nothing that Python has compiled before: it tells
    versions of a file by size and second, and may run an older one.
    """

    def __init__(self, name: str, path: str, content: bytes | None = None) -> None:
        super().__init__(name, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path) if self._content is None else self._content, self.path)


class _SourceFinder(MetaPathFinder):
    """Finds modules as Python would; those that count in fingerprints run from their source."""

    def find_spec(self, fullname: str, *about: Any) -> ModuleSpec | None:
        others = (finder for finder in sys.meta_path if finder is not self)
        found = next((spec for finder in others if (spec := finder.find_spec(fullname, *about)) is not None), None)
        if found is not None and type(found.loader) is SourceFileLoader and not is_dependency(Path(found.loader.path)):
            found.loader = _SourceLoader(fullname, found.loader.path)
        return found


@contextmanager
def _from_source() -> Iterator[None]:
    """Within, no import of somebody's own modules takes what Python compiled before."""
    finder = _SourceFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """A file may import what lies beside it; installed packages come first."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.reverse()
            sys.path.remove(str(folder))
            sys.path.reverse()


def _attribute(kind: PluginKind, module: ModuleType, name: str, target: str) -> object:
    if not hasattr(module, name):
        own = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__]
        raise BadInput(f"{target}: no '{name}' in there; found: {', '.join(own) or 'nothing to call'}")
    return getattr(module, name)


def _checked(cls: object, target: str) -> type[Objective]:
    if not (inspect.isclass(cls) and issubclass(cls, Objective)):
        raise BadInput(f"{target}: not a class derived from lipbench.objectives.Objective")
    named = all(isinstance(getattr(cls, label, None), str) for label in ("name", "reference"))
    if inspect.isabstract(cls) or not named:
        raise BadInput(
            f"{target}: {cls.__name__} is abstract: give it 'name' and 'reference', as text, and every abstract method"
        )
    if cls.api_version != API_VERSION:
        raise BadInput(f"{target}: written for objective API {cls.api_version}, this lipbench has {API_VERSION}")
    return cls
