"""The critics that several studies measure, each trained once: their settings, and how long they train at each scale.

Specifications only; training is critics.py's and deep.py's, measuring the studies'.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....models.recipe import Recipe
from ...report.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from ..engine.contract import Scale, Size
from .critics import CriticRun, Training
from .deep import DeepRun
from .fixed_generator import NoisyData, Sheets, ShiftedGaussians

Key = tuple[Any, ...]

SEEDS: dict[Scale, int] = {"smoke": 1, "quick": 3, "full": 5}
SHEET_STEPS: dict[Scale, int] = {"smoke": 50, "quick": 1000, "full": 4000}
TOY_STEPS: dict[Scale, int] = {"smoke": 20, "quick": 2000, "full": 2000}
IMAGE_STEPS: dict[Scale, int] = {"smoke": 5, "quick": 200, "full": 2000}
DEEP_SIZE: dict[Scale, tuple[int, int]] = {
    "smoke": (2, 16),
    "quick": (150, 64),
    "full": (150, 256),
}  # iterations, batch

RING, TOYS = "8gaussians", ("8gaussians", "25gaussians", "swissroll")
LATER_TOYS: dict[Scale, tuple[str, ...]] = {"smoke": TOYS, "quick": (RING,), "full": TOYS}  # from the second seed on
PLACES = ("line", "ot_line", "real", "fake", "noise", "box")
SIDES = {"two-sided": False, "one-sided": True}
SHIFT = 2.0


@dataclass(frozen=True)
class ShiftGrid:
    """Dimensions, places and sides of the penalty, and steps, in the study of penalty places."""

    dimensions: tuple[int, ...]
    places: tuple[str, ...]
    sides: tuple[str, ...]
    steps: int = 2000


SHIFT_GRIDS: dict[Scale, ShiftGrid] = {
    "smoke": ShiftGrid((2, 16), PLACES, tuple(SIDES), 10),
    "quick": ShiftGrid((16,), ("line", "ot_line", "box"), ("two-sided",)),
    "full": ShiftGrid((2, 8, 16, 64), PLACES, tuple(SIDES)),
}
IMAGE_DATA = "mnist5k"

_SHEET = Recipe("adam", 1e-3, (0.5, 0.9), batch=256)
_TOY_ADAM = Recipe("adam", 1e-3, (0.0, 0.9), batch=256)
_TOY_RMSPROP = Recipe("rmsprop", 5e-4, batch=256)
_SHIFT = Recipe("adam", 5e-4, (0.0, 0.9), batch=256)  # the common toy setting's
_DEEP_CLIP = Recipe("rmsprop", 5e-5, n_critic=5, batch=256)
_DEEP_GP = Recipe("adam", 1e-4, (0.0, 0.9), n_critic=5, batch=256)
_IMAGES = Recipe("adam", 2e-4, (0.5, 0.999), batch=64)  # SN-GAN's setting C


@dataclass(frozen=True)
class Constraint:
    """An objective by name with its arguments; `losses` as in `CriticRun`, `clip` where its weights are clipped."""

    objective: str
    arguments: Mapping[str, Any]
    losses: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, Any], ...]:
        """The arguments as `CriticRun` wants them."""
        return tuple(self.arguments.items())

    @property
    def clip(self) -> float | None:
        """c, where the weights are clipped."""
        return self.arguments.get("clip")


GP = Constraint("wgan-gp", {"weight": 10.0})
SN = Constraint("sn-gan", {"loss": "non_saturating"})
# The non-saturating game has minimax's critic: one training serves both generators.
MINIMAX = Constraint("minimax", {}, losses=("minimax", "non_saturating"))
CLIPS = {f"clip {c:g}": Constraint("wgan-clip", {"clip": c}) for c in (0.1, 0.01, 0.001)}
CLIP, CLIP_TIGHT = "clip 0.1", "clip 0.01"

SHEET_CELLS = {"minimax": MINIMAX, "GP": GP, "SN": SN, CLIP: CLIPS[CLIP], CLIP_TIGHT: CLIPS[CLIP_TIGHT]}
TOY_CELLS = {
    CLIP: CLIPS[CLIP],
    CLIP_TIGHT: CLIPS[CLIP_TIGHT],
    "GP": GP,
    "SN": SN,
    "SN, Wasserstein": Constraint("sn-gan", {"loss": "wasserstein"}),
}
DEEP_CELLS = {**CLIPS, "GP": GP}
# In every picture of them.
COLORS = {
    "minimax": VERMILION,
    "non-saturating": ORANGE,
    "GP": BLUE,
    "SN": GREEN,
    CLIP: PURPLE,
    CLIP_TIGHT: BLACK,
}
TOY_COLORS = {name: COLORS.get(name, GREY) for name in TOY_CELLS}


def marks(steps: int) -> tuple[int, ...]:
    """Where the generator's gradient is measured: 0, 10, 50, then every 100 steps."""
    return tuple(sorted({0, steps, *(k for k in (10, 50) if k < steps), *range(100, steps, 100)}))


