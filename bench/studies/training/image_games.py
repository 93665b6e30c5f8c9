"""The games that the image studies share: their conditions, how long they run, and on which device.

Specifications only. Studies that ask for the same condition at the same length share its runs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ....objectives.errors import BadInput
from ...config.suite import Named
from ...data.catalog import found_name, load, user_content
from ...data.dataset import Dataset
from ...metrics import inception
from ...metrics.settings import Evaluation
from ...report.palette import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from ..engine.contract import NotAtThisScale, Row, Scale, Setting, Size
from .generators import Cell, CellRun, runs_of

STEPS = 20_000  # generator updates
MINIMAX, NS, CLIP, GP, SN = "minimax", "NS", "clip", "GP", "SN"
# Each as its paper trains it on images, by the recipe `published`: clipping at .01, λ = 10, the hinge loss under SN.
GAMES: dict[str, Named] = {
    MINIMAX: "minimax",
    NS: "non-saturating",
    CLIP: "wgan-clip",
    GP: "wgan-gp",
    SN: "sn-gan",
}
COLORS = dict(zip(GAMES, (VERMILION, ORANGE, PURPLE, BLUE, GREEN), strict=True))

NEEDS_A_GPU = "needs a GPU: `make reproduce-gpu`, or --scale full (--scale smoke runs the code)"
FULL_NOTE = "FD is FID on photographs with Inception's weights, else of the features that the pictures name"
ON_IMAGES = "CIFAR-10, SN-GAN's CNN, batch 64"
SMALL: Mapping[str, Any] = {
    "dataset": "mnist5k",
    "architecture": {"name": "dcgan", "channels": 8},
    "steps": 20,
    "evaluation": {"count": 4, "images": 100, "metrics": ["fd", "is"], "repeats": 0},
    "accelerate": "none",
}
LARGE: Mapping[str, Any] = {
    "dataset": "cifar10",
    "architecture": "sngan-cnn",
    "steps": STEPS,
    "evaluation": {"images": 5000, "metrics": ["fd", "is"], "repeats": 0},  # against as many held-out images
    "accelerate": "none",
}


def sizes(smoke: Mapping[str, Any] | None = None, full: Mapping[str, Any] | None = None) -> dict[Scale, Size | str]:
    """The sizes of an image study, with options beside the common ones."""
    small, large = {**SMALL, **(smoke or {})}, {**LARGE, **(full or {})}
    note = f"{small['steps']} of {large['steps']:,} updates, MNIST images and a small DCGAN"
    return {
        "smoke": Size(seeds=1, options=small, note=note),
        "quick": NEEDS_A_GPU,
        "full": Size(seeds=3, options=large, note=FULL_NOTE),
    }


def game(
    name: str,
    options: Mapping[str, Any],
    *,
    objective: Named | None = None,
    recipe: Named = "published",
    labels: Mapping[str, Any] | None = None,
) -> Cell:
    """The condition of that name (of `GAMES`), on the data set and with the networks that the options say.

    `objective` and `recipe` replace its own; `labels` go into its rows beside `objective` and `dataset`.
    """
    dataset, networks = options["dataset"], options["architecture"]
    about = {"objective": name, "dataset": dataset, **(labels or {})}
    return Cell(about, dataset, GAMES[name] if objective is None else objective, recipe, networks)


def image_runs(cells: list[Cell], setting: Setting) -> list[CellRun]:
    """The runs of these cells, on the study's device.

    Raises:
        NotAtThisScale: see `device_of`.
        BadInput: where the data set is not there.
    """
    device, options = device_of(setting), setting.options
    extractor = extractor_of(data_of(setting), setting.resources.weights)
    evaluation = Evaluation(**{"extractor": extractor, **options["evaluation"]})
    return runs_of(cells, setting, options["steps"], evaluation, device=device, accelerate=options["accelerate"])


def data_of(setting: Setting) -> Dataset:
    """The data set of this study, on the CPU. Raises BadInput where it is not there."""
    return load(found_name(setting.options["dataset"], setting.resources.data), setting.resources.data)


def extractor_of(data: Dataset, weights: Path | None) -> str | None:
    """None, the data set's own; where that is Inception and its weights are not at hand, EfficientNet-Lite0."""
    if data.extractor != "inception" or weights is not None:
        return None
    try:
        inception.weights_path()
    except BadInput:
        return "efficientnet-lite0"
    return None


def resolved(setting: Setting) -> dict[str, Any]:
    """What a study's options leave to the machine and to the command line, and its measurements depend on.

    Kind of device, data set with a hash of a user's own pictures, and extractor where images are evaluated. Raises as
    `image_runs`.
    """
    name = found_name(str(setting.options["dataset"]), setting.resources.data)
    content = user_content(name, setting.resources.data)
    about = {"device": torch.device(device_of(setting)).type, "data": [name, content]}
    evaluation = setting.options.get("evaluation")
    if not isinstance(evaluation, Mapping):
        return about
    data = data_of(setting)
    extractor = evaluation.get("extractor") or extractor_of(data, setting.resources.weights) or data.extractor
    return about | {"extractor": extractor}


def comparison(setting: Setting) -> list[CellRun]:
    """The comparison of all objectives that several image studies read."""
    return image_runs([game(name, setting.options) for name in GAMES], setting)


def named(architecture: Named) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """Name and settings of an architecture as an option has them."""
    if isinstance(architecture, str):
        return architecture, ()
    return architecture["name"], tuple((k, v) for k, v in architecture.items() if k != "name")


def device_of(setting: Setting) -> str:
    """Where this study trains.

    Raises:
        NotAtThisScale: at full scale where there is no GPU, unless a device was asked for.
    """
    if setting.resources.device != "auto":
        return setting.resources.device
    if torch.cuda.is_available():
        return "cuda:0"
    if setting.scale == "full":
        raise NotAtThisScale("needs a GPU; on the device cpu it runs all the same, for days")
    return "cpu"


def ending(one: CellRun) -> Row:
    """How the run ended: `CellRun.ending` of FD, its best value, what it is called (`metric`), and the data set."""
    row = one.ending("fd", "is")
    best = one.record.metrics["fd"]["best"]
    return row | {
        "fd_best": float("inf") if best is None else float(best),
        "metric": one.record.protocol["fd"]["label"],
        "data": one.record.spec["dataset"],
    }
