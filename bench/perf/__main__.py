"""`python -m lipbench.bench.perf`: measures, prints the table, writes perf.csv and perf.md. One thread throughout."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console

from ...objectives import BadInput
from ..runner import machine as about_machine
from ..store import write_text
from . import evaluation, iteration, sweeps
from .table import Row, csv_text, machine, markdown, printed


def perf(out: Path, repeats: int, quick: bool) -> None:
    """Measures everything, prints it as it is found, and writes the table.

    Raises BadInput for too few repeats, or if the folder cannot be written to.
    """
    if repeats < 3:
        raise BadInput(f"--repeats {repeats}: must be 3 or more")
    torch.set_num_threads(1)
    console, load = Console(), os.getloadavg()
    rows = []
    for row in measure(3 if quick else repeats, quick):
        rows.append(row)
        console.print(" · ".join(filter(None, row.cells())), markup=False, highlight=False, soft_wrap=True)
    command = shlex.join(["python", "-m", "lipbench.bench.perf", *sys.argv[1:]])
    write(out, rows, machine(about_machine("cpu"), command, load))
    console.print(printed(rows))
    console.print(f"{out}/perf.csv, {out}/perf.md", highlight=False)


def measure(repeats: int, quick: bool) -> Iterator[Row]:
    """All rows, as they are found."""
    yield from iteration.rows(repeats, size=2 if quick else None)
    yield from evaluation.rows(max(3, repeats // 3))
    yield from sweeps.rows(max(3, repeats // 10), steps=2 if quick else None)


def write(out: Path, rows: list[Row], about: dict[str, str]) -> None:
    """perf.csv and perf.md. Raises BadInput if the folder cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "perf.csv", csv_text(rows))
        write_text(out / "perf.md", markdown(rows, about))
    except OSError as error:
        raise BadInput(f"--out {out}: cannot write there: {error.strerror or error}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with 2 for a mistake in what was asked for."""
    parser = argparse.ArgumentParser("lipbench.bench.perf", description="What lipbench costs on this machine.")
    parser.add_argument("--out", type=Path, default=Path("results/perf"), help="folder of perf.csv and perf.md")
    repeats = "pairs of blocks behind a ratio; a third as many evaluations, a tenth as many sweeps (default: 60)"
    parser.add_argument("--repeats", type=int, default=60, help=repeats)
    parser.add_argument("--quick", action="store_true", help="next to nothing of each, to see that it works")
    try:
        perf(**vars(parser.parse_args(arguments)))
    except BadInput as error:
        print(f"lipbench: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
