"""The full specification of one run, its identity, and how a suite is turned into specifications."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..models import ARCHITECTURES, Recipe
from ..objectives import BadInput, unknown
from .data import POINTS
from .plugins import Found, bind_arguments, build_objective, find_objective
from .recipes import RECIPES, Preset, preset
from .suite import Named, Suite

SCHEMA_VERSION = 1
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides what a run computes, and the labels it goes by in tables.

    `objective_target`, `folder` and `data_dir` say where things are found; they are not part of the identity.
    """

    objective: str
    objective_name: str
    arguments: dict[str, Any]
    source: str | None
    dataset: str
    architecture: str
    architecture_spec: dict[str, Any]
    recipe: str
    recipe_spec: Recipe
    seed: int
    steps: int
    evaluation: dict[str, int]
    objective_target: str
    folder: str
    data_dir: str | None = None
    skip: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What the run's id is a hash of."""
        located = ("objective_target", "folder", "data_dir", "skip")
        return {k: v for k, v in asdict(self).items() if k not in located} | {"code": code_version()}

    @property
    def id(self) -> str:
        """A readable name that ends in a hash of the identity."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:10]
        label = "_".join([self.dataset, self.objective, self.architecture, self.recipe, f"s{self.seed}"])
        return f"{''.join(c if c.isalnum() or c in '-_.=' else '-' for c in label)[:120]}_{digest}"

    def record(self) -> dict[str, Any]:
        """The content of spec.json."""
        return {
            "run": self.id,
            "schema_version": SCHEMA_VERSION,
            "objective": self.objective,
            "objective_spec": {"name": self.objective_name, "arguments": self.arguments, "source": self.source},
            "objective_target": self.objective_target,
            "loss": self.arguments.get("loss", "own"),
            "dataset": self.dataset,
            "architecture": self.architecture,
            "architecture_spec": self.architecture_spec,
            "recipe": self.recipe,
            "recipe_spec": asdict(self.recipe_spec),
            "seed": self.seed,
            "steps": self.steps,
            "evaluation": self.evaluation,
            "code": code_version(),
        }


@cache
def code_version() -> str:
    """sha256 over the sources that decide what a run computes; tables and plots are not among them."""
    digest = hashlib.sha256()
    for path in sorted(
        p for room in ("objectives", "models", "bench/data", "bench/metrics") for p in (ROOT / room).rglob("*.py")
    ):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    for name in ("train.py", "evaluation.py"):
        digest.update((ROOT / "bench" / name).read_bytes())
    return digest.hexdigest()[:16]


def expand(suite: Suite, folder: Path, data_dir: Path | None = None) -> list[RunSpec]:
    """The runs of a suite, in the order they are to be made. Raises BadInput for what cannot be resolved."""
    specs = [_resolve(suite, folder, data_dir, *cell) for cell in suite.cells()]
    seen: dict[tuple[object, ...], RunSpec] = {}
    for spec in specs:
        key = (spec.objective, spec.dataset, spec.architecture, spec.recipe, spec.seed)
        if key in seen:
            raise BadInput(
                f"suite '{suite.name}': {spec.objective} stands twice on {spec.dataset} with the same settings"
            )
        seen[key] = spec
    return specs


def _resolve(
    suite: Suite,
    folder: Path,
    data_dir: Path | None,
    dataset: str,
    objective: Named,
    loss: str | None,
    architecture: Named | None,
    recipe: Named,
    seed: int,
) -> RunSpec:
    where = f"suite '{suite.name}'"
    target, given = _split(objective, f"{where}: objectives")
    if loss is not None:
        given = given | {"loss": loss}
    found = find_objective(target, folder)
    is_points = dataset in POINTS
    recipe_label, settings, skip = _recipe(recipe, found, is_points, where)
    arguments = _arguments(found, given, settings, where)
    label, spec = _architecture(architecture, settings, is_points, where)
    return RunSpec(
        objective=_label(found.cls.name, given),
        objective_name=found.cls.name,
        arguments=arguments,
        source=found.source,
        dataset=dataset,
        architecture=label,
        architecture_spec=spec,
        recipe=recipe_label,
        recipe_spec=settings.recipe,
        seed=seed,
        steps=suite.steps_on(dataset),
        evaluation=suite.evaluation.model_dump(),
        objective_target=target,
        folder=str(folder),
        data_dir=None if data_dir is None else str(data_dir),
        skip=skip,
    )


def _split(entry: Named, where: str) -> tuple[str, dict[str, Any]]:
    """A name and its settings, from `name` or `{name: …, setting: value}`."""
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry.get("name"), str):
        raise BadInput(f"{where}: an entry with settings needs a 'name': {entry}")
    return entry["name"], {k: v for k, v in entry.items() if k != "name"}


def _label(name: str, settings: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{k}={v}' for k, v in settings.items())})" if settings else name


def _arguments(found: Found, given: Mapping[str, Any], settings: Preset, where: str) -> dict[str, Any]:
    """Given ones, else the recipe's, else the defaults; it is built once here, so that bad values are told now."""
    arguments = bind_arguments(found.cls, {**settings.arguments, **given}, where)
    build_objective(found, arguments, where)
    return arguments


