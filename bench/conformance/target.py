"""Finds out what a target is, and runs the kit of its kind on it."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from torch import nn

from ...objectives.base import Objective
from ...objectives.conformance import Report, check_objective
from ...objectives.errors import BadInput
from ..config.architectures import build_architecture, resolve_architecture
from ..config.datasets import load_dataset
from ..config.entry_points import ARCHITECTURE, DATASET, OBJECTIVE, PluginKind, known_names
from ..config.plugins import bind_arguments, build_objective, find_objective, resolve
from ..data.catalog import PREFIXES
from .architectures import check_architecture
from .data import check_dataset

KINDS = {kind.name: kind for kind in (OBJECTIVE, ARCHITECTURE, DATASET)}


@dataclass(frozen=True)
class _Here:
    """Plug-ins and data are looked for in the working directory."""

    suite_folder: Path = Path()
    data: Path | None = None


def check_target(target: str, settings: Mapping[str, Any], kind: str | None = None) -> Report:
    """The report on what is behind a target.

    Args:
        target: a name, pkg.mod:Name, or path/file.py:Name.
        settings: of it.
        kind: one of KINDS; None: what the target looks like.

    Raises:
        BadInput: for what cannot be found, or made with these settings.
    """
    found = KINDS[kind] if kind else kind_of_target(target)
    if found is ARCHITECTURE:
        chosen = resolve_architecture({"name": target, **settings}, {"name": ""}, Path(), "--set")
        return check_architecture(
            f"{target} (architecture)", lambda shape: build_architecture(chosen.spec, target, shape, Path())
        )
    if found is DATASET:
        given = urlencode({key: yaml.safe_dump(value).removesuffix("...\n").strip() for key, value in settings.items()})
        name = f"{target}{'&' if '?' in target else '?'}{given}" if given else target
        return check_dataset(f"{target} (data set)", lambda: load_dataset(name, _Here()))
    objective = find_objective(target)
    arguments = bind_arguments(objective.cls, settings, "--set")
    build_objective(objective, arguments, "--set")  # a value that is refused is no fault of the objective
    return check_objective(objective.cls, **arguments)


def kind_of_target(target: str) -> PluginKind:
    """By name, or by what it is: an Objective; a network, or a function of a shape; else a function that makes data."""
    if target.startswith(PREFIXES):
        return DATASET
    name = target.partition("?")[0]
    if ":" not in name:
        return next((kind for kind in KINDS.values() if name in known_names(kind)), OBJECTIVE)
    value = resolve(OBJECTIVE, name).value
    if inspect.isclass(value) and issubclass(value, Objective):
        return OBJECTIVE
    if inspect.isclass(value) and issubclass(value, nn.Module):
        return ARCHITECTURE
    if not callable(value):
        raise BadInput(f"{target}: nothing that can be called; can be checked: {', '.join(KINDS)}")
    try:
        return ARCHITECTURE if "shape" in inspect.signature(value).parameters else DATASET
    except (TypeError, ValueError):
        return OBJECTIVE
