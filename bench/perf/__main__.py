"""`python -m lipbench.bench.perf`: measures, prints the table, writes perf.csv and perf.md. One thread throughout."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch
from rich.console import Console

from ...objectives.errors import BadInput
from ..records.store import write_text
from ..run.hardware import machine as about_machine
from . import against, commands, evaluation, iteration, sweeps, ways
from .budget import UNLIMITED, Budget
from .table import Row, machine, markdown, perf_csv, print_rows

PARTS = ("commands", "iteration", "speed", "evaluation", "sweep")


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Attributes:
        repeats: pairs of blocks behind a ratio.
        quick: next to nothing of each.
        parts: of PARTS.
        device: where the ways to run an iteration are compared.
        batch: of SN-GAN's networks there.
        against: clones of others' projects.
        budget: seconds after which nothing new is begun; None: no end.
    """

    repeats: int
    quick: bool = False
    parts: Sequence[str] = PARTS
    device: str = "cpu"
    batch: int = 64
    against: Sequence[Path] = ()
    budget: float | None = None


def check(wanted: Wanted) -> None:
    """Raises BadInput for what cannot be measured."""
    if wanted.repeats < 3:
        raise BadInput(f"--repeats {wanted.repeats}: must be 3 or more")
    if wanted.batch < 2:
        raise BadInput(f"--batch {wanted.batch}: must be 2 or more")
    if wanted.budget is not None and not 0 < wanted.budget < inf:
        raise BadInput(f"--budget {wanted.budget:g}: must be a number of seconds > 0")
    if wanted.device != "cpu" and not torch.cuda.is_available():
        raise BadInput(f"--device {wanted.device}: no GPUs can be used here")
    for clone in wanted.against:
        against.find(clone)


def measure(wanted: Wanted, budget: Budget = UNLIMITED) -> Iterator[Row]:
    """All rows, as they are found; what is begun is finished, with fewer repeats where an iteration is timed."""
    for part in _parts(wanted, budget):
        if budget.over():
            return
        yield from part


def _parts(wanted: Wanted, budget: Budget) -> Iterator[Iterator[Row]]:
    repeats, quick = 3 if wanted.quick else wanted.repeats, wanted.quick
    size, device = 2 if quick else None, "cuda:0" if wanted.device == "cuda" else "cpu"
    if "commands" in wanted.parts:
        yield commands.rows(max(3, repeats // 5), [4] if quick else [28, 300], budget)
    if "iteration" in wanted.parts:
        yield iteration.rows(repeats, size=size, budget=budget.share(len(wanted.parts)))
    if "speed" in wanted.parts:
        yield ways.rows(repeats, device, wanted.batch, size=size, budget=budget)
    for clone in wanted.against:
        yield against.rows(clone, repeats, device, wanted.batch, size=1 if quick else None, budget=budget)
    if "evaluation" in wanted.parts:
        yield evaluation.rows(max(3, repeats // 3), batch=2 if quick else 16)
    if "sweep" in wanted.parts:
        yield sweeps.rows(max(3, repeats // 10), steps=size)


def perf(out: Path, wanted: Wanted, measure: Callable[[Wanted, Budget], Iterator[Row]] = measure) -> None:
    """Measures what is wanted; prints it and writes the table as it is found, so that nothing found is lost.

    Raises BadInput for what cannot be measured, or if the folder cannot be written to.
    """
    check(wanted)
    torch.set_num_threads(1)
    console, load = Console(), os.getloadavg()
    command = shlex.join(["python", "-m", "lipbench.bench.perf", *sys.argv[1:]])
    about, rows, budget = machine(about_machine(wanted.device), command, load), [], Budget(wanted.budget)
    for row in measure(wanted, budget):
        rows.append(row)
        console.print(" · ".join(filter(None, row.cells())), markup=False, highlight=False, soft_wrap=True)
        write(out, rows, about)
    if budget.over():
        about["budget"] = f"{wanted.budget:g} s, used up: fewer repeats, and what is not in the table was not begun"
        console.print(f"budget: {about['budget']}", highlight=False)
    write(out, rows, about)
    print_rows(rows, console)
    console.print(f"{out}/perf.csv, {out}/perf.md", highlight=False)


def write(out: Path, rows: list[Row], about: dict[str, str]) -> None:
    """perf.csv and perf.md. Raises BadInput if the folder cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "perf.csv", perf_csv(rows))
        write_text(out / "perf.md", markdown(rows, about))
    except OSError as error:
        raise BadInput(f"--out {out}: cannot write there: {error.strerror or error}") from error


def main(arguments: Sequence[str] | None = None, measure: Callable[[Wanted, Budget], Iterator[Row]] = measure) -> None:
    """Exits with 2 for a mistake in what was asked for."""
    parser = argparse.ArgumentParser("lipbench.bench.perf", description="What lipbench costs on this machine.")
    parser.add_argument("--out", type=Path, default=Path("results/perf"), help="folder of perf.csv and perf.md")
    repeats = "pairs of blocks behind a ratio; a third as many evaluations, a tenth as many sweeps (default: 60)"
    parser.add_argument("--repeats", type=int, default=60, help=repeats)
    parser.add_argument("--quick", action="store_true", help="next to nothing of each, to see that it works")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the part `speed` and --against")
    parser.add_argument("--batch", type=int, default=64, help="of SN-GAN's networks there (default: 64)")
    clones = "clones of pytorch-gan-collections or mimicry, to compare with on the same networks"
    parser.add_argument("--against", nargs="+", type=Path, default=[], metavar="CLONE", help=clones)
    budget = "seconds after which nothing new is begun; what is found is written (default: no end)"
    parser.add_argument("--budget", type=float, metavar="SECONDS", help=budget)
    given = vars(parser.parse_args(arguments))
    try:
        perf(given.pop("out"), Wanted(**given), measure)
    except BadInput as error:
        print(f"lipbench: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
