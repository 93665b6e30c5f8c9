"""What a sweep makes of two cores, and what its machinery adds to each run. Workers are started before the clock."""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..config.spec import RunSpec, expand
from ..config.suite import Suite
from ..records.schema import RunResult
from ..report.statistics import estimate
from ..run.context import RunContext
from ..sweep.executors.local import Slot
from .table import Goal, Row

LOADS = {
    "wgan-gp on 8gaussians": {"datasets": ["8gaussians"], "steps": 150},
    "wgan-gp on mnist5k": {"datasets": ["mnist5k"], "steps": 6, "evaluation": {"count": 1, "images": 200}},
}
# One iteration and two evaluations of next to nothing: what is left is the machinery, which does not know the size.
IDLE = {
    "steps": 1,
    "recipe": [{"batch": 2, "n_critic": 1}],
    "evaluation": {"count": 1, "points": 10, "mode_points": 100, "images": 100, "repeats": 0},
}
SMALLEST = {"8gaussians": {"name": "mlp", "width": 2}, "mnist5k": {"name": "dcgan", "channels": 2}}


class Worker(Protocol):
    """One process that makes runs, as `bench.executors.local.Slot`."""

    def submit(self, spec: RunSpec, context: RunContext) -> "Future[RunResult]":
        """Starts a run."""
        ...


def specs(seeds: int, **suite: Any) -> list[RunSpec]:
    """A small suite of one objective on one dataset, its runs told apart by the seed."""
    settings = {"objectives": ["wgan-gp"], "recipe": ["matched"], "seeds": seeds, "evaluation": {"count": 2}}
    return expand(Suite.model_validate({**settings, **suite}), RunContext(Path()))


def one_after_the_other(worker: Worker, runs: Sequence[RunSpec], context: RunContext) -> float:
    """Seconds for the runs on one worker."""
    start = time.perf_counter()
    for spec in runs:
        _check(worker.submit(spec, context).result())
    return time.perf_counter() - start


def side_by_side(workers: Sequence[Worker], runs: Sequence[RunSpec], contexts: Sequence[RunContext]) -> float:
    """Seconds for the runs, one on each worker at the same time."""
    start = time.perf_counter()
    futures = [w.submit(spec, context) for w, spec, context in zip(workers, runs, contexts, strict=True)]
    for future in futures:
        _check(future.result())
    return time.perf_counter() - start


def _check(result: RunResult) -> None:
    if result.outcome.status == "failed":
        raise RuntimeError(f"a run of the measurement failed: {result.outcome.reason}")


def throughput(workers: Sequence[Worker], runs: Sequence[RunSpec], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds for the same two runs in three ways, `rounds` times in turns."""
    numbers = itertools.count()

    def empty(threads: int = 1) -> RunContext:  # in a folder that has the run already, nothing would be made
        return RunContext(folder / str(next(numbers)), threads=threads)

    ways: dict[str, Callable[[], float]] = {
        "1 job × 1 thread": lambda: one_after_the_other(workers[0], runs, empty()),
        "2 jobs × 1 thread": lambda: side_by_side(workers, runs, [empty() for _ in workers]),
        "1 job × 2 threads": lambda: one_after_the_other(workers[0], runs, empty(threads=2)),
    }
    for worker in workers:  # starts the processes and fills their caches
        one_after_the_other(worker, runs, empty())
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    return seconds


def throughput_rows(label: str, seconds: dict[str, list[float]], runs: int = 2) -> Iterator[Row]:
    """Runs per minute of each way, and how many times those of two jobs come to."""
    part = f"sweep: runs of {label}"
    for name, values in seconds.items():
        yield Row(part, name, "/min", estimate([60 * runs / value for value in values]))
    two = seconds["2 jobs × 1 thread"]
    for name, goal in (("1 job × 1 thread", Goal("≥", 1.8)), ("1 job × 2 threads", Goal("≥", 1.0))):
        ratios = [slow / fast for slow, fast in zip(seconds[name], two, strict=True)]
        yield Row(part, f"2 jobs / {name}", "×", estimate(ratios), goal)


def overhead(worker: Worker, runs: Sequence[RunSpec], folder: Path) -> list[float]:
    """Seconds from handing over each run to having its record, after one run that starts the worker."""
    context = RunContext(folder, threads=1)
    return [one_after_the_other(worker, [spec], context) for spec in runs][1:]


def rows(rounds: int, steps: int | None = None) -> Iterator[Row]:
    """All of this part; `steps` shortens the runs."""
    with tempfile.TemporaryDirectory() as folder, _workers(2) as workers:
        for label, load in LOADS.items():
            shortened = load if steps is None else {**load, "steps": steps}
            yield from throughput_rows(label, throughput(workers, specs(2, **shortened), Path(folder) / label, rounds))
        for dataset, network in SMALLEST.items():
            runs = specs(1 + 3 * rounds, datasets=[dataset], architectures=[network], **IDLE)
            found = estimate(overhead(workers[0], runs, Path(folder)))
            yield Row("sweep: overhead of a run", f"one iteration on {dataset}", "s", found, Goal("≤", 0.3))


@contextmanager
def _workers(n: int) -> Iterator[list[Slot]]:
    slots = [Slot() for _ in range(n)]
    try:
        yield slots
    finally:
        for slot in slots:
            slot.close()
