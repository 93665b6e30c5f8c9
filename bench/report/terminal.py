"""Tables in a terminal, laid out so that no number is cut, however short its lines are."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Texts:
    """What a table shows: in each row a text per column.

    The first `labels` columns say what a row is about. Of all columns those in `left` are set left, the others right.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Text]]
    labels: int
    left: Sequence[int]

    def column(self, i: int) -> list[str]:
        """The heading and the texts below it."""
        return [self.headings[i], *(row[i].plain for row in self.rows)]


def print_table(texts: Texts, console: Console) -> None:
    """Prints a table, or several that share the labels.

    Where the lines are too short, intervals stand below their values and lists have an item a line; where they are
    shorter still, cells wrap; and where a word would be cut, the columns are spread over several tables. Only words
    longer than a third of the lines, as somebody's names may be, are cut then.
    """
    columns = range(len(texts.headings))
    for form in (texts, _edited(texts, _broken)):
        widths = [_longest(form.column(i), "\n") for i in columns]
        if _outer_width(widths) <= console.width:
            console.print(_table(form, columns, widths))
            return
    form, third = _edited(texts, _extractor_below), console.width // 3
    least, most = ([min(_longest(form.column(i), ends), third) for i in columns] for ends in (None, "\n"))
    least[0] = most[0]  # whole labels, if they are not too long
    for shown in _spread(form, least, console.width):
        widths = _fixed([least[i] for i in shown], [most[i] for i in shown], console.width)
        console.print(_table(form, shown, widths))


def _spread(texts: Texts, least: Sequence[int], room: int) -> list[list[int]]:
    """The columns of each table: the labels, and as many others as their words fit beside them; one at least."""
    labels = list(range(texts.labels))
    parts = [labels]
    for i in range(texts.labels, len(texts.headings)):
        if len(parts[-1]) > texts.labels and _outer_width([least[j] for j in (*parts[-1], i)]) > room:
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


def _longest(texts: Sequence[str], ends: str | None) -> int:
    """Cells of the terminal that the longest part takes; None: of the words."""
    return max(cell_len(part) for text in texts for part in text.split(ends) or [""])


def _table(texts: Texts, shown: Sequence[int], widths: Sequence[int | None]) -> Table:
    table = Table(title=Text(texts.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for i, width in zip(shown, widths, strict=True):
        justify = "left" if i in texts.left else "right"
        table.add_column(Text(texts.headings[i]), justify=justify, width=width, overflow="fold")
    for row in texts.rows:
        table.add_row(*(row[i] for i in shown))
    return table


def _edited(texts: Texts, edit: Callable[[str], str]) -> Texts:
    """With other texts in all columns but the first, and in their headings."""
    head, *others = texts.headings
    rows = [[row[0], *(Text(edit(cell.plain), cell.style) for cell in row[1:])] for row in texts.rows]
    return replace(texts, headings=[head, *map(edit, others)], rows=rows)


def _broken(text: str) -> str:
    """An interval below its value, or a list with an item a line."""
    return text.replace(" [", "\n[") if "[" in text else text.replace(", ", ",\n")


def _extractor_below(text: str) -> str:
    """An extractor's name below its metric's."""
    return re.sub(r"(?<=\w)\(", "\n(", text)