def _recipe(entry: Named, found: Found, is_points: bool, where: str) -> tuple[str, Preset, str | None]:
    """Label, settings, and why this objective is skipped under it."""
    if isinstance(entry, dict) and not set(entry) & {f.name for f in fields(Recipe)}:
        return _recipe_of_objective(entry, found, is_points, where)
    if isinstance(entry, dict):
        settings = {k: v for k, v in entry.items() if k != "name"}
        return entry.get("name") or _label("custom", settings), _own(settings, found, is_points, where), None
    if entry not in RECIPES:
        raise BadInput(f"{where}: recipe: {unknown('recipe', entry, list(RECIPES))}")
    known = preset(entry, found.cls.name, is_points)
    if known is not None:
        return entry, known, None
    fallback = preset("matched", found.cls.name, is_points)
    assert fallback is not None
    return entry, fallback, f"recipe '{entry}' says nothing about {found.cls.name}: give its own, or use 'matched'"


def _recipe_of_objective(
    entry: dict[str, Any], found: Found, is_points: bool, where: str
) -> tuple[str, Preset, str | None]:
    """A mapping objective → recipe, with `default` for the others (`published` if it is not there)."""
    own = entry.get(found.target, entry.get(found.cls.name, entry.get("default", "published")))
    if not isinstance(own, str | dict) or (isinstance(own, dict) and not set(own) & {f.name for f in fields(Recipe)}):
        allowed = ", ".join(f.name for f in fields(Recipe))
        raise BadInput(f"{where}: recipe: {found.target}: must be the name of a recipe, or settings among {allowed}")
    _, settings, skip = _recipe(own, found, is_points, where)
    # One label for the whole mapping: it is one protocol, and its objectives belong into one table.
    return entry.get("name", "own"), settings, skip if isinstance(own, str) else None


def _own(settings: Mapping[str, Any], found: Found, is_points: bool, where: str) -> Preset:
    base = preset("matched", found.cls.name, is_points)
    assert base is not None
    allowed = [f.name for f in fields(Recipe)]
    for key in settings:
        if key not in allowed:
            raise BadInput(f"{where}: recipe: unknown key '{key}'; allowed: {', '.join(allowed)}")
    try:
        recipe = TypeAdapter(Recipe).validate_python({"batch": base.recipe.batch, **settings})
    except ValidationError as error:
        problem = error.errors()[0]
        raise BadInput(f"{where}: recipe: {problem['loc'][0]}={problem['input']!r}: {problem['msg']}") from error
    return Preset(recipe, base.arguments, base.architecture)


def _architecture(entry: Named | None, settings: Preset, is_points: bool, where: str) -> tuple[str, dict[str, Any]]:
    name, given = _split(entry if entry is not None else dict(settings.architecture), f"{where}: architectures")
    if name not in ARCHITECTURES:
        raise BadInput(f"{where}: architectures: {unknown('model', name, list(ARCHITECTURES))}")
    if name == settings.architecture["name"]:
        given = {k: v for k, v in settings.architecture.items() if k != "name"} | given
    bound = _bound(name, given, where)
    if name == "mlp":
        rest = {k: v for k, v in given.items() if k not in ("width", "depth")}
        return _label(f"mlp-{bound['depth']}x{bound['width']}", rest), {"name": name, **bound}
    return _label(name, given), {"name": name, **bound}


def _bound(name: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All settings of the architecture, defaults included, so that a changed default changes the identity."""
    import inspect

    parameters = {k: p for k, p in inspect.signature(ARCHITECTURES[name]).parameters.items() if k != "shape"}
    bound = {k: p.default for k, p in parameters.items()}
    for key, value in given.items():
        if key not in parameters:
            raise BadInput(f"{where}: architectures: {name} has no setting '{key}'; allowed: {', '.join(parameters)}")
        try:
            bound[key] = TypeAdapter(parameters[key].annotation).validate_python(value)
        except ValidationError as error:
            raise BadInput(f"{where}: architectures: {name}: {key}={value!r}: {error.errors()[0]['msg']}") from error
    return bound
