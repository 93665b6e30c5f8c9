"""Which code decides a run, or a study: what they are made of, found by name in the catalogs. Reads text alone.

A run depends on the core of all runs and on what its objective, networks, data set and metrics consist of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel

from ...models.catalog import ARCHITECTURES
from ...objectives.catalog import BUILTINS
from ...objectives.loss_catalog import LOSSES
from ..data.catalog import DATASETS, kind_of, target_of
from ..metrics.catalog import EXTRACTORS, FAMILIES
from ..records.source import Sources, installed_sources

CORE = "lipbench.bench.run.execution:run"  # game, iteration, training, evaluation, divergence and tail
STUDIES, SETTINGS, DATA = "lipbench.bench.studies", "lipbench.bench.config", "lipbench.bench.data"
OBJECTIVES = "lipbench.objectives"
BROUGHT = "lipbench.bench.data.brought:as_dataset"  # what takes data from a plug-in
TAKEN = "lipbench.bench.metrics.brought:as_extractor"  # and an extractor
CATALOGS = (BUILTINS, LOSSES, ARCHITECTURES, EXTRACTORS)


class Specified(Protocol):
    """What a fingerprint reads of a `RunSpec`; see there."""

    @property
    def objective_name(self) -> str: ...
    @property
    def arguments(self) -> dict[str, Any]: ...
    @property
    def source(self) -> str | None: ...
    @property
    def architecture_spec(self) -> dict[str, Any]: ...
    @property
    def dataset(self) -> str: ...
    @property
    def evaluation(self) -> Any: ...
    @property
    def sources(self) -> dict[str, str]: ...


def code_of(spec: Specified, sources: Sources | None = None) -> str:
    """A hash of the code in lipbench that decides the run; a plug-in's is `spec.source`."""
    sources = sources or installed_sources()
    brought = "dataset" in spec.sources
    data = BROUGHT if brought else target_of(spec.dataset)
    found = {CORE, *_networks(spec.architecture_spec), data}
    if spec.source is None:
        found.add(BUILTINS.target(spec.objective_name))
    found |= _losses(spec, sources)
    # Whether somebody else's data are points or images the name does not say: both ways to measure count.
    found |= {FAMILIES.target(name) for name in ("points", "images")} if brought else _families(spec.dataset)
    found |= {FAMILIES.target("brought")} if any(key.startswith("metric ") for key in spec.sources) else set()
    if brought or kind_of(spec.dataset) not in FAMILIES:
        found |= _extractors(spec, sources, data)
    return sources.closure(*found).digest[:16]


def _extractors(spec: Specified, sources: Sources, data: str) -> set[str]:
    """The one that is asked for, or that the data set's code names."""
    asked = spec.evaluation.extractor
    if isinstance(asked, dict):
        return {TAKEN} if "extractor" in spec.sources else set()
    names = {asked} if asked else sources.closure(data).texts(DATA)
    return {EXTRACTORS.target(name) for name in EXTRACTORS if name in names}


def _networks(architecture: Mapping[str, Any]) -> set[str]:
    """The architectures of ours that take part: the one that is named, or that gives a plug-in its other network."""
    parts = [architecture, *(part for part in architecture.values() if isinstance(part, dict))]
    return {ARCHITECTURES.target(part["name"]) for part in parts if part.get("name") in ARCHITECTURES}


def core_code() -> str:
    """A hash of the code that decides every run, so that runs of several folders can be told to be made alike."""
    return installed_sources().closure(CORE).digest[:16]


def _losses(spec: Specified, sources: Sources) -> set[str]:
    """The loss that the objective is given, or those that it names; any, where its code is somebody else's."""
    given = str(spec.arguments.get("loss"))
    if given in LOSSES:
        return {LOSSES.target(given)}
    if spec.source is not None:
        return {LOSSES.target(name) for name in LOSSES}
    named = sources.closure(BUILTINS.target(spec.objective_name)).texts(OBJECTIVES)
    return {LOSSES.target(name) for name in LOSSES if name in named}


def source_with_names(targets: Iterable[str], texts: Iterable[str] = ()) -> str:
    """As `source_of`, and of all that goes by a name in `texts`, or in what is reached of the studies' own code."""
    return _with_names(frozenset(targets), frozenset(texts), installed_sources())


@cache
def _with_names(targets: frozenset[str], texts: frozenset[str], sources: Sources) -> str:
    found: set[str] = set()
    more = {*targets, *_named(texts)}
    while not more <= found:
        found |= more
        reached = sources.closure(*found)
        more = _named(reached.texts(STUDIES))
        more |= {ARCHITECTURES.target(name) for name in reached.texts(SETTINGS) if name in ARCHITECTURES}
        more |= {EXTRACTORS.target(name) for name in reached.texts(DATA) if name in EXTRACTORS}
        more |= {LOSSES.target(name) for name in reached.texts(OBJECTIVES) if name in LOSSES}
    return sources.closure(*found).digest[:16]


def _named(texts: Iterable[str]) -> set[str]:
    """The targets that these texts are, or are names of."""
    found: set[str] = set()
    for text in texts:
        found |= {
            registry.target(text) for registry in (BUILTINS, LOSSES, ARCHITECTURES, EXTRACTORS) if text in registry
        }
        data = {name for name in (text, f"{text}-jpeg") if name in DATASETS}  # CIFAR-10 may be found as JPEGs alone
        found |= {target for name in data for target in (target_of(name), *_families(name))}
        found |= {text} if text.startswith(STUDIES) and ":" in text else set()
    return found


def _families(dataset: str) -> set[str]:
    kind = kind_of(dataset)
    names = (kind if kind in FAMILIES else "images", dataset)
    return {FAMILIES.target(name) for name in names if name in FAMILIES}


def texts_in(value: object) -> set[str]:
    """The texts in settings, and in the fields of a specification."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    elif is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if not isinstance(value, list | tuple | set | frozenset):
        return set()
    return {text for part in value for text in texts_in(part)}
