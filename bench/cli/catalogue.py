"""What `lipbench list` prints: every name that a suite or a command may use, with a line about it."""

from collections.abc import Callable
from functools import partial

import yaml

from ...models.catalog import ARCHITECTURES
from ...objectives.losses import LOSSES
from ..config.plugins import find_objective, objective_names
from ..config.recipes import RECIPES
from ..config.suite import SUITES, suite_names
from ..data.catalog import DATASETS, PREFIX
from ..metrics.catalog import EXTRACTORS
from ..metrics.images import label

Rows = list[tuple[str, str]]


def catalogue(kind: str) -> Rows:
    """(name, about) of everything of that kind."""
    return _KINDS[kind]()


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0] if thing.__doc__ else ""


def _objectives() -> Rows:
    names = objective_names().items()
    return [(n, f"{find_objective(n).cls.reference} ({where})") for n, where in names]


def _datasets() -> Rows:
    """A data set kept in files is one function with its source, which has a citation in place of a docstring."""
    cited = {name: make.args[0].citation for name, make in DATASETS.items() if isinstance(make, partial)}
    abouts = {name: f"{citation}; --data DIR or --download" for name, citation in cited.items()}
    rows = [(name, abouts.get(name) or _first_line(make)) for name, make in DATASETS.items()]
    return [
        *rows,
        (f"{PREFIX}PATH", "your own pictures, a folder or a .tar of them; PATH?size=64&crop=center&channels=3"),
    ]


def _suites() -> Rows:
    contents = {name: yaml.safe_load((SUITES / f"{name}.yaml").read_text(encoding="utf-8")) for name in suite_names()}
    return [(name, content.get("description", "")) for name, content in contents.items()]


def _studies() -> Rows:
    from ..studies import STUDIES

    return [(name, study.claim) for name, study in STUDIES.items()]


_KINDS: dict[str, Callable[[], Rows]] = {
    "objectives": _objectives,
    "datasets": _datasets,
    "models": lambda: [(name, _first_line(make)) for name, make in ARCHITECTURES.items()],
    "recipes": lambda: list(RECIPES.items()),
    "suites": _suites,
    "studies": _studies,
    "extractors": lambda: [(name, f"gives {label('fd', name)} and {label('is', name)}") for name in EXTRACTORS],
    "losses": lambda: [
        (name, f"Critic: {_first_line(loss.critic)} Generator: {_first_line(loss.generator)}")
        for name, loss in LOSSES.items()
    ],
}
