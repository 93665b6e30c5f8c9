"""A table and its forms for files: Markdown, LaTeX, CSV. Its form in a terminal is terminal.py's. Knows no records."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

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
class Table:
    """What a table shows: in each row a plain text per column.

    Attributes:
        labels: so many columns, from the left, say what a row is about.
        left: the columns of words, which are set left; the others hold numbers and are set right.
        styles: (row, column) → "bold", which every form shows, or "dim" or "red", which a terminal shows alone.
        breaks: rows with a gap above them.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    left: Collection[int] = (0,)
    styles: Mapping[tuple[int, int], str] = field(default_factory=dict)
    breaks: Collection[int] = ()

    def column(self, i: int) -> list[str]:
        """The heading and the texts below it."""
        return [self.headings[i], *(row[i] for row in self.rows)]


def markdown_escape(text: str) -> str:
    """The text with whatever Markdown would take for a mark escaped, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(text.split()))


def to_markdown(table: Table, escape: Callable[[str], str] = markdown_escape) -> str:
    """The table without its title; `escape` is applied to words, for numbers and their intervals need it not."""
    rule = ["-" if i in table.left else "-:" for i in range(len(table.headings))]
    lines = [[markdown_escape(text) for text in table.headings], rule]
    for i, row in enumerate(table.rows):
        texts = [escape(text) if j in table.left else text for j, text in enumerate(row)]
        lines.append([f"**{text}**" if _bold(table, i, j) else text for j, text in enumerate(texts)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown_list(texts: Iterable[str]) -> str:
    """An item a line; the texts are plain."""
    return "".join(f"- {markdown_escape(text)}\n" for text in texts)


def markdown_page(title: str, tables: Iterable[Table], notes: Iterable[str]) -> str:
    """A title, each table below its own, and the notes as a list."""
    parts = [f"# {markdown_escape(title)}\n"]
    parts += [f"## {markdown_escape(table.title)}\n\n{to_markdown(table)}" for table in tables]
    return "\n".join([*parts, markdown_list(notes)])


def latex_escape(text: str) -> str:
    """A leading bracket is wrapped, for after the line break of a table it would be read as that one's argument."""
    escaped = "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
    return f"{{[}}{escaped[1:]}" if escaped.startswith("[") else escaped


def to_latex(table: Table, caption: str) -> str:
    """A booktabs table with a caption, which is LaTeX already."""
    head, *rows = _latex_lines(table)
    columns = "".join("l" if i in table.left else "r" for i in range(len(table.headings)))
    above = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\begin{{tabular}}{{{columns}}}"]
    below = [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join([*above, r"\toprule", head, r"\midrule", *rows, *below]) + "\n"


def to_longtable(table: Table, columns: str) -> str:
    """A booktabs table over several pages; `columns` is its column specification."""
    head, *rows = _latex_lines(table)
    heading = [r"\toprule", head, r"\midrule"]
    turn = rf"\multicolumn{{{len(table.headings)}}}{{r}}{{Continued on next page}} \\"
    feet = [r"\midrule", turn, r"\midrule", r"\endfoot", r"\bottomrule", r"\endlastfoot"]
    above = [rf"\begin{{longtable}}{{{columns}}}", *heading, r"\endfirsthead", *heading, r"\endhead", *feet]
    return "\n".join([*above, *rows, r"\end{longtable}"]) + "\n"


def csv_text(table: pd.DataFrame) -> str:
    """CSV with the shortest digits that read back as the same float; missing cells are empty."""
    return table.to_csv(index=False, lineterminator="\n")


def _latex_lines(table: Table) -> list[str]:
    """The headings and the rows."""
    lines = [[latex_escape(text) for text in table.headings]]
    for i, row in enumerate(table.rows):
        texts = map(latex_escape, row)
        lines.append([rf"\textbf{{{text}}}" if _bold(table, i, j) else text for j, text in enumerate(texts)])
    gaps = ["", *(r"\addlinespace " if i in table.breaks else "" for i in range(len(table.rows)))]
    return [rf"{gap}{' & '.join(line)} \\" for gap, line in zip(gaps, lines, strict=True)]


def _bold(table: Table, row: int, column: int) -> bool:
    return table.styles.get((row, column)) == "bold"
