"""What the command line costs where nothing is trained: its help, and a folder whose runs are all there."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..report.statistics import estimate
from .budget import UNLIMITED, Budget
from .table import Goal, Row

PART = "command line, processor time"
# Four objectives, four evaluations; what a run costs to train plays no part here.
SUITE = """objectives: [minimax, wgan-clip, wgan-gp, sn-gan]
datasets: [{datasets}]
recipe: [{{batch: 2, n_critic: 1}}]
steps: 4
seeds: {seeds}
evaluation: {{count: 4, points: 100, mode_points: 2500, images: 100, repeats: 1}}
"""
# By their number of runs: the data sets, and the seeds on each.
FOLDERS = {
    4: ("8gaussians", "1"),
    28: ("8gaussians, mnist5k", "{8gaussians: 4, mnist5k: 3}"),
    300: ("8gaussians", "75"),
}
NOTHING = Goal("≤", 2.0)
HELP = (("--help", Goal("≤", 0.5)), ("list objectives", Goal("≤", 1.0)))


def processor_seconds(arguments: Sequence[str]) -> float:
    """Of `lipbench` with these arguments, in a process of its own and whatever that starts.

    Raises:
        RuntimeError: if it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "lipbench.bench.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"lipbench {' '.join(arguments)} exited with {done.returncode}: {done.stderr.strip()}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def rows(repeats: int, sizes: Sequence[int], budget: Budget = UNLIMITED) -> Iterator[Row]:
    """Help and a list, then for each of these FOLDERS, once it is made: `run` with nothing to do, and `report`."""
    for command, goal in HELP:
        yield _row(command, command.split(), repeats, goal)
    for size in sizes:
        if budget.over():
            return
        yield from _finished(size, repeats)


def _finished(size: int, repeats: int) -> Iterator[Row]:
    datasets, seeds = FOLDERS[size]
    with tempfile.TemporaryDirectory() as folder:
        suite, out = Path(folder) / "suite.yaml", f"{folder}/out"
        suite.write_text(SUITE.format(datasets=datasets, seeds=seeds), encoding="utf-8")
        run = ["run", str(suite), "--out", out, "--quiet"]
        processor_seconds(run)
        yield _row(f"run, nothing to do of {size} runs", run, repeats, NOTHING)
        yield _row(f"report of {size} runs", ["report", out], repeats)


def _row(name: str, arguments: Sequence[str], repeats: int, goal: Goal | None = None) -> Row:
    return Row(PART, name, "s", estimate([processor_seconds(arguments) for _ in range(repeats)]), goal)
