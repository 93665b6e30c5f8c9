"""What code from outside can change for everybody in its process: read, compared, and put back where that is possible.

Numbers depend on most of it. Random states are not in here: a run seeds its own.
"""

import builtins
import gc
import json
import locale
import logging
import math
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TextIO

import numpy as np
import torch

from ...models.precision import float32_settings, set_float32

SHOWN = 60  # characters of a value in a message
MANY = 5  # changes that are told one by one
SCIKIT_LEARNS = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK")  # variables that it sets when it is imported
Reader = Callable[[], Any]
Writer = Callable[[Any], object]


@dataclass(frozen=True)
class GlobalSetting:
    """One of them: its name, how it is read, and how it is put back (None: it cannot be).

    Of what only `grows`, a tuple, nothing but new entries count: a thread that ends by itself is nobody's doing.
    """

    name: str
    read: Reader
    write: Writer | None = None
    grows: bool = False


@dataclass(frozen=True)
class ProcessState:
    """What this process was like at one moment: the settings, and what stood in modules and classes."""

    values: Mapping[str, Any]
    attributes: Mapping[int, tuple[Any, dict[str, Any]]]

    @classmethod
    def now(cls, code: bool = True) -> "ProcessState":
        """As it is; without `code` the settings alone, which takes a twentieth of the time."""
        owners = {id(owner): (owner, dict(vars(owner))) for owner in (_owners() if code else ())}
        return cls({setting.name: setting.read() for setting in SETTINGS}, owners)

    def changes(self) -> list[str]:
        """What is different by now, in words."""
        return [change for change, _ in self._different()]

    def restore(self) -> list[str]:
        """Puts back what can be, and returns what `changes` did before that."""
        found: list[str] = []
        for change, undo in self._different():
            if undo is not None:
                undo()
            found.append(change)
        return found

    def _different(self) -> Iterator[tuple[str, Callable[[], object] | None]]:
        """Functions first: settings are read and put back with them."""
        yield from self._replaced()
        for setting in SETTINGS:
            before, now = self.values[setting.name], setting.read()
            if setting.grows and set(now) <= set(before):
                continue
            if before != now:
                undo = None if setting.write is None else _call(setting.write, before)
                yield f"{setting.name}: {_shown(before, now)}", undo

    def _replaced(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """What stands in modules and classes in place of what stood there, or before it in a class."""
        for owner, before in self.attributes.values():
            now = vars(owner)
            for name, value in before.items():
                if name not in now or (not _same(now[name], value) and _watched(name, value)):
                    yield f"{_name(owner)}.{name}: replaced", _call(setattr, owner, name, value)
            for name in _shadowing(owner, before):
                yield f"{_name(owner)}.{name}: replaced", _call(delattr, owner, name)


def told(changes: list[str]) -> str:
    """Changes as part of one line."""
    more = f" and {len(changes) - MANY} more" if len(changes) > MANY else ""
    return "; ".join(changes[:MANY]) + more


def _call(function: Callable[..., object], *arguments: Any) -> Callable[[], object]:
    return lambda: function(*arguments)


def _shown(before: Any, now: Any) -> str:
    """What a value was and is; of collections, what came and went."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [str(key) for key in {**before, **now} if before.get(key) != now.get(key)]
        return _cut(", ".join(keys))
    if isinstance(before, tuple) and len(before) != len(now):
        return f"{len(before)} entries before, {len(now)} now"
    return f"{_cut(repr(before))} → {_cut(repr(now))}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _owners() -> Iterator[Any]:
    """Modules and classes whose functions everybody uses: torch's, numpy's, Python's most common, lipbench's own."""
    named = [builtins, math, random, time, os, json, np, np.random, np.linalg, torch, torch.Tensor, torch.nn.functional]
    yield from (*named, torch.nn.init, torch.linalg, torch.autograd, torch.random, torch.Generator)
    yield from (kind for kind in vars(torch.nn).values() if isinstance(kind, type))
    yield from (kind for kind in vars(torch.optim).values() if isinstance(kind, type))
    for name, module in list(sys.modules.items()):
        if name.startswith("lipbench.") and isinstance(module, ModuleType):
            yield module
            yield from (v for v in vars(module).values() if isinstance(v, type) and v.__module__ == name)


def _same(now: Any, before: Any) -> bool:
    """Also of a step that torch itself wraps, for its profiler, when the first optimiser of a class is made."""
    return now is before or (getattr(now, "hooked", False) and getattr(now, "__wrapped__", None) is before)


def _shadowing(owner: Any, before: Mapping[str, Any]) -> list[str]:
    """Names that a class has of its own now, where it had code of that name from a base: most methods of Tensor."""
    if not isinstance(owner, type):
        return []
    found = {name: getattr(super(owner, owner), name, None) for name in vars(owner).keys() - before.keys()}
    return [name for name, base in found.items() if callable(base) and not _same(vars(owner)[name], base)]


def _watched(name: str, value: Any) -> bool:
    """Code and constants; what else a module keeps may change by itself, as a cache, and Storage with the dtype."""
    return name != "Storage" and (callable(value) or (name.isupper() and isinstance(value, int | float | str | tuple)))


def _name(owner: Any) -> str:
    return owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"


def _inference(on: bool) -> None:
    """The guard that switched it is somebody else's: another one is put on top of it, for good."""
    _GUARDS.append(torch.inference_mode(on))
    _GUARDS[-1].__enter__()


_GUARDS: list[Any] = []


def _umask() -> str:
    value = os.umask(0o077)
    os.umask(value)
    return f"{value:03o}"


def _directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _chdir(before: str | None) -> None:
    if before is not None:
        os.chdir(before)


def _handlers() -> dict[str, Any]:
    return {s.name: signal.getsignal(s) for s in signal.valid_signals() if isinstance(s, signal.Signals)}


def _set_handlers(before: dict[str, Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for name, handler in before.items():
            if handler is not None and handler != signal.getsignal(signal.Signals[name]):
                signal.signal(signal.Signals[name], handler)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SCIKIT_LEARNS}


def _set_environment(before: dict[str, str]) -> None:
    for name in _environment():
        del os.environ[name]
    os.environ.update(before)


def _set_filters(before: tuple[Any, ...]) -> None:
    warnings.filters[:] = before  # pyright: ignore[reportIndexIssue]
    warnings._filters_mutated()  # pyright: ignore[reportAttributeAccessIssue]


def _path(before: tuple[str, ...]) -> None:
    sys.path[:] = before


def _locale() -> tuple[str, ...]:
    kinds = (locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME, locale.LC_COLLATE)
    return tuple(locale.setlocale(kind) for kind in kinds)


def _set_locale(before: tuple[str, ...]) -> None:
    kinds = (locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME, locale.LC_COLLATE)
    for kind, value in zip(kinds, before, strict=True):
        locale.setlocale(kind, value)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_device(before: str) -> None:
    torch.set_default_device(None if before == "cpu" else before)


def _flushes() -> bool:
    tiny = float("1e-310")  # not a constant, which Python would multiply when it compiles this
    return tiny * 1.0 == 0.0


def _flag(name: str, owner: Any, attribute: str) -> GlobalSetting:
    return GlobalSetting(name, lambda: getattr(owner, attribute), lambda value: setattr(owner, attribute, value))


def _hooks() -> tuple[int, ...]:
    module: Any = torch.nn.modules.module
    return tuple(len(v) for k, v in sorted(vars(module).items()) if k.startswith("_global_") and k.endswith("hooks"))


def _clear_hooks(_: Any) -> None:
    for name, hooks in vars(torch.nn.modules.module).items():
        if name.startswith("_global_") and name.endswith("hooks"):
            hooks.clear()


_backends: Any = torch.backends


def _set_streams(streams: tuple[TextIO, TextIO]) -> None:
    sys.stdout, sys.stderr = streams


SETTINGS: tuple[
    GlobalSetting, ...
] = (  # inference mode before what reads tensors, and before grad mode, which it changes
    GlobalSetting("torch's inference mode", torch.is_inference_mode_enabled, _inference),
    GlobalSetting("torch's gradients are on", torch.is_grad_enabled, torch.set_grad_enabled),
    GlobalSetting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
    GlobalSetting("torch's default device", lambda: str(torch.get_default_device()), _set_device),
    GlobalSetting("torch's threads", torch.get_num_threads, torch.set_num_threads),
    GlobalSetting(
        "torch's deterministic algorithms",
        _deterministic,
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    GlobalSetting("torch's float32 precision", float32_settings, set_float32),
    GlobalSetting("torch's anomaly detection", torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    GlobalSetting(
        "torch's autocast", lambda: torch.is_autocast_enabled("cpu"), lambda on: torch.set_autocast_enabled("cpu", on)
    ),
    GlobalSetting("torch flushes denormal numbers", _flushes, torch.set_flush_denormal),
    GlobalSetting("torch's hooks of all modules", _hooks, _clear_hooks),
    _flag("torch.backends.cudnn.enabled", _backends.cudnn, "enabled"),
    _flag("torch.backends.cudnn.benchmark", _backends.cudnn, "benchmark"),
    _flag("torch.backends.cudnn.deterministic", _backends.cudnn, "deterministic"),
    _flag("torch.backends.mkldnn.enabled", _backends.mkldnn, "enabled"),
    GlobalSetting("numpy's floating-point errors", np.geterr, lambda value: np.seterr(**value)),
    GlobalSetting("numpy's print options", lambda: repr(np.get_printoptions())),
    GlobalSetting("warnings filters", lambda: tuple(warnings.filters), _set_filters),
    GlobalSetting("locale", _locale, _set_locale),
    GlobalSetting("umask", _umask, lambda value: os.umask(int(value, 8))),
    GlobalSetting("working directory", _directory, _chdir),
    GlobalSetting("environment variables", _environment, _set_environment),
    GlobalSetting("sys.path", lambda: tuple(sys.path), _path),
    GlobalSetting("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    GlobalSetting("signal handlers", _handlers, _set_handlers),
    GlobalSetting("alarm", lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0),
    GlobalSetting("garbage collection", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    GlobalSetting("disabled logging", lambda: logging.root.manager.disable, logging.disable),
    GlobalSetting("standard output", lambda: (sys.stdout, sys.stderr), _set_streams),
    GlobalSetting("trace function", sys.gettrace, sys.settrace),
    GlobalSetting("profile function", sys.getprofile, sys.setprofile),
    GlobalSetting("threads that go on", lambda: tuple(threading.enumerate()), grows=True),
)
