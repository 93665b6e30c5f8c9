"""What `accelerate: auto` of a suite stands for: compiling, where a run is so long that it pays.

The answer depends on what a run's specification holds and on the device alone, not on how many runs there are or on
what a cache has, so that a further seed, or another time, changes no run's identity.
"""

from collections.abc import Mapping
from typing import Any

from ...models.acceleration import refusal
from ...models.recipe import Recipe
from ...objectives.base import Objective

# Measured of wgan-gp on 3×64 and 3×128 MLPs, batch 256, one thread (results/reference/perf/changes.md). The calls of
# operations are saved: 3×512 networks, where the products of matrices take the time, are 0.97 to 1.09 times as fast.
WIDEST = 128
COLD = 36.0  # seconds of a processor that compiling takes where nothing is in the cache
SAVED = 1.5e-3  # seconds of it that an update of critic or generator takes less then
TIMES = 2.0  # what has to be saved, in times of COLD


def pays(steps: int, recipe: Recipe) -> bool:
    """Whether compiling saves enough in so many iterations."""
    return steps * (recipe.n_critic + 1) * SAVED >= TIMES * COLD


def saves(kind: str, network: Mapping[str, Any], precision: str) -> bool:
    """Whether an iteration on this kind of data, with this architecture, is shorter when it is compiled."""
    return kind == "points" and network["name"] == "mlp" and network["width"] <= WIDEST and precision == "32"


def decide(steps: int, recipe: Recipe, objective: Objective, device: str) -> str:
    """`compile` or `none`, of a run whose iterations get shorter by it; on a GPU nothing is measured yet."""
    possible = device == "cpu" and refusal("compile", objective, recipe) is None
    return "compile" if possible and pays(steps, recipe) else "none"
