"""Finds objectives: built in, shipped by an installed package, or in somebody's module or file. Builds nothing else."""

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

from ...objectives.base import API_VERSION, Objective
from ...objectives.catalog import BUILTINS
from ...objectives.errors import BadInput, unknown
from ..records.source import source_of
from .entry_points import objective_names, plugged_in, provider


@dataclass(frozen=True)
class ResolvedObjective:
    """An objective's class, the name it was asked for by, and a hash of a plug-in's source; None if it is built in."""

    target: str
    cls: type[Objective]
    source: str | None = None


def find_objective(target: str, folder: Path | None = None) -> ResolvedObjective:
    """The class behind a name, `pkg.mod:Class` or `path/file.py:Class`.

    Args:
        target: what the user wrote.
        folder: where relative paths are looked up first, e.g. the suite's; the working directory comes after it.

    Raises:
        BadInput: one line, for anything that keeps the class from being used.
    """
    if ":" not in target:
        cls = _called(_checked(_named(target), target), target)
        return ResolvedObjective(target, cls, None if target in BUILTINS else source_of(plugged_in()[target].value))
    location, _, name = target.rpartition(":")
    path = _locate(location, folder) if location.endswith(".py") else None
    module = _import(location, target) if path is None else _load(path)
    cls = _untaken(_checked(_attribute(module, name, target), target), target)
    return ResolvedObjective(target, cls, source_of(f"{path or location}:{name}"))


def bind_arguments(cls: type[Objective], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All constructor arguments, defaults included, after checking names and types against the signature.

    Raises BadInput for an unknown or missing argument, a value of a wrong type, and one that no record can hold, with
    `where` before the message.
    """
    parameters = parameters_of(cls, where)
    for name in given:
        if name not in parameters:
            raise BadInput(f"{where}: objective '{cls.name}': {unknown('argument', name, list(parameters))}")
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    if missing:
        raise BadInput(f"{where}: objective '{cls.name}' needs {', '.join(missing)}")
    defaults = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
    bound = defaults | {n: _typed(parameters[n], value, f"{where}: {cls.name}") for n, value in given.items()}
    for name, value in bound.items():
        if not _recordable(value):
            raise BadInput(f"{where}: {cls.name}: {name}={value!r}: must be of a kind that JSON holds, to be recorded")
    return bound


def build_objective(found: ResolvedObjective, arguments: Mapping[str, Any], where: str) -> Objective:
    """The objective itself. Raises BadInput for arguments that do not fit, or that its constructor refuses."""
    bound = bind_arguments(found.cls, arguments, where)
    try:
        return found.cls(**bound)
    except Exception as error:  # perhaps somebody else's code: whatever it raises is the user's one line
        told = str(error) if isinstance(error, BadInput) else _told(error)
        raise BadInput(f"{where}: {found.cls.name}: {told}") from error


def parameters_of(cls: type[Objective], where: str) -> dict[str, inspect.Parameter]:
    """The constructor's; where it passes `**others` on, those of the next constructor too."""
    found: dict[str, inspect.Parameter] = {}
    for base in (c for c in cls.__mro__ if "__init__" in vars(c)):
        try:
            signature = inspect.signature(vars(base)["__init__"], eval_str=True)
        except Exception as error:
            raise BadInput(f"{where}: {cls.name}: its annotations cannot be read: {_told(error)}") from error
        _, *own = signature.parameters.values()
        found = {p.name: p for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | found
        if base is Objective or not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return found


def _typed(parameter: inspect.Parameter, value: Any, where: str) -> Any:
    if parameter.annotation is parameter.empty:
        return value
    try:
        adapter = TypeAdapter(parameter.annotation, config=ConfigDict(arbitrary_types_allowed=True))
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


def _named(name: str) -> object:
    plugins = plugged_in()
    if name in BUILTINS:
        return BUILTINS[name]
    if name.endswith(".py"):
        raise BadInput(f"objective '{name}': give the class too, as in {name}:MyObjective")
    if name not in plugins:
        raise unknown("objective", name, [*BUILTINS, *plugins])
    try:
        return plugins[name].load()
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises is the user's one line
        raise BadInput(f"objective '{name}' {provider(plugins[name])} cannot be imported: {_told(error)}") from error


def _import(module: str, target: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(f"objective '{target}' cannot be imported: {_told(error)}") from error


def absolute(target: str, folder: Path | None = None) -> str:
    """The target as it is found from any working directory. Raises BadInput for a file that is not there."""
    location, _, name = target.rpartition(":")
    return f"{_locate(location, folder)}:{name}" if location.endswith(".py") else target


def _locate(location: str, folder: Path | None) -> Path:
    tried = [base / location for base in (folder, Path()) if base is not None]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise BadInput(f"objective file not found: {' or '.join(str(p) for p in dict.fromkeys(tried))}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"objective file {path} cannot be read: {error.strerror or error}") from error


def _load(path: Path) -> ModuleType:
    source = hashlib.sha256(_content(path)).hexdigest()
    # The name carries the content, so that two files of one name, or two versions of one file, never mix.
    name = f"lipbench_plugin_{path.stem}_{source[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadInput(f"objective file {path} cannot be imported: {_told(error)}") from error
    return module


def _attribute(module: ModuleType, name: str, target: str) -> object:
    if not hasattr(module, name):
        classes = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, Objective)]
        own = [n for n in classes if getattr(module, n) is not Objective]
        raise BadInput(f"{target}: no '{name}' in there; objectives found: {', '.join(own) or 'none'}")
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


def _called(cls: type[Objective], name: str) -> type[Objective]:
    """Checks that a class goes by the name it is listed under, so that tables and suites call it the same."""
    if cls.name != name:
        raise BadInput(f"objective '{name}': its class calls itself '{cls.name}'; let the two agree")
    return cls


def _untaken(cls: type[Objective], target: str) -> type[Objective]:
    """Checks that no other class goes by this one's name."""
    known = objective_names()
    if cls.name in known and _named(cls.name) is not cls:
        raise BadInput(f"{target}: the name '{cls.name}' is taken ({known[cls.name]}); rename it")
    return cls


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
