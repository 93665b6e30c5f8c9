"""The games that the studies of trained generators share: the common toy setting's conditions, and how long they run.

Specifications only. Two studies that ask for the same condition at the same length share its runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from ...config.recipes import STABILITY
from ...config.suite import Named
from ...report.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from ..engine.contract import Row, Scale, Setting, Size
from .generators import Cell, CellRun, runs_of

RING, GRID = "8gaussians", "25gaussians"
DATA = {RING: "ring of 8 Gaussians", GRID: "grid of 25 Gaussians"}
STEPS = 3000  # generator updates
SMOKE_STEPS = 4


def adjusted(objective: str, label: str, **changes: Any) -> Named:
    """The objective's recipe of the common setting with these changes, under a label of its own."""
    return {"name": label} | asdict(replace(STABILITY[objective].recipe, **changes))


_FIVE = adjusted("minimax", "stability-5", n_critic=5)
_TIGHT = adjusted("wgan-clip", "stability-lr5e-05", lr=5e-5)

MINIMAX, MINIMAX_5, NS = "minimax", "minimax n=5", "NS"
CLIP, CLIP_TIGHT, GP, GP_STRONG, SN = "clip .1", "clip .01", "GP .1", "GP 10", "SN"
# label → objective and recipe; the labels are those of every table and picture.
GAMES: dict[str, tuple[Named, Named]] = {
    MINIMAX: ("minimax", "stability"),
    MINIMAX_5: ("minimax", _FIVE),
    NS: ("non-saturating", "stability"),
    CLIP: ({"name": "wgan-clip", "clip": 0.1}, "stability"),
    CLIP_TIGHT: ({"name": "wgan-clip", "clip": 0.01}, _TIGHT),
    GP: ({"name": "wgan-gp", "weight": 0.1}, "stability"),
    GP_STRONG: ({"name": "wgan-gp", "weight": 10.0}, "stability"),
    SN: ({"name": "sn-gan", "loss": "non_saturating"}, "stability"),
}
CORE = tuple(GAMES)
ZOO = tuple(name for name in STABILITY if name not in ("minimax", "non-saturating", "wgan-clip", "wgan-gp", "sn-gan"))
COLORS = dict(zip(CORE, (VERMILION, GREY, ORANGE, PURPLE, BLACK, BLUE, SKY, GREEN), strict=True))

# What the comparison of the common setting trains at each scale: the ring's conditions, the grid's, further recipes.
_QUICK = {RING: (MINIMAX_5, SN), GRID: (MINIMAX, NS, CLIP, CLIP_TIGHT, GP, SN)}
_FULL = (*CORE, *ZOO)
COMPARISON: dict[Scale, Size] = {
    "smoke": Size(
        seeds=1, options={"steps": SMOKE_STEPS, **_QUICK}, note=f"{SMOKE_STEPS} of 3,000 updates, eight conditions"
    ),
    "quick": Size(
        seeds=3,
        options={"steps": STEPS, **_QUICK},
        note="six objectives on the grid, two on the ring; GP at λ = .1 only; without the zoo, the published and the "
        "matched recipes",
    ),
    "full": Size(
        seeds=5,
        options={"steps": STEPS, RING: _FULL, GRID: _FULL, "recipes": ("published", "matched")},
    ),
}


def game(
    name: str,
    dataset: str = GRID,
    *,
    recipe: Named | None = None,
    architecture: Named | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Cell:
    """The condition of that name (of GAMES, or an objective's) in the common setting.

    `recipe` and `architecture` replace its own; `labels` go into its rows beside `objective`, `dataset` and `recipe`,
    which says "common" unless a label does.
    """
    objective, own = GAMES.get(name, (name, "stability"))
    named = {"objective": name, "dataset": dataset, "recipe": "common", **(labels or {})}
    return Cell(named, dataset, objective, own if recipe is None else recipe, architecture)


def comparison(setting: Setting) -> list[CellRun]:
    """The runs behind "less mode collapse under a Lipschitz constraint", as `COMPARISON` has them at the scale."""
    cells = [game(label, data) for data in DATA for label in setting.options[data]]
    cells += [cell for recipe in setting.options.get("recipes", ()) for cell in _of_recipe(recipe)]
    return runs_of(cells, setting, setting.options["steps"])


def _of_recipe(recipe: str) -> Iterable[Cell]:
    # The recipe decides on the arguments too: with both of these SN has the hinge loss, and clipping c = .01.
    names = {MINIMAX: "minimax", NS: "non-saturating", CLIP_TIGHT: "wgan-clip", GP: "wgan-gp", "SN hinge": "sn-gan"}
    for data in DATA:
        for label, objective in names.items():
            yield Cell({"objective": label, "dataset": data, "recipe": recipe}, data, objective, recipe)


def ending_rows(runs: Iterable[CellRun]) -> list[Row]:
    """A row a run: how it ended, and its W1 and modes."""
    return [run.ending("w1", "modes", "mode_kl", "high_quality") for run in runs]
