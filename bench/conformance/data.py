"""What a data set must be to be trained on: the checks behind `lipbench check --kind dataset`."""

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...objectives.conformance.report import CheckOutcome, Report, failed, not_applicable, passed
from ..data.brought import content_of
from ..data.dataset import Dataset
from .engine import NamedCheck, run_checks

MakeData = Callable[[], Dataset]
WIDE = 100.0  # of points: networks as they are initialised make samples of size 1
DRAWN = 64


def check_dataset(title: str, make: MakeData) -> Report:
    """Runs every check.

    Args:
        title: of the report.
        make: makes the data set; what no data set can be is a BadInput of its own.
    """
    return run_checks(title, make, CHECKS)


def finite(make: MakeData) -> CheckOutcome:
    """What is drawn is finite."""
    data, rng = make(), torch.Generator().manual_seed(0)
    for what, drawn in (("training", data.sample(DRAWN, rng)), ("held-out", data.held_out_at_most(DRAWN, rng))):
        if not drawn.isfinite().all():
            return failed(f"{what} samples are not finite")
    return passed(f"samples of shape {data.shape}, held out from the {data.held_out_from}")


def in_range(make: MakeData) -> CheckOutcome:
    """Images use the levels of their type; points are of a size that networks make."""
    data = make()
    drawn = data.sample(DRAWN, torch.Generator().manual_seed(0)) if data.train is None else data.train
    if drawn.dtype == torch.uint8:
        return failed("images are uint8 and none is above 1: levels go from 0 to 255") if drawn.max() <= 1 else passed()
    if data.is_images:
        dark = drawn.min() >= 0
        return failed("float images are all in [0, 1]: must be in [-1, 1], so 2x - 1") if dark else passed()
    largest = drawn.abs().max().item()
    return failed(f"coordinates up to {largest:g}: standardise them") if largest > WIDE else passed()


def deterministic(make: MakeData) -> CheckOutcome:
    """The same each time, whatever the global seeds are."""
    found: list[str] = []
    for seed in (0, 1):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        found.append(content_of(make()))
    return passed() if len(set(found)) == 1 else failed("two calls give other samples: seed a generator of your own")


def disjoint(make: MakeData) -> CheckOutcome:
    """No held-out sample is trained on."""
    data = make()
    if data.train is None or data.test is None:
        return not_applicable("there are no two sets")
    known = set(map(bytes, _rows(data.train)))
    shared = sum(row.tobytes() in known for row in _rows(data.test))
    return failed(f"{shared} of {len(data.test)} held-out samples are trained on too") if shared else passed()


def _rows(samples: Tensor) -> np.ndarray:
    return samples.flatten(1).cpu().contiguous().numpy()


CHECKS: tuple[NamedCheck[MakeData], ...] = (
    NamedCheck("finite", finite),
    NamedCheck("range", in_range, ("finite",)),
    NamedCheck("deterministic", deterministic),
    NamedCheck("train and held out disjoint", disjoint),
)