def noise_cells(steps: int) -> dict[str, Constraint]:
    """Instance noise of σ = .1 on the minimax game, constant, and annealed so that half of it is left at the end."""
    common = {"loss": "minimax", "sigma": 0.1}
    return {
        "constant noise": Constraint("instance-noise", common),
        "annealed noise": Constraint("instance-noise", {**common, "until": 2 * steps}),
    }


def sheet_runs(cells: Mapping[str, Constraint], steps: int, seeds: Sequence[int]) -> dict[Key, CriticRun]:
    """(label, seed) → training, in the setting of vanishing gradients."""
    return {
        (label, seed): CriticRun(Sheets(), cell.objective, _SHEET, steps, seed, cell.pairs, marks(steps), cell.losses)
        for seed in seeds
        for label, cell in cells.items()
    }


def toy_runs(steps: int, later_toys: Sequence[str], seeds: Sequence[int]) -> dict[Key, CriticRun]:
    """(label, toy, seed) → training against data + N(0, 1): all toys at the first seed, `later_toys` at the others."""
    return {
        (label, toy, seed): CriticRun(NoisyData(toy), cell.objective, _toy_recipe(cell), steps, seed, cell.pairs)
        for seed in seeds
        for toy in (TOYS if seed == seeds[0] else later_toys)
        for label, cell in TOY_CELLS.items()
    }


def shift_runs(grid: ShiftGrid, seeds: Sequence[int]) -> dict[Key, CriticRun]:
    """(place, sides, dimension, seed) → training with the penalty at that place."""
    runs: dict[Key, CriticRun] = {}
    for seed, d, sides, place in itertools.product(seeds, grid.dimensions, grid.sides, grid.places):
        arguments = (("weight", 10.0), ("at", place), ("one_sided", SIDES[sides]))
        game = ShiftedGaussians(d, SHIFT)
        runs[place, sides, d, seed] = CriticRun(game, "wgan-gp", _SHIFT, grid.steps, seed, arguments)
    return runs


def deep_runs(iterations: int, batch: int, seeds: Sequence[int]) -> dict[Key, DeepRun]:
    """(label, seed) → 12-layer networks on the Swiss roll."""
    runs: dict[Key, DeepRun] = {}
    for seed, (label, cell) in itertools.product(seeds, DEEP_CELLS.items()):
        recipe = replace(_DEEP_GP if cell.clip is None else _DEEP_CLIP, batch=batch)
        runs[label, seed] = DeepRun(cell.objective, recipe, iterations, seed, cell.pairs)
    return runs


def image_runs(steps: int, seeds: Sequence[int]) -> dict[Key, CriticRun]:
    """(label, seed) → a convolutional critic under spectral normalisation against images + N(0, 1)."""
    game = NoisyData(IMAGE_DATA, "dcgan", (("channels", 32),))
    return {("SN", seed): CriticRun(game, SN.objective, _IMAGES, steps, seed, SN.pairs) for seed in seeds}


def sheet_sizes() -> dict[Scale, Size | str]:
    """The sizes of a study of the vanishing-gradient setting."""
    full = SHEET_STEPS["full"]
    return {
        scale: Size(SEEDS[scale], {"steps": steps}, "" if steps == full else f"{steps:,} of {full:,} steps")
        for scale, steps in SHEET_STEPS.items()
    }


def toy_sizes() -> dict[Scale, Size | str]:
    """The sizes of a study of the critics against data + N(0, 1)."""
    notes = {"smoke": "20 of 2,000 steps", "quick": "25 Gaussians and Swiss roll at the first seed only"}
    return {
        scale: Size(SEEDS[scale], {"steps": steps, "later_toys": LATER_TOYS[scale]}, notes.get(scale, ""))
        for scale, steps in TOY_STEPS.items()
    }


def all_runs(scale: Scale, seeds: Sequence[int]) -> dict[Key, Training]:
    """(study, *its own key) → every training of these studies at this scale."""
    families: dict[str, Mapping[Key, Training]] = {
        "S2": sheet_runs(SHEET_CELLS, SHEET_STEPS[scale], seeds),
        "S3": deep_runs(*DEEP_SIZE[scale], seeds),
        "S4": toy_runs(TOY_STEPS[scale], LATER_TOYS[scale], seeds),
        "S9": shift_runs(SHIFT_GRIDS[scale], seeds),
        "S12": sheet_runs(noise_cells(SHEET_STEPS[scale]), SHEET_STEPS[scale], seeds),
        "S17": image_runs(IMAGE_STEPS[scale], seeds),
    }
    return {(study, *key): run for study, runs in families.items() for key, run in runs.items()}


def _toy_recipe(cell: Constraint) -> Recipe:
    return _TOY_ADAM if cell.clip is None else _TOY_RMSPROP
