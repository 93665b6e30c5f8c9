"""Metrics and extractors by name or as somebody's plug-in: an evaluation as its records have it, and what it asks for.

A metric is made as `made(**settings)` and is a `torchmetrics.Metric` (metrics/brought.py says what is asked of it); an
extractor likewise, a module that turns images into features, or features and logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...objectives.errors import BadInput, naming
from ..data.catalog import Kind
from ..data.dataset import Dataset
from ..metrics.settings import Brought, Evaluation, Named
from .entry_points import EXTRACTOR, METRIC, PluginKind
from .plugins import bind, check_same, check_untaken, first_line, leaving_no_trace, parameters_of, resolve
from .suite import label, split


@dataclass
class ResolvedEvaluation:
    """An evaluation in which plug-ins stand as {name: label, with all settings}.

    `plugged` has the hash of the source and the target of each, by "extractor" or "metric" and its label, and `about`
    the first line of its docstring.
    """

    evaluation: Evaluation
    plugged: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def resolve(self, kind: PluginKind, entry: Named, folder: Path) -> Named:
        """An entry of the evaluation as records have it. Raises BadInput for a plug-in that cannot be made."""
        target, given = split(entry, kind.name)
        if target in kind.builtins:
            return target
        import_module("torchmetrics")  # changes torch, which is not to be laid at a plug-in's door
        found = resolve(kind, target, folder)
        if not callable(found.value):
            raise BadInput(f"{target}: must be a class, or a function")
        _check_free(kind, found.name, found.value, target)
        parameters = parameters_of(found.value, target)
        if "name" in parameters:
            raise BadInput(f"{target}: a setting cannot be called 'name'")
        bound = bind(parameters, given, found.name, "setting")
        shown = label(found.name, {key: bound[key] for key in given})
        key = kind.name if kind is EXTRACTOR else f"{kind.name} {shown}"
        if key in self.plugged:
            raise BadInput(f"{shown} stands there more than once")
        make(kind, target, bound, folder)
        self.plugged[key], self.about[key] = (found.source, target), first_line(found.value)
        return {"name": shown, **bound}

    def used_on(self, data: Kind) -> dict[str, tuple[str | None, str]]:
        """Those of `plugged` that runs on such data depend on."""
        unused = {"points": (EXTRACTOR.name,), "pairs": (EXTRACTOR.name, METRIC.name)}.get(data, ())
        return {key: found for key, found in self.plugged.items() if key.partition(" ")[0] not in unused}


def resolve_evaluation(evaluation: Evaluation, folder: Path, where: str) -> ResolvedEvaluation:
    """The evaluation with what it names looked up, and made once, so that bad values are told now.

    Args:
        evaluation: of a suite.
        folder: where relative paths are looked up first.
        where: opens the message of a BadInput.
    """
    found, extractors = ResolvedEvaluation(evaluation), [evaluation.extractor] if evaluation.extractor else []
    entries: dict[str, list[Named]] = {}
    for key, kind, asked in (("metrics", METRIC, evaluation.metrics), ("extractor", EXTRACTOR, extractors)):
        with naming(f"{where}.{key}"):
            entries[key] = [found.resolve(kind, entry, folder) for entry in asked]
    extractor = entries["extractor"][0] if extractors else None
    found.evaluation = evaluation.model_copy(update={"metrics": entries["metrics"], "extractor": extractor})
    return found


def bring(
    evaluation: Evaluation, sources: Mapping[str, str], targets: Mapping[str, str], data: Dataset, folder: Path
) -> Brought:
    """What of a run's evaluation is somebody else's.

    Args:
        evaluation: of a specification, as are `sources` and `targets`.
        sources: hashes of the plug-ins' code.
        targets: what the suite calls them.
        data: extractors are tried on images of their shape.
        folder: where relative paths are looked up first.

    Raises:
        BadInput: where a plug-in is not what it was when the sweep began, or cannot be made.
    """
    if not {"metric", "extractor"} & {key.partition(" ")[0] for key in sources}:
        return Brought()
    from ..metrics.brought import BroughtMetric, as_extractor  # torchmetrics takes its time

    def made(kind: PluginKind, key: str, settings: Mapping[str, Any]) -> Any:
        check_same(kind, targets[key], sources[key], folder)
        return make(kind, targets[key], settings, folder)

    metrics: list[BroughtMetric] = []
    for entry in evaluation.metrics:
        name, settings = split(entry, METRIC.name)
        if (key := f"{METRIC.name} {name}") in sources:
            metrics.append(BroughtMetric(name, made(METRIC, key, settings), settings, sources[key]))
    if evaluation.extractor is None or EXTRACTOR.name not in sources:
        return Brought(tuple(metrics))
    name, settings = split(evaluation.extractor, EXTRACTOR.name)
    network = made(EXTRACTOR, EXTRACTOR.name, settings)
    return Brought(tuple(metrics), as_extractor(name, network, data.shape, sources[EXTRACTOR.name]))


def make(kind: PluginKind, target: str, settings: Mapping[str, Any], folder: Path) -> Any:
    """The metric or the network itself, as it comes; random numbers that it draws are the same each time.

    Raises BadInput where it cannot be made, or is something else.
    """
    from torchmetrics import Metric

    from ..metrics.brought import own_streams

    found = resolve(kind, target, folder)
    wanted = Metric if kind is METRIC else nn.Module
    with naming(target, anything=True), leaving_no_trace(target, code=False), own_streams(torch.device("cpu")):
        made = found.value(**settings)
    if not isinstance(made, wanted) or (kind is EXTRACTOR and isinstance(made, Metric)):
        raise BadInput(f"{target}: makes {type(made).__name__}: must be a {wanted.__module__}.{wanted.__name__}")
    return made


def _check_free(kind: PluginKind, name: str, value: object, target: str) -> None:
    """Raises BadInput where another plug-in, or a column of ours, goes by this name."""
    from ..records.quantities import AXES, KNOWN  # imports pandas

    if ":" in target:
        check_untaken(kind, name, value, target)
    if kind is METRIC and (name in KNOWN or name in AXES):
        raise BadInput(f"{target}: the name '{name}' is taken (built in); rename it")
