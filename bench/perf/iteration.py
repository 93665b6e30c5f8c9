"""What an iteration of the Lightning module costs beside a raw loop that does the same work.

Both run in one process in alternating blocks, so that whatever else the machine does hits both alike.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytorch_lightning as pl
import torch

from ...models.dcgan import dcgan
from ...models.gan import GAN
from ...models.iteration import Iteration
from ...models.mlp import mlp
from ...models.networks import Networks
from ...models.recipe import Recipe
from ...objectives.base import Objective
from ...objectives.gradient_penalty import GradientPenalty
from ...objectives.spectral_norm import SpectralNorm
from ..data.catalog import load
from ..data.dataset import Dataset
from ..report.statistics import estimate
from ..run.train import make_trainer
from .budget import UNLIMITED, Budget
from .raw import RawLoop, gradient_penalty_iteration, spectral_norm_iteration, with_spectral_norm
from .table import Goal, Row

SEED = 0


@dataclass(frozen=True)
class Case:
    """Something to train, written twice: as lipbench's module and as a raw loop.

    Attributes:
        name: in the table.
        dataset: one that comes with lipbench.
        networks: from the shape of a sample.
        recipe: Adam, without decay and average.
        objective: of lipbench's module.
        raw: the iteration of the raw loop.
        prepare: the networks as the raw loop wants them.
        size: iterations in a block.
        share: blocks as a share of those asked for, for the costly ones.
        goal: for the ratio of wall-clock times.
    """

    name: str
    dataset: str
    networks: Callable[[tuple[int, ...]], Networks]
    recipe: Recipe
    objective: Callable[[], Objective]
    raw: Callable[[RawLoop], None]
    prepare: Callable[[Networks], Networks] = lambda networks: networks
    size: int = 50
    share: float = 1.0
    goal: Goal | None = None


def _mlp(shape: tuple[int, ...]) -> Networks:
    return mlp(shape, width=64, depth=3)


_TOY = Recipe("adam", 1e-4, (0.5, 0.9), n_critic=5, batch=256)
_IMAGES = Recipe("adam", 1e-4, (0.0, 0.9), n_critic=5, batch=64)
_GP = (GradientPenalty, gradient_penalty_iteration)
_SN = (SpectralNorm, spectral_norm_iteration, with_spectral_norm)

CASES = (
    Case("wgan-gp, MLP 3×64", "8gaussians", _mlp, _TOY, *_GP, goal=Goal("≤", 1.08)),
    Case("sn-gan, MLP 3×64", "8gaussians", _mlp, _TOY, *_SN),
    Case("wgan-gp, DCGAN 28×28", "mnist5k", dcgan, _IMAGES, *_GP, size=1, share=0.3),
    Case("sn-gan, DCGAN 28×28", "mnist5k", dcgan, _IMAGES, *_SN, size=1, share=0.3),
)


@dataclass
class Blocks:
    """Seconds per iteration of each block: wall clock, and time of this process on a processor."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


class Interleave(pl.Callback):
    """After every block of the fit, outside its time, a block of the raw loop. The first pair warms up.

    A block of the fit lasts from the end of the raw one to the end of its last iteration, so that all that Lightning
    does between iterations is in it. Where the budget ends, the fit ends after three pairs that count.
    """

    def __init__(self, raw: RawLoop, size: int, budget: Budget) -> None:
        self.raw, self.size, self.budget = raw, size, budget
        self.lipbench, self.other = Blocks(), Blocks()
        self._since = (0.0, 0.0)
        self._warm = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, GAN)
        pl_module.pauses.update(range(0, pl_module.iteration.steps, self.size))
        self._since = _now()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        if pl_module.iteration.updates % self.size:  # pyright: ignore[reportAttributeAccessIssue,reportOperatorIssue]
            return
        self._note(self.lipbench)
        self.raw.run(self.size)
        self._note(self.other)
        self._warm = True
        trainer.should_stop = len(self.other.wall) >= 3 and self.budget.over()

    def _note(self, blocks: Blocks) -> None:
        wall, processor = _now()
        if self._warm:
            blocks.wall.append((wall - self._since[0]) / self.size)
            blocks.processor.append((processor - self._since[1]) / self.size)
        self._since = _now()


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def build(case: Case, steps: int) -> tuple[GAN, RawLoop]:
    """The two of a case, with the same initial weights, data and random streams."""
    data, recipe = load(case.dataset), case.recipe
    with same_start():
        iteration = Iteration(case.networks(data.shape), case.objective(), recipe, data, steps=steps, seed=SEED)
    return GAN(iteration), raw_loop(case, data)


def raw_loop(case: Case, data: Dataset, device: str = "cpu") -> RawLoop:
    """The raw loop of the case."""
    with same_start():
        networks = case.prepare(case.networks(data.shape))
    return RawLoop(networks, data, case.raw, case.recipe, SEED, device)


@contextmanager
def same_start() -> Iterator[None]:
    """Within, networks start with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        yield


def interleave(gan: GAN, raw: RawLoop, size: int, budget: Budget = UNLIMITED) -> Interleave:
    """Trains both for a run of the module, a multiple of `size`, in turns; the trainer is that of a run."""
    turns = Interleave(raw, size, budget)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        make_trainer([turns], accelerator="cpu", devices=1).fit(gan)
    return turns


def measure(case: Case, blocks: int, budget: Budget = UNLIMITED) -> Iterator[Row]:
    """The rows of a case from so many pairs of blocks, or as many as the budget has: both costs, each pair's ratio."""
    gan, raw = build(case, (blocks + 1) * case.size)
    turns = interleave(gan, raw, case.size, budget)
    part = f"iteration: {case.name}"
    for name, timed in (("raw PyTorch loop", turns.other), ("lipbench in Lightning", turns.lipbench)):
        yield Row(part, name, "ms", estimate([1e3 * seconds for seconds in timed.wall]))
    yield Row(part, "lipbench / raw", "×", _ratio(turns.lipbench.wall, turns.other.wall), case.goal)
    processor = _ratio(turns.lipbench.processor, turns.other.processor)
    yield Row(part, "lipbench / raw, processor time", "×", processor)


def _ratio(a: list[float], b: list[float]) -> Any:
    return estimate([x / y for x, y in zip(a, b, strict=True)])


def rows(repeats: int, size: int | None = None, budget: Budget = UNLIMITED) -> Iterator[Row]:
    """All cases, with `repeats` pairs of blocks in the cheap ones; `size` shortens the blocks."""
    for i, case in enumerate(CASES):
        if budget.over():
            return
        shortened = case if size is None else replace(case, size=min(size, case.size))
        yield from measure(shortened, max(3, round(repeats * case.share)), budget.share(len(CASES) - i))
