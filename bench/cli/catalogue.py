"""What `lipbench list` prints: every name that a suite or a command may use, with a line about it.

Of what is built in the lines are read from the sources, so that a list waits for no torch.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import yaml
from docstring_parser import parse

from ...models.catalog import ARCHITECTURES
from ...models.recipe import Recipe
from ...objectives.catalog import BUILTINS
from ...objectives.loss_catalog import LOSSES
from ...objectives.registry import Registry
from ..config.entry_points import (
    ARCHITECTURE,
    DATASET,
    EXTRACTOR,
    METRIC,
    OBJECTIVE,
    PluginKind,
    known_names,
    plugged_in,
    provider,
)
from ..config.recipes import RECIPES
from ..config.suite import SUITES, Suite, suite_names
from ..data.catalog import DATASETS, DOWNLOADS
from ..data.files import POINTS_PREFIX, PREFIX
from ..metrics.catalog import EXTRACTORS
from ..metrics.labels import label
from ..metrics.settings import Evaluation
from ..studies.catalog import STUDIES

Rows = list[tuple[str, str]]


def catalogue(kind: str) -> Rows:
    """(name, about) of everything of that kind."""
    return _KINDS[kind]()


def _registered(registry: "Registry[object]") -> Rows:
    return [(name, registry.about(name)) for name in registry]


def _with_settings(registry: "Registry[object]", rows: Rows) -> Rows:
    """With a line for each setting: its default, and what its docstring says, ranges included."""
    return [
        (name, "\n".join([about, *_settings(registry, name)]) if name in registry else about) for name, about in rows
    ]


def _settings(registry: "Registry[object]", name: str) -> Iterator[str]:
    defaults, text = registry.settings(name)
    told = {one.arg_name: " ".join((one.description or "").split()) for one in parse(text).params}
    told |= {"loss": "one of `lipbench list losses`"} if "loss" in defaults else {}
    for key, default in defaults.items():
        yield f"  {key}: {default}" + (f" ({told[key].rstrip('.')})" if told.get(key) else "")


def _plugged(kind: PluginKind) -> Rows:
    return [(name, provider(point)) for name, point in plugged_in(kind).items()]


def _objectives() -> Rows:
    rows = [(name, f"{_reference(name)} ({where})") for name, where in known_names(OBJECTIVE).items()]
    return _with_settings(BUILTINS, rows)


def _reference(name: str) -> str:
    if name in BUILTINS:
        return BUILTINS.about(name, "reference")
    from ..config.plugins import find_objective  # imports torch, as the plug-in itself does

    return find_objective(name).cls.reference


def _datasets() -> Rows:
    rows = [
        (n, f"{about}; --data DIR or --download" if n in DOWNLOADS else about) for n, about in _registered(DATASETS)
    ]
    own = "your own pictures, a folder or a .tar of them; PATH?size=64&crop=center&channels=3"
    points = "your own points, .npy, .npz, .csv or .parquet; FILE?columns=a,b&standardise=true&held_out=.2"
    return [*rows, *_plugged(DATASET), (f"{PREFIX}PATH", own), (f"{POINTS_PREFIX}FILE", points)]


def _suites() -> Rows:
    contents = {name: yaml.safe_load((SUITES / f"{name}.yaml").read_text(encoding="utf-8")) for name in suite_names()}
    return [(name, content.get("description", "")) for name, content in contents.items()]


def _studies() -> Rows:
    return [(name, STUDIES.about(name, "claim")) for name in STUDIES]


def _metrics() -> Rows:
    """Of images, distances and scores carry their extractor's name in a table, as in FD(mnist-cnn)."""
    from ..records.quantities import KNOWN  # imports pandas

    known = [q for q in KNOWN.values() if q.quality]
    rows = [(q.key, f"{q.heading}{f' [{q.unit}]' if q.unit else ''}: {q.meaning}") for q in known]
    return [*rows, *_plugged(METRIC)]


def _extractors() -> Rows:
    return [
        *((name, f"gives {label('fd', name)} and {label('is', name)}") for name in EXTRACTORS),
        *_plugged(EXTRACTOR),
    ]


def _suite_keys() -> Rows:
    models = {"": Suite, "evaluation.": Evaluation}
    schemas = {prefix: model.model_json_schema()["properties"] for prefix, model in models.items()}
    return [
        (f"{prefix}{key}", _values(s))
        for prefix, keys in schemas.items()
        for key, s in keys.items()
        if key != "evaluation"
    ]


def _recipe_keys() -> Rows:
    told = {one.arg_name: " ".join((one.description or "").split()) for one in parse(Recipe.__doc__ or "").params}
    return [(one.name, f"{told[one.name].rstrip('.')}; default {one.default}") for one in fields(Recipe)]


def _json_types(schema: Mapping[str, Any]) -> Iterator[str]:
    """The JSON types that a key takes, of all branches."""
    if "type" in schema:
        yield str(schema["type"])
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _json_types(branch)


def _values(schema: Mapping[str, Any]) -> str:
    """What a key takes, such as "integer, minimum 1, default 1500"."""
    parts = [" or ".join(dict.fromkeys(_json_types(schema)))]
    parts += [f"{name} {schema[name]}" for name in ("enum", "minimum", "exclusiveMinimum", "maximum") if name in schema]
    parts += [f"default {json.dumps(schema['default'])}" if "default" in schema else "required"]
    return ", ".join(part for part in parts if part)


_KINDS: dict[str, Callable[[], Rows]] = {
    "objectives": _objectives,
    "datasets": _datasets,
    "architectures": lambda: _with_settings(ARCHITECTURES, _registered(ARCHITECTURES)) + _plugged(ARCHITECTURE),
    "recipes": lambda: list(RECIPES.items()),
    "recipe-keys": _recipe_keys,
    "metrics": _metrics,
    "suites": _suites,
    "suite-keys": _suite_keys,
    "studies": _studies,
    "extractors": _extractors,
    "losses": lambda: _registered(LOSSES),
}
