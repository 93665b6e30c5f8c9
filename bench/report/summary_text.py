"""The summary for people: Markdown, LaTeX and the terminal, a table per block, with failures, floors and notes."""

from collections.abc import Sequence

from rich.console import Console

from ..records.quantities import number
from ..records.reader import RunRecord
from .blocks import Block
from .intervals import coverage_notes, interval_text
from .notes import MEANING, MISSING, notes
from .table_writer import Table, latex_escape, markdown_page, to_latex
from .terminal import print_tables

FLOOR = "floor"


def summary_table(block: Block) -> Table:
    """A row per objective, then the floors if there are any: `Block.marked` bold, runs that did not complete in red."""
    headings = ["objective", "runs", *(metric.heading for metric in block.quality)]
    marked = [block.marked(metric) for metric in block.quality]
    rows, styles = [], {}
    for i, group in enumerate(block.groups):
        estimates = [block.estimates[group.objective, metric.key] for metric in block.quality]
        rows.append([group.objective, group.outcome, *map(interval_text, estimates)])
        styles |= {(i, j): "bold" for j, objectives in enumerate(marked, start=2) if group.objective in objectives}
        if group.ok < len(group.runs):
            styles[i, 1] = "red"
    floors = len(rows)
    if block.floors and block.quality:
        rows.append([FLOOR, "", *(number(block.floors.get(metric.key)) for metric in block.quality)])
        styles |= {(floors, j): "dim" for j in range(len(headings))}
    return Table(block.title, headings, rows, labels=2, left=(0, 1), styles=styles, breaks=(floors,))


def markdown(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> str:
    """summary.md: a heading and a table per block, then the notes."""
    return markdown_page("Summary", map(summary_table, blocks), notes(blocks, unfinished))


def latex(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> str:
    """summary.tex: a booktabs table per block, for inclusion in a document; the notes as comments."""
    parts = ["% Needs \\usepackage{booktabs}.\n", *(f"% {note}\n" for note in notes(blocks, unfinished))]
    for block in blocks:
        ranges = "".join(f" {latex_escape(note)}" for note in coverage_notes(block.seed_counts))
        what = rf"{latex_escape(block.title)}: median over seeds of the tail mean [interval].{ranges}"
        parts.append(to_latex(summary_table(block), what))
    return "".join(parts)


def print_summary(
    blocks: Sequence[Block], unfinished: Sequence[str] = (), console: Console | None = None, all_notes: bool = False
) -> None:
    """The summary in the terminal: a table per block, then what its values are and what is missing, or all notes."""
    found = notes(blocks, unfinished)
    shown = found if all_notes else [note for note in found if note in MEANING or MISSING in note]
    if len(shown) < len(found):
        shown.append(f"{len(found) - len(shown)} more notes: with --notes, in summary.md and on the page.")
    print_tables(map(summary_table, blocks), shown, console or Console())


def print_memory(records: Sequence[RunRecord], console: Console) -> None:
    """The most that a run took, of its process or of its GPU; not in the files: two sweeps never agree on it."""
    peaks = [peak for run in records if (peak := run.result.cost.peak_memory_mb)]
    if peaks:
        console.print(f"A run took up to {max(peaks):,.0f} MB of memory.", style="dim", highlight=False)
