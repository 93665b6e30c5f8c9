"""Pictures, verdict tables and what is printed of them, from the records alone. Runs no experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ....objectives.errors import BadInput
from .contract import Study
from .store import read
from .table import PLOT, verdict_table, write_tables


def say(console: Console, study: str, text: str) -> None:
    """Prints a line of progress."""
    console.print(f"{study:<4} {text}", highlight=False, markup=False, soft_wrap=True)


def draw(study: Study, measurements: pd.DataFrame, folder: Path, **saved: Any) -> None:
    """Draws the study's pictures of these measurements; `saved` goes to matplotlib's `savefig`."""
    with matplotlib.rc_context({"axes.formatter.min_exponent": 3}):  # 0.2, not 2×10⁻¹, at a logarithmic axis's ticks
        for stem, picture in {PLOT.removesuffix(".png"): study.plot, **study.pictures}.items():
            picture(measurements).savefig(folder / f"{stem}.png", **saved)


def redraw(study: Study, folder: Path) -> pd.DataFrame:
    """Draws the study's pictures again from the record in the folder, and returns the measurements."""
    _, measurements = read(folder)
    draw(study, measurements, folder)
    return measurements


def rebuild(out: Path, studies: Mapping[str, Study], console: Console) -> None:
    """Makes verdicts, tables and pictures again from the records in the folder."""
    for study in (study for study in studies.values() if (out / study.id).is_dir()):
        try:
            record, _ = read(out / study.id)
            if record.status == "completed":
                redraw(study, out / study.id)
        except BadInput as error:
            say(console, study.id, str(error))
    table = verdict_table(out, studies)
    write_tables(table, out)
    show(table, out, console)


def show(table: pd.DataFrame, out: Path, console: Console) -> None:
    """Prints the table without its longest columns, if it has a row."""
    if table.empty:
        return
    shown = Table("id", "claim", "measured", "seeds", "verdict", show_lines=True)
    for row in table.to_dict("records"):
        claim = f"{row['claim']}\n({row['part']})" if row["part"] else row["claim"]
        cells = (row["id"], claim, row["measured"], row["seeds"], row["verdict"])
        shown.add_row(*(escape(str(cell)) for cell in cells))
    console.print(shown)
    console.print(f"Table and plots: {out / 'verdicts.md'}", highlight=False, soft_wrap=True)
