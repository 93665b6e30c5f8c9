"""What a suite writes under `recipe`, checked and turned into settings. The named recipes are in recipes.py."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ...models.recipe import Recipe
from ...objectives.errors import BadInput, unknown
from ..data.catalog import Kind
from .recipes import RECIPES, SETTINGS, Preset, matched, preset
from .suite import Named, label


def check_recipe(entry: Named, objectives: Sequence[str], where: str) -> None:
    """Every key of a suite's recipe stands for something: a setting, or one of the objectives. Raises BadInput if not.

    Args:
        entry: a name, settings, or a mapping objective → recipe.
        objectives: what the suite's objectives may be called by.
        where: opens the message.
    """
    if isinstance(entry, str):
        return
    name = entry.get("name", "own")
    if not isinstance(name, str) or not name.strip() or "\n" in name:
        raise BadInput(f"{where}: name={name!r}: must be a text, of one line")
    if set(entry) == {"name"}:
        return
    allowed = ["name", *SETTINGS] if set(entry) & set(SETTINGS) else ["name", "default", *objectives, *SETTINGS]
    for key in entry:
        if key not in allowed:
            raise BadInput(f"{where}: {unknown('key', key, allowed)}")
    if name in RECIPES:
        raise BadInput(f"{where}: name={name!r}: must be a text that is no recipe of lipbench's ({', '.join(RECIPES)})")


def resolve_recipe(entry: Named, target: str, objective: str, kind: Kind, where: str) -> tuple[str, Preset, str | None]:
    """Label and settings of a suite's recipe for one objective, and why the objective is skipped under it.

    Args:
        entry: a name, settings, or a mapping objective → recipe, with `default` for the others (or `published`).
        target: what the suite calls the objective.
        objective: the objective's own name.
        kind: of data.
        where: opens the message of a BadInput.
    """
    if isinstance(entry, dict) and set(entry) == {"name"}:
        entry = entry["name"]
    if isinstance(entry, str):
        return entry, *_named(entry, objective, kind, where)
    if set(entry) & set(SETTINGS):
        given = {k: v for k, v in entry.items() if k != "name"}
        settings = _own(given, objective, kind, where)
        shown = {k: getattr(settings.recipe, k) for k in given}
        return entry.get("name") or label("custom", shown), settings, None
    own = entry.get(target, entry.get(objective, entry.get("default", "published")))
    # One label for the whole mapping: it is one protocol, and its objectives belong into one table.
    name = entry.get("name", "own")
    if isinstance(own, str):
        return name, *_named(own, objective, kind, where)
    if not isinstance(own, dict) or not set(own) & set(SETTINGS):
        raise BadInput(f"{where}: {target}: must be the name of a recipe, or settings among {', '.join(SETTINGS)}")
    return name, _own(own, objective, kind, f"{where}: {target}"), None


def _named(recipe: str, objective: str, kind: Kind, where: str) -> tuple[Preset, str | None]:
    if recipe not in RECIPES:
        raise BadInput(f"{where}: {unknown('recipe', recipe, list(RECIPES))}")
    known = preset(recipe, objective, kind)
    if known is not None:
        return known, None
    reason = f"recipe '{recipe}' says nothing about {objective} on {kind}: give its own, or use 'matched'"
    return matched(objective, kind), reason


def _own(settings: Mapping[str, Any], objective: str, kind: Kind, where: str) -> Preset:
    """Settings of a suite; what they leave out is a Recipe's default, batch and networks those of `matched`."""
    base = matched(objective, kind)
    for key in settings:
        if key not in SETTINGS:
            raise BadInput(f"{where}: {unknown('key', key, list(SETTINGS))}")
    recipe = make_recipe({"batch": base.recipe.batch, **settings}, where)
    if recipe.dequantise == "uniform" and kind in ("points", "pairs"):
        raise BadInput(f"{where}: dequantise=uniform: only images have levels to spread, these data are {kind}")
    return Preset(recipe, base.arguments, base.architecture)


def make_recipe(settings: Mapping[str, Any], where: str) -> Recipe:
    """The recipe of these settings, which come from a file. Raises BadInput, opened by `where`, if there is none."""
    for key, value in settings.items():  # true would pass for the number 1
        if any(isinstance(part, bool) for part in (value if isinstance(value, list | tuple) else [value])):
            raise BadInput(f"{where}: {key}={value!r}: must not be true or false")
    try:
        return TypeAdapter(Recipe).validate_python(settings)
    except ValidationError as error:
        problem = error.errors()[0]
        told = problem["msg"].removeprefix("Value error, ").removeprefix("recipe: ")
        key = f"{problem['loc'][0]}={problem['input']!r}: " if problem["loc"] else ""
        raise BadInput(f"{where}: {key}{told}") from error
