"""Finds out what a target is, and runs the kit of its kind on it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from torch import nn
from torchmetrics import Metric

from ...objectives.base import Objective
from ...objectives.conformance import Report, check_objective
from ...objectives.errors import LIKE, BadInput
from ..config import entry_points
from ..config.architectures import build_architecture, resolve_architecture
from ..config.datasets import load_dataset
from ..config.entry_points import ARCHITECTURE, DATASET, EXTRACTOR, KINDS, METRIC, OBJECTIVE, PluginKind, known_names
from ..config.metrics import ResolvedEvaluation, make
from ..config.plugins import bind_arguments, build_objective, find_objective, resolve
from ..config.suite import split
from ..data.catalog import PREFIXES
from ..metrics.catalog import load_extractor
from ..metrics.settings import Evaluation
from .architectures import check_architecture
from .data import check_dataset
from .extractors import check_extractor
from .metrics import check_metric


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
    if found in (METRIC, EXTRACTOR):
        return _check_measure(found, target, settings)
    if found is DATASET:
        entry_points.check_dataset(target)  # a name that nobody has is no fault of the data
        given = urlencode({key: yaml.safe_dump(value).removesuffix("...\n").strip() for key, value in settings.items()})
        name = f"{target}{'&' if '?' in target else '?'}{given}" if given else target
        return check_dataset(f"{target} (data set)", lambda: load_dataset(name, _Here()))
    objective = find_objective(target)
    arguments = bind_arguments(objective.cls, settings, "--set")
    build_objective(objective, arguments, "--set")  # a value that is refused is no fault of the objective
    return check_objective(objective.cls, **arguments)


def _check_measure(kind: PluginKind, target: str, settings: Mapping[str, Any]) -> Report:
    title = f"{target} ({kind.name})"
    if target in kind.builtins:
        if kind is METRIC or settings:
            why = "takes no settings" if settings else "is measured on features: the kit is for metrics of samples"
            raise BadInput(f"{target}: is built in and {why}")
        return check_extractor(title, lambda: load_extractor(target).network)
    evaluation = ResolvedEvaluation(Evaluation())
    _, bound = split(evaluation.resolve(kind, {"name": target, **settings}, Path()), kind.name)
    return (check_metric if kind is METRIC else check_extractor)(title, lambda: make(kind, target, bound, Path()))


def kind_of_target(target: str) -> PluginKind:
    """By the name or the closest one that is known, or by what it is: an Objective; a metric; a network that takes a
    shape, or a function of one; a network that takes none, an extractor; else a function that makes data.
    """
    if target.startswith(PREFIXES):
        return DATASET
    name = target.partition("?")[0]
    if ":" not in name:
        kinds = {known: kind for kind in reversed(KINDS.values()) for known in known_names(kind)}
        close = get_close_matches(name, kinds, n=1, cutoff=LIKE)
        return kinds[close[0]] if close else OBJECTIVE
    value = resolve(OBJECTIVE, name).value
    if not callable(value):
        raise BadInput(f"{target}: nothing that can be called; can be checked: {', '.join(KINDS)}")
    known = next((kind for base, kind in BASES if inspect.isclass(value) and issubclass(value, base)), None)
    return known or _by_signature(value)


BASES = ((Objective, OBJECTIVE), (Metric, METRIC))


def _by_signature(value: Callable[..., Any]) -> PluginKind:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return OBJECTIVE
    if inspect.isclass(value) and issubclass(value, nn.Module):
        wants = any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
        return ARCHITECTURE if wants else EXTRACTOR
    return ARCHITECTURE if "shape" in [parameter.name for parameter in parameters] else DATASET
