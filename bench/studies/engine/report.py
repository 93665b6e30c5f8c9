"""Pictures, verdict tables and what is printed of them, from the records alone. Runs no experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from rich.console import Console

from ....objectives.errors import BadInput
from .contract import Study
from .store import read
from .table import PLOT, print_verdicts, verdict_table, write_tables


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
    print_verdicts(table, out, console)
