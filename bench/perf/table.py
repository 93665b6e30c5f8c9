"""The rows of the performance table, and how they are printed and kept. Nothing is measured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from typing import Any, Literal

import pandas as pd
from rich.console import Console

from ..records.quantities import number
from ..report.intervals import coverage_notes
from ..report.statistics import Estimate
from ..report.table_writer import Table, csv_text, to_markdown
from ..report.terminal import print_tables
from ..run.hardware import usable_cores

COLUMNS = ("part", "measured", "unit", "median", "low", "high", "n", "goal", "met")
DIGITS = 4  # with three, 1.084 would look like a goal of 1.08 that is met
VERSIONS = ("lipbench", "pytorch-lightning", "torchmetrics", "POT", "numpy", "scipy")


@dataclass(frozen=True)
class Goal:
    """A bound that the median is held against."""

    sign: Literal["≤", "≥"]
    bound: float

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"

    def met_by(self, value: float) -> bool:
        """Whether the value keeps to the bound."""
        return value <= self.bound if self.sign == "≤" else value >= self.bound


@dataclass(frozen=True)
class Row:
    """One measured quantity: the median over repeats with its interval, and a goal where there is one."""

    part: str
    measured: str
    unit: str
    estimate: Estimate
    goal: Goal | None = None

    @property
    def met(self) -> str:
        """`yes`, `no`, or nothing without a goal."""
        if self.goal is None:
            return ""
        return "yes" if self.goal.met_by(self.estimate.value) else "no"

    def cells(self) -> list[str]:
        """A text per column of the printed table."""
        value, low, high = (number(x, DIGITS) for x in (self.estimate.value, self.estimate.low, self.estimate.high))
        interval = "" if self.estimate.low is None else f"[{low}, {high}]"
        goal = "" if self.goal is None else str(self.goal)
        return [self.part, self.measured, f"{value} {self.unit}".strip(), interval, goal, self.met]


HEADINGS = ("part", "measured", "median", "interval", "goal", "met")


def machine(about: Mapping[str, Any], command: str, load: Sequence[float]) -> dict[str, str]:
    """What the numbers were measured on: processor and cores, versions, the command, and how busy the machine was.

    Args:
        about: as `bench.run.hardware.machine` gives it.
        command: that made the table.
        load: the system's load averages over 1, 5 and 15 minutes at the start.
    """
    return {
        **{key: str(value) for key, value in about.items()},
        "usable cores": str(usable_cores()),
        **{name: version(name) for name in VERSIONS},
        "command": command,
        "load at the start": ", ".join(f"{value:.2f}" for value in load) + " (1, 5, 15 minutes)",
    }


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """A table per part."""
    tables = []
    for part, group in groupby(rows, key=lambda row: row.part):
        cells = [row.cells()[1:] for row in group]
        filled = [i for i in range(len(HEADINGS) - 1) if any(line[i] for line in cells)]  # goals are rare
        tables.append(Table(part, [HEADINGS[1 + i] for i in filled], [[line[i] for i in filled] for line in cells]))
    console.print("What lipbench costs", style="bold")
    print_tables(tables, _coverage_notes(rows), console)


def perf_csv(rows: Sequence[Row]) -> str:
    """The table for programs, one line a row, all digits."""
    lines = []
    for row in rows:
        estimate = row.estimate
        goal = "" if row.goal is None else str(row.goal)
        numbers = [estimate.value, estimate.low, estimate.high, estimate.n]
        lines.append([row.part, row.measured, row.unit, *numbers, goal, row.met])
    return csv_text(pd.DataFrame(lines, columns=list(COLUMNS)))


def markdown(rows: Sequence[Row], about: Mapping[str, str]) -> str:
    """The same for readers, with the machine below."""
    costs = to_markdown(Table("", HEADINGS, [row.cells() for row in rows], left=(0, 1)))
    note = "Medians over interleaved repeats, with their intervals. Goals stand beside what was measured."
    notes = " ".join([note, *_coverage_notes(rows)])
    machine_table = to_markdown(Table("", ("", ""), list(about.items()), left=(0, 1)))
    return f"# What lipbench costs\n\n{costs}\n{notes}\n\n## Measured on\n\n{machine_table}"


def _coverage_notes(rows: Sequence[Row]) -> list[str]:
    return coverage_notes((row.estimate.n for row in rows), "repeats")
