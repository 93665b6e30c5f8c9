"""Data sets by name or as somebody's plug-in: a function that returns the samples, `my.py:rings?n=500`.

Settings follow a question mark, as those of `folder:` and `points:` do; each is YAML, checked against the signature.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from ...objectives.errors import BadInput, naming
from ..data.brought import as_dataset, content_of
from ..data.catalog import Kind, found_name, kind_of, load, user_content
from ..data.dataset import Dataset
from .entry_points import DATASET, is_brought
from .plugins import bind, check_untaken, first_line, leaving_no_trace, parameters_of, resolve
from .yaml_reader import parse_yaml

SMALL = 32  # pixels; below are `digits`
NO_LABELS = "no labels, or samples without one"


class Folders(Protocol):
    """Where the things are that a suite names; a `RunContext` has them."""

    @property
    def suite_folder(self) -> Path:
        """Of the suite file: where plug-ins and data given by a relative path are looked for."""
        ...

    @property
    def data(self) -> Path | None:
        """Of the data sets kept in files, ~/.cache/lipbench if None."""
        ...


@dataclass(frozen=True)
class DataFacts:
    """What a specification holds of a data set: its kind, the name that is read, hashes of content and code."""

    kind: Kind
    name: str
    content: str | None = None
    source: str | None = None


def load_dataset(name: str, folders: Folders) -> Dataset:
    """The data set, on the CPU. Raises BadInput for whatever keeps it from being used."""
    return _call(name, folders.suite_folder)[0] if is_brought(name) else load(name, folders.data, folders.suite_folder)


def describe(name: str, folders: Folders) -> DataFacts:
    """The facts. Somebody's function is called for them."""
    if not is_brought(name):
        found = found_name(name, folders.data)
        return DataFacts(kind_of(name), found, user_content(found, folders.data, folders.suite_folder))
    data, source = _call(name, folders.suite_folder)
    kind = "points" if data.is_points else "digits" if data.shape[-1] < SMALL else "photos"
    return DataFacts(kind, name, content_of(data), source)


def classes_of(name: str, folders: Folders, where: str) -> int:
    """How many classes the samples have. Raises BadInput, opened by `where`, if there are none."""
    with naming(where):
        found = load_dataset(name, folders).classes
    if not found:
        raise BadInput(f"{where}: classes=auto: {name} has {NO_LABELS}")
    return found


def same_content(name: str, data: Dataset, content: str | None, folders: Folders) -> bool:
    """Whether a user's own data are what they were."""
    now = content_of(data) if is_brought(name) else user_content(name, folders.data, folders.suite_folder)
    return now == content


def _call(name: str, folder: Path) -> tuple[Dataset, str | None]:
    target, _, query = name.partition("?")
    found = resolve(DATASET, target, folder)
    if not callable(found.value):
        raise BadInput(f"{target}: not a function that returns samples")
    if ":" in target:
        check_untaken(DATASET, found.name, found.value, target)
    given = {key: parse_yaml(text, f"{name}: {key}") for key, text in parse_qsl(query, keep_blank_values=True)}
    bound = bind(parameters_of(found.value, name), given, name, "setting")
    with naming(name, anything=True), leaving_no_trace(target):
        made = found.value(**bound)
    return as_dataset(name, made, first_line(found.value) or f"made by {target}"), found.source
