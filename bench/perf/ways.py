"""Iterations per second of every way to run the same training: a raw loop, eager, compiled, as a CUDA graph.

All lie in one process and take turns, so that whatever else the machine does hits all alike.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch

from ...models.acceleration import TrainingLoop
from ...models.iteration import Iteration
from ...models.precision import repeatable_float32
from ...models.recipe import Recipe
from ...models.sngan_cnn import sngan_cnn
from ...objectives.errors import message_of
from ...objectives.spectral_norm import SpectralNorm
from ..data.catalog import load
from ..data.dataset import Dataset
from ..report.statistics import estimate
from . import iteration
from .budget import UNLIMITED, Budget
from .iteration import SEED, Case, same_start
from .raw import spectral_norm_iteration, with_spectral_norm
from .table import Goal, Row

NOISE = "noise 32×32"  # images without a file: the time does not depend on what they show
EAGER = "lipbench, eager"


class Loop(Protocol):
    """Something that trains; of lipbench a `TrainingLoop`, without Lightning: what that costs iteration.py measures."""

    def run(self, count: int, /) -> None:
        """So many full iterations."""
        ...


@dataclass(frozen=True)
class Way:
    """lipbench's iteration with these settings."""

    name: str
    accelerate: str = "none"
    precision: str = "32"


ON_CPU = (Way(EAGER), Way("lipbench, compiled", "compile"))
ON_GPU = (
    *ON_CPU,
    Way("lipbench, eager, tf32", precision="tf32"),
    Way("lipbench, eager, bf16", precision="bf16"),
    Way("lipbench, graph", "graph"),
    Way("lipbench, graph, tf32", "graph", "tf32"),
    Way("lipbench, graph, bf16", "graph", "bf16"),
)


def sngan(batch: int, **settings: Any) -> Case:
    """SN-GAN's CNN as in the paper's best setting: hinge, five critic steps, betas 0 and 0.9."""
    recipe = Recipe("adam", 2e-4, (0.0, 0.9), n_critic=5, batch=batch)
    step = (SpectralNorm, spectral_norm_iteration, with_spectral_norm)
    return Case(
        f"sn-gan, SN-GAN CNN, batch {batch}", NOISE, partial(sngan_cnn, **settings), recipe, *step, size=1, share=0.3
    )


def real_samples(dataset: str, device: str) -> Dataset:
    """The case's real samples on the device."""
    if dataset != NOISE:
        return load(dataset).to(device)
    pixels = torch.randint(256, (2048, 3, 32, 32), generator=torch.Generator().manual_seed(SEED), dtype=torch.uint8)
    return Dataset(NOISE, (3, 32, 32), pixels, None, None, None, None, "random pixels").to(device)


def lipbench_loop(case: Case, data: Dataset, way: Way, device: str) -> TrainingLoop:
    """lipbench's iteration in this way."""
    with same_start():
        networks = case.networks(data.shape)
        how: dict[str, Any] = {"accelerate": way.accelerate, "precision": way.precision}
        iteration = Iteration(networks, case.objective(), case.recipe, data, steps=10**9, seed=SEED, **how)
    iteration.parts.to(device)
    iteration.make_optimizers()
    iteration.begin()
    return TrainingLoop(iteration)


def loops_of(case: Case, device: str) -> dict[str, Loop]:
    """The raw loop, and lipbench in all ways that the device has."""
    data = real_samples(case.dataset, device)
    ways = ON_GPU if device.startswith("cuda") else ON_CPU
    lipbench = {way.name: lipbench_loop(case, data, way, device) for way in ways}
    return {"raw PyTorch loop": iteration.raw_loop(case, data, device), **lipbench}


@dataclass
class Turns:
    """Iterations per second of each turn, and the GPU memory that the first one took beyond what was in use (MiB).

    The first turn compiles or captures; the replay of a graph takes no further memory.
    """

    memory: float
    speed: list[float] = field(default_factory=list)


