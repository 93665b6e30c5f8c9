"""Tables, plots and the page of a results folder: pure functions of the records in it. Trains and measures nothing."""

from pathlib import Path

from rich.console import Console

from ..records.files import write
from ..records.reader import RunRecord, read_runs, read_suite, unfinished
from .blocks import make_blocks, objective_order
from .curves import styles
from .page import render_page
from .plots import draw_plots
from .summary_text import latex, markdown, print_memory, print_summary
from .table_writer import csv_text
from .tables import runs_table, summary_of

__all__ = ["RunRecord", "print_summary", "read_runs", "report", "runs_table"]


def report(folder: Path, console: Console | None = None, form: str = "png", all_notes: bool = False) -> None:
    """Writes runs.csv, summary.csv/.md/.tex, plots/*.png and report.html into a results folder, each file atomically.

    Args:
        folder: a results folder with finished runs below runs/.
        console: gets the summary as tables.
        form: pdf or svg has the plots so too, beside the PNG.
        all_notes: prints every note below them, not the first alone.

    Raises:
        BadInput: for a damaged record, records that must not stand in one table, or a folder that cannot be written.
    """
    folder = Path(folder)
    records, suite, left = read_runs(folder), read_suite(folder), unfinished(folder)
    blocks = make_blocks(records, suite)
    colours = styles(objective_order(records, suite))
    write(folder / "runs.csv", csv_text(runs_table(records, suite)).encode())
    write(folder / "summary.csv", csv_text(summary_of(blocks)).encode())
    write(folder / "summary.md", markdown(blocks, left).encode())
    write(folder / "summary.tex", latex(blocks, left).encode())
    pngs = dict(draw_plots(blocks, colours))
    for name, content in pngs.items():
        write(folder / "plots" / name, content)
    if form != "png":
        for name, content in draw_plots(blocks, colours, form):
            write(folder / "plots" / name, content)
    title = str(suite.get("name", folder.resolve().name))
    write(folder / "report.html", render_page(title, blocks, colours, pngs, suite, left).encode())
    if console is not None:
        print_summary(blocks, left, console, all_notes)
        print_memory(records, console)
