"""A suite file: what to compare. Read, checked, and expanded into the cells of a sweep. Nothing runs here."""

import difflib
import itertools
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..objectives import LOSSES, BadInput, unknown
from .data import DATASETS

SUITES = resources.files(__name__.rpartition(".")[0]) / "suites"


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {dataset: _seeds(own) for dataset, own in value.items()}
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value


def _architectures(value: Any) -> Any:
    if isinstance(value, dict) and "name" not in value:
        return {dataset: _as_list(own) for dataset, own in value.items()}
    return value if value is None else _as_list(value)


Named = str | dict[str, Any]
Count = Annotated[int, Field(ge=1)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Evaluation(BaseModel):
    """How often and on how many samples a run is evaluated; part of its identity.

    `count` evaluations follow the one at step 0, evenly spaced; `points` go into W1, `mode_points` into mode coverage,
    `images` into FD and IS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: Count = 20
    points: Annotated[int, Field(ge=10, le=5000)] = 1000
    mode_points: Annotated[int, Field(ge=100)] = 10_000
    images: Annotated[int, Field(ge=100)] = 1000
    is_splits: Count = 1


class Suite(BaseModel):
    """The factors of a sweep: objective × loss × dataset × architecture × recipe × seed.

    `steps`, `seeds` and `architectures` may be given per dataset, as a mapping.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = ""
    description: str = ""
    objectives: Annotated[list[Named], BeforeValidator(_as_list), Field(min_length=1)]
    datasets: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
    losses: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    architectures: Annotated[list[Named] | dict[str, list[Named]] | None, BeforeValidator(_architectures)] = None
    recipe: Annotated[list[Named], BeforeValidator(_as_list), Field(min_length=1)] = ["published"]
    steps: Count | dict[str, Count] = 3000
    seeds: Annotated[Seeds | dict[str, Seeds], BeforeValidator(_seeds)] = [0, 1, 2]
    evaluation: Evaluation = Evaluation()

    def steps_on(self, dataset: str) -> int:
        """Generator updates on a dataset."""
        return self.steps[dataset] if isinstance(self.steps, dict) else self.steps

    def seeds_on(self, dataset: str) -> list[int]:
        """The seeds of the runs on a dataset."""
        return self.seeds[dataset] if isinstance(self.seeds, dict) else self.seeds

    def architectures_on(self, dataset: str) -> list[Named] | list[None]:
        """The architectures on a dataset; None stands for the recipe's own."""
        chosen = self.architectures
        return (chosen.get(dataset) if isinstance(chosen, dict) else chosen) or [None]

    def cells(self) -> Iterator[tuple[str, Named, str | None, Named | None, Named, int]]:
        """(dataset, objective, loss, architecture, recipe, seed) of every run; seeds vary slowest, so that an
        interrupted sweep has whole replicates.
        """
        for seed in sorted({seed for dataset in self.datasets for seed in self.seeds_on(dataset)}):
            for dataset in (d for d in self.datasets if seed in self.seeds_on(d)):
                for recipe, architecture, objective, loss in itertools.product(
                    self.recipe, self.architectures_on(dataset), self.objectives, self.losses or [None]
                ):
                    yield dataset, objective, loss, architecture, recipe, seed


def suite_names() -> list[str]:
    """The suites that come with lipbench."""
    return sorted(p.name.removesuffix(".yaml") for p in SUITES.iterdir() if p.name.endswith(".yaml"))


def load_suite(target: str, overrides: list[str] | None = None) -> tuple[Suite, Path]:
    """The suite of that name or file, with `KEY=VALUE` overrides (dots reach inside), and the folder it lies in.

    Raises BadInput, which names the file, the key and what is allowed.
    """
    path = _find(target)
    content = _read(path)
    for override in overrides or []:
        _override(content, override)
    content.setdefault("name", path.name.removesuffix(".yaml").removesuffix(".yml"))
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {_explain(error)}") from error
    _check_names(suite, str(path))
    return suite, Path(str(path)).parent


def _find(target: str) -> Any:
    if target.endswith((".yaml", ".yml")):
        if not Path(target).is_file():
            raise BadInput(f"suite file not found: {target}")
        return Path(target)
    if target not in suite_names():
        error = unknown("suite", target, suite_names())
        raise BadInput(f"{error}; or give the path of a .yaml file")
    return SUITES / f"{target}.yaml"


def _read(path: Any) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: a suite is a mapping of {', '.join(Suite.model_fields)}")
    return content


def _override(content: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign:
        raise BadInput(f"--set {override}: must be KEY=VALUE, e.g. --set steps=60")
    *outer, last = key.split(".")
    place = content
    for part in outer:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise BadInput(f"--set {override}: '{part}' is not a mapping")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {override}: not valid YAML: {' '.join(str(error).split())}") from error


def _explain(error: ValidationError) -> str:
    """The first problem as one line: the key, what is wrong, what is allowed."""
    problem = error.errors()[0]
    keys = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        fields = Evaluation.model_fields if keys[0] == "evaluation" else Suite.model_fields
        close = difflib.get_close_matches(keys[-1], fields, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"unknown key '{'.'.join(keys)}'{hint}; allowed: {', '.join(fields)}"
    if problem["type"] == "missing":
        return f"key '{'.'.join(keys)}' is missing"
    shown = ".".join(k for k in keys if k in Suite.model_fields or k in Evaluation.model_fields or k.isdigit())
    return f"'{shown}' is {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _check_names(suite: Suite, where: str) -> None:
    for dataset in suite.datasets:
        if dataset.partition(":")[0] not in DATASETS:
            raise BadInput(f"{where}: datasets: {unknown('dataset', dataset, list(DATASETS))}")
        for key in ("steps", "seeds"):
            given = getattr(suite, key)
            if isinstance(given, Mapping) and dataset not in given:
                raise BadInput(f"{where}: {key}: nothing for dataset '{dataset}'")
    for loss in suite.losses or []:
        if loss not in LOSSES:
            raise BadInput(f"{where}: losses: {unknown('loss', loss, list(LOSSES))}")