def interleave(
    loops: Mapping[str, Loop], size: int, repeats: int, device: str, budget: Budget = UNLIMITED
) -> dict[str, Turns]:
    """Every loop's turns of `size` iterations, one loop after the other, `repeats` times; a first turn warms up.

    A loop that fails at once is left out, and said; all others are compared with lipbench's eager one, which must run.
    Where the budget ends, loops that had no turn yet are left out too, and the turns are fewer, but one.
    """
    found: dict[str, Turns] = {}
    with repeatable_float32():
        _take_workspace(device)
        for name, loop in loops.items():
            if name != EAGER and budget.over():
                print(f"{name}: left out: the budget is used up", file=sys.stderr)
                continue
            try:
                found[name] = Turns(timed(lambda loop=loop: loop.run(size), device)[1])
            except RuntimeError as error:
                if name == EAGER:
                    raise
                print(f"{name}: left out: {message_of(error)}", file=sys.stderr)
        for turn in range(repeats):
            if turn and budget.over():
                break
            for name, turns in found.items():
                turns.speed.append(size / timed(lambda loop=loops[name]: loop.run(size), device)[0])
    return found


def _take_workspace(device: str) -> None:
    """Makes cuBLAS allocate its workspace now, so that it is not counted as the first loop's memory."""
    if device.startswith("cuda"):
        x = torch.ones(8, 8, device=device, requires_grad=True)
        (x @ x).sum().backward()


def timed(task: Callable[[], None], device: str) -> tuple[float, float]:
    """Seconds until the device has done the task, and MiB as in `Turns` (0 without a GPU)."""
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if gpu else 0
    start = time.perf_counter()
    task()
    if gpu:
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    return seconds, (torch.cuda.max_memory_allocated(device) - before) / 2**20 if gpu else 0.0


def table(part: str, found: Mapping[str, Turns], goals: Mapping[str, Goal]) -> Iterator[Row]:
    """A row for each loop's speed, how many times that of eager at its precision that is, turn by turn, the memory."""
    for name, turns in found.items():
        yield Row(part, name, "it/s", estimate(turns.speed))
    for name, turns in found.items():
        if name != EAGER:
            base = _base(name, found)
            ratios = [a / b for a, b in zip(turns.speed, found[base].speed, strict=True)]
            yield Row(part, f"{name} / {base}", "×", estimate(ratios), goals.get(name))
    for name, turns in found.items():
        if turns.memory:
            yield Row(part, f"{name}: memory of the first turn", "MiB", estimate([turns.memory]))


def _base(name: str, found: Mapping[str, Turns]) -> str:
    """The eager way of the same precision for a graph in tf32 or bf16; else the eager one."""
    own = name.replace("graph", "eager")
    return own if own != name and own in found else EAGER


def measure(case: Case, device: str, repeats: int, graph: Goal, budget: Budget = UNLIMITED) -> Iterator[Row]:
    """The rows of a case."""
    found = interleave(loops_of(case, device), case.size, max(3, round(repeats * case.share)), device, budget)
    yield from table(f"speed on {device}: {case.name}", found, {"lipbench, graph": graph})


def rows(
    repeats: int, device: str, batch: int = 64, size: int | None = None, budget: Budget = UNLIMITED
) -> Iterator[Row]:
    """The toys' MLPs; on a GPU SN-GAN's CNN too, an iteration of which takes a CPU ten seconds. Each has its share
    of the budget.
    """
    cases = [(case, Goal("≥", 5.0)) for case in iteration.CASES if case.dataset == "8gaussians"]
    if device.startswith("cuda"):
        cases.append((replace(sngan(batch), size=20), Goal("≥", 2.0)))
    for i, (case, goal) in enumerate(cases):
        if budget.over():
            return
        yield from measure(replace(case, size=size or case.size), device, repeats, goal, budget.share(len(cases) - i))
