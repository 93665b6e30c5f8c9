"""Configurations drawn from ranges: the i-th draw of a setting depends on the setting's name and on i alone.

So a larger budget begins with the configurations of a smaller one, and objectives that share a range share its draws.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ...models.recipe import Recipe
from ..config.plugins import ResolvedObjective, bind_arguments, build_objective
from ..config.resolve import make_recipe
from ..config.spec import RunSpec
from .ranges import BETAS, SETTINGS, Ranges

SEED = "lipbench tune"


def uniform_draw(key: str, index: int) -> float:
    """A number in [0, 1), uniform over indices, for the index-th draw of a setting."""
    digest = hashlib.sha256(f"{SEED}/{key}/{index}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def draw(ranges: Ranges, index: int) -> dict[str, Any]:
    """The index-th configuration: setting → value."""
    return {key: one.at(uniform_draw(key, index)) for key, one in ranges.items()}


def with_settings(
    spec: RunSpec, found: ResolvedObjective, values: Mapping[str, Any], recipe: str, where: str
) -> RunSpec:
    """The run with these settings of its recipe and arguments of its objective, under the recipe's new label.

    `found` is the run's objective. A learning rate of the critic alone keeps its ratio to the other, unless it is drawn
    itself. `beta1` and `beta2` mean nothing to RMSprop and are left out there.

    Raises:
        BadInput: for a value that the recipe or the objective refuses.
    """
    settings = {key: value for key, value in values.items() if key in SETTINGS}
    arguments = {key: value for key, value in values.items() if key not in SETTINGS}
    given = bind_arguments(found.cls, spec.arguments | arguments, f"{where}: tune")
    build_objective(found, given, f"{where}: tune")
    return replace(
        spec, arguments=given, recipe=recipe, recipe_spec=_recipe(spec.recipe_spec, settings, f"{where}: tune")
    )


def effective_settings(spec: RunSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """The drawn settings without those that the optimiser ignores."""
    return {k: v for k, v in values.items() if not (k in (*BETAS, "betas") and spec.recipe_spec.optimizer == "rmsprop")}


def _recipe(base: Recipe, drawn: Mapping[str, Any], where: str) -> Recipe:
    settings = asdict(base) | {key: value for key, value in drawn.items() if key not in BETAS}
    if "lr" in drawn and base.critic_lr is not None and "critic_lr" not in drawn:
        settings["critic_lr"] = base.critic_lr * drawn["lr"] / base.lr
    betas = settings["betas"]
    if isinstance(betas, list | tuple) and len(betas) == len(BETAS):  # a list of choices may hold anything
        settings["betas"] = tuple(drawn.get(key, beta) for key, beta in zip(BETAS, betas, strict=True))
    return make_recipe(settings, where)
