"""Tables in a terminal, laid out so that no number is cut, however short its lines are."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from .table_writer import Table


def print_tables(tables: Iterable[Table], notes: Iterable[str], console: Console) -> None:
    """Prints the tables, then the notes, dim."""
    for table in tables:
        print_table(table, console)
    for note in notes:
        console.print(escape(note), style="dim")


def print_table(table: Table, console: Console) -> None:
    """Prints a table, or several that share the labels.

    Where the lines are too short, lists have an item a line and the columns are spread over several tables, each value
    on a line with its interval. Where one column alone is too wide for that, cells wrap. Only words longer than a third
    of the lines, as somebody's names may be, are cut then. What is bold has an asterisk too, for those without colours.
    """
    columns = range(len(table.headings))
    table = _starred(table)
    for form in (table, _edited(table, _broken)):
        widths = [_longest_line(form.column(i)) for i in columns]
        parts = _spread(form, widths, console.width)
        fits = all(_outer_width([widths[i] for i in shown]) <= console.width for shown in parts)
        if fits and (len(parts) == 1 or form is not table):
            for shown in parts:
                _print(table.title, _rich_table(form, shown, [widths[i] for i in shown]), console)
            return
    form, third = _edited(table, _extractor_below), console.width // 3
    least = [min(_longest_word(form.column(i)), third) for i in columns]
    most = [min(_longest_line(form.column(i)), third) for i in columns]
    least[0] = most[0]  # whole labels, if they are not too long
    for shown in _spread(form, least, console.width):
        widths = _fixed([least[i] for i in shown], [most[i] for i in shown], console.width)
        _print(table.title, _rich_table(form, shown, widths), console)


def _print(title: str, rich: RichTable, console: Console) -> None:
    """The title above it, on lines as wide as the terminal: rich would break it at the table's own width."""
    console.print(Text(title, "bold"), highlight=False)
    console.print(rich)


def _spread(table: Table, least: Sequence[int], room: int) -> list[list[int]]:
    """The columns of each table: the labels, and as many others as their words fit beside them; one at least."""
    labels = list(range(table.labels))
    parts = [labels]
    for i in range(table.labels, len(table.headings)):
        if len(parts[-1]) > table.labels and _outer_width([least[j] for j in (*parts[-1], i)]) > room:
            parts.append(labels)
        parts[-1] = [*parts[-1], i]
    return parts


def _fixed(least: Sequence[int], most: Sequence[int], room: int) -> list[int | None]:
    """The widths of columns that get no more than their least, for rich would go below it. The others are rich's to
    choose (None): it makes the widest ones alike until they fit.
    """
    widths = list(most)
    while _outer_width(widths) > room and (free := [i for i, width in enumerate(widths) if width > least[i]]):
        widths[max(free, key=lambda i: widths[i])] -= 1
    return [width if width == own else None for width, own in zip(widths, least, strict=True)]


def _outer_width(widths: Sequence[int]) -> int:
    """Of a table with columns so wide: rich puts a space on both sides of each and of the table, and one between."""
    return sum(widths) + 3 * len(widths) + 1


def _longest_line(texts: Sequence[str]) -> int:
    """Cells of the terminal that it takes."""
    return max(map(cell_len, "\n".join(texts).split("\n")))


def _longest_word(texts: Sequence[str]) -> int:
    """Cells of the terminal that it takes."""
    return max(map(cell_len, " ".join(texts).split()), default=0)


def _rich_table(table: Table, shown: Sequence[int], widths: Sequence[int | None]) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD)
    for i, width in zip(shown, widths, strict=True):
        justify = "left" if i in table.left else "right"
        rich.add_column(Text(table.headings[i]), justify=justify, width=width, overflow="fold")
    for i, row in enumerate(table.rows):
        texts = [Text(row[j], table.styles.get((i, j), "")) for j in shown]
        rich.add_row(*texts, end_section=i + 1 in table.breaks)
    return rich


def _edited(table: Table, edit: Callable[[str], str]) -> Table:
    """With other texts in all columns but the first, and in their headings."""
    head, *others = table.headings
    return replace(
        table, headings=[head, *map(edit, others)], rows=[[row[0], *map(edit, row[1:])] for row in table.rows]
    )


def _starred(table: Table) -> Table:
    """With an asterisk behind what is bold, and room for one behind the other values of its column."""
    bold = {place for place, style in table.styles.items() if style == "bold"}
    columns = {j for _, j in bold}
    rows = [
        [f"{text} {'*' if (i, j) in bold else ' '}" if j in columns else text for j, text in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    return replace(table, rows=rows)


def _broken(text: str) -> str:
    """A list with an item a line."""
    return text if "[" in text else text.replace(", ", ",\n")


def _extractor_below(text: str) -> str:
    """An extractor's name below its metric's, as in "FD(mnist-cnn) ↓"."""
    return re.sub(r"(?<=\w)\((?=[^()]*\)( [↓↑])?$)", "\n(", text)
