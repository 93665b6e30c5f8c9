"""The rows of the performance table, and how they are printed and kept. Nothing is measured here."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from itertools import groupby
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from ..records.quantities import number
from ..report.intervals import range_notes
from ..report.markup import markdown_escape, markdown_table
from ..report.statistics import Estimate

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
    """One measured quantity: the median over repeats with its bootstrap interval, and a goal where there is one."""

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
        found = self.estimate
        value, low, high = (number(x, DIGITS) for x in (found.value, found.low, found.high))
        interval = "" if found.low is None else f"[{low}, {high}]"
        goal = "" if self.goal is None else str(self.goal)
        return [self.part, self.measured, f"{value} {self.unit}".strip(), interval, goal, self.met]


HEADINGS = ("part", "measured", "median", "95 % interval", "goal", "met")


def machine(about: Mapping[str, Any], command: str, load: Sequence[float]) -> dict[str, str]:
    """What the numbers were measured on: processor and cores, versions, the command, and how busy the machine was.

    Args:
        about: as `bench.machine.machine` gives it.
        command: that made the table.
        load: the system's load averages over 1, 5 and 15 minutes at the start.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        **{key: str(value) for key, value in about.items()},
        "usable cores": str(usable),
        **{name: version(name) for name in VERSIONS},
        "command": command,
        "load at the start": ", ".join(f"{value:.2f}" for value in load) + " (1, 5, 15 minutes)",
    }


def printed(rows: Sequence[Row]) -> Table:
    """The table for a terminal of 80 columns; each part under its name."""
    table = Table(*HEADINGS[1:], title="What lipbench costs", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.caption, table.caption_justify = "\n".join(_range_notes(rows)) or None, "left"
    for part, group in groupby(rows, key=lambda row: row.part):
        table.add_row(Text(part, style="bold", no_wrap=True, overflow="ellipsis"))
        for row in group:
            table.add_row(*map(Text, row.cells()[1:]))
        table.add_section()
    return table


def csv_text(rows: Sequence[Row]) -> str:
    """The table for programs, one line a row, all digits."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        found = row.estimate
        goal = "" if row.goal is None else str(row.goal)
        numbers = [found.value, found.low, found.high, found.n]
        writer.writerow([row.part, row.measured, row.unit, *numbers, goal, row.met])
    return file.getvalue()


def markdown(rows: Sequence[Row], about: Mapping[str, str]) -> str:
    """The same for readers, with the machine below."""
    texts = ([*map(markdown_escape, cells[:2]), *cells[2:]] for cells in (row.cells() for row in rows))
    costs = markdown_table(HEADINGS, texts, left=2)
    told = "Medians over interleaved repeats, with 95 % bootstrap intervals. Goals stand beside what was measured."
    told = " ".join([told, *_range_notes(rows)])
    where = markdown_table(
        ("", ""), ([markdown_escape(key), markdown_escape(value)] for key, value in about.items()), left=2
    )
    return f"# What lipbench costs\n\n{costs}\n{told}\n\n## Measured on\n\n{where}"


def _range_notes(rows: Sequence[Row]) -> list[str]:
    return range_notes((row.estimate.n for row in rows), "repeats")
