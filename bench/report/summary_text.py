"""The summary for people: Markdown, LaTeX and the terminal, a table per block, with failures, floors and notes.

All three are views of the same rows (`printed_rows`); every text that comes from a record is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ..records.quantities import number
from ..records.reader import RunRecord
from .blocks import Block, notes
from .intervals import interval_text, range_notes
from .markup import markdown_escape, markdown_list, markdown_table
from .terminal import Texts, print_table

FLOOR = "floor"
_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "σ": r"$\sigma$",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclass(frozen=True)
class PrintedRow:
    """One line of a printed table: a text per column, and which of them are bold."""

    cells: list[str]
    bold: list[bool]
    failures: bool = False


def headings(block: Block) -> list[str]:
    """Objective, runs, then the metrics that judge samples."""
    return ["objective", "runs", *(q.heading for q in block.quality)]


def printed_rows(block: Block) -> list[PrintedRow]:
    """A row per objective, then the floors if there are any."""
    best = {q.key: block.best(q) for q in block.quality}
    rows = []
    for group in block.groups:
        texts = [interval_text(block.estimates[group.objective, q.key]) for q in block.quality]
        bold = [group.objective in best[q.key] for q in block.quality]
        failed = group.counts["completed"] < len(group.runs)
        rows.append(PrintedRow([group.objective, group.outcome, *texts], [False, False, *bold], failed))
    if floors := [number(block.floors.get(q.key)) for q in block.quality if block.floors]:
        rows.append(PrintedRow([FLOOR, "", *floors], [False] * (2 + len(floors))))
    return rows


def markdown(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> str:
    """summary.md: a heading and a table per block, then the notes."""
    parts = ["# Summary\n"]
    for block in blocks:
        table = markdown_table(headings(block), map(_markdown_row, printed_rows(block)), left=2)
        parts.append(f"## {markdown_escape(block.title)}\n\n{table}")
    parts.append(markdown_list(notes(blocks, unfinished)))
    return "\n".join(parts)


def latex(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> str:
    """summary.tex: a booktabs table per block, for inclusion in a document; the notes as comments."""
    parts = ["% Needs \\usepackage{booktabs}.", *(f"% {note}" for note in notes(blocks, unfinished))]
    for block in blocks:
        head = [_latex_escape(text) for text in headings(block)]
        told = "".join(f" {_latex_escape(note)}" for note in range_notes(block.seed_counts))
        parts += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex_escape(block.title)}: median over seeds of the tail mean [95\,\% interval].{told}}}",
            rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
            r"\toprule",
            rf"{' & '.join(head)} \\",
            r"\midrule",
            *map(_latex_row, printed_rows(block)),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(parts) + "\n"


def print_summary(blocks: Sequence[Block], unfinished: Sequence[str] = (), console: Console | None = None) -> None:
    """The summary in the terminal: a table per block, best medians bold, runs that did not complete in red."""
    console = console or Console()
    for block in blocks:
        rows = [_terminal_row(row) for row in printed_rows(block)]
        print_table(Texts(block.title, headings(block), rows, labels=2, left=(0, 1)), console)
    for note in notes(blocks, unfinished):
        console.print(escape(note), style="dim")


def print_memory(records: Sequence[RunRecord], console: Console) -> None:
    """The most that a run took, of its process or of its GPU; not in the files: two sweeps never agree on it."""
    peaks = [peak for run in records if (peak := run.result.get("peak_memory_mb"))]
    if peaks:
        console.print(f"A run took up to {max(peaks):,.0f} MB of memory.", style="dim", highlight=False)


def _terminal_row(row: PrintedRow) -> list[Text]:
    """The floors dim, so that they stand back."""
    style = "dim" if row.cells[0] == FLOOR else ""
    texts = [Text(text, "bold" if bold else style) for text, bold in zip(row.cells, row.bold, strict=True)]
    return [texts[0], Text(row.cells[1], "red" if row.failures else style), *texts[2:]]


def _markdown_row(row: PrintedRow) -> list[str]:
    texts = [*map(markdown_escape, row.cells[:2]), *row.cells[2:]]
    return [f"**{text}**" if bold else text for text, bold in zip(texts, row.bold, strict=True)]


def _latex_row(row: PrintedRow) -> str:
    texts = [_latex_escape(text) for text in row.cells]
    cells = [rf"\textbf{{{text}}}" if bold else text for text, bold in zip(texts, row.bold, strict=True)]
    space = r"\addlinespace " if row.cells[0] == FLOOR else ""
    return rf"{space}{' & '.join(cells)} \\"


def _latex_escape(text: str) -> str:
    """A leading bracket is wrapped, for after the line break of a table it would be read as that one's argument."""
    found = "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
    return f"{{[}}{found[1:]}" if found.startswith("[") else found
