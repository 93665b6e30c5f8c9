"""A table in its forms: what is escaped, bold, set left or right, and where gaps are."""

import io
import re
from collections.abc import Callable

import pandas as pd
import pytest
from rich.console import Console

from lipbench.bench.report.table_writer import (
    Table,
    csv_text,
    markdown_list,
    markdown_page,
    to_latex,
    to_longtable,
    to_markdown,
)
from lipbench.bench.report.terminal import print_table, print_tables

TABLE = Table(
    "a_b",
    ["x|y", "W1 ↓", "my_score"],
    [["<p>", "1", "2 [1, 3]"], ["[q]", "3", "–"]],
    styles={(0, 1): "bold", (1, 2): "dim"},
    breaks=(1,),
)


def printed(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(table, console)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_to_markdown_escapes_words_and_headings_and_no_number() -> None:
    assert to_markdown(TABLE).splitlines() == [
        r"| x\|y | W1 ↓ | my\_score |",
        "| - | -: | -: |",
        r"| \<p\> | **1** | 2 [1, 3] |",
        r"| \[q\] | 3 | – |",
    ]


def test_to_markdown_takes_another_escape_for_words() -> None:
    assert "| <P> | **1** | 2 [1, 3] |" in to_markdown(TABLE, str.upper)


def test_markdown_page_has_a_title_each_table_below_its_own_and_the_notes() -> None:
    parts = re.split(r"\n\n", markdown_page("x*", [TABLE, TABLE], ["one", "two"]))
    assert parts == [
        "# x\\*",
        "## a\\_b",
        to_markdown(TABLE).strip(),
        "## a\\_b",
        to_markdown(TABLE).strip(),
        "- one\n- two\n",
    ]


def test_markdown_list_has_an_item_a_line_and_escapes_marks() -> None:
    assert markdown_list(["W1 0.1 on <b>a_b*", "two\nlines", "0.1 [0, 1]"]) == (
        "- W1 0.1 on \\<b\\>a\\_b\\*\n- two lines\n- 0.1 \\[0, 1\\]\n"
    )
    assert markdown_list([]) == ""


def test_to_latex_marks_the_best_and_protects_a_row_that_begins_with_a_bracket() -> None:
    lines = to_latex(TABLE, r"50\,\%").splitlines()
    assert r"\begin{tabular}{lrr}" in lines and r"\caption{50\,\%}" in lines
    rows = [line for line in lines if line.endswith(r"\\")]
    assert rows == [
        r"x|y & W1 $\downarrow$ & my\_score \\",
        r"\textless{}p\textgreater{} & \textbf{1} & 2 [1, 3] \\",
        r"\addlinespace {[}q] & 3 & -- \\",
    ]


@pytest.mark.parametrize("write", [to_latex, to_longtable])
def test_latex_tables_close_what_they_open(write: Callable[[Table, str], str]) -> None:
    text = write(TABLE, "lrr")
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert opened and opened == closed[::-1]
    assert text.count("{") == text.count("}")


def test_to_longtable_repeats_its_head_on_every_page() -> None:
    lines = to_longtable(TABLE, "lp{4cm}r").splitlines()
    assert lines[0] == r"\begin{longtable}{lp{4cm}r}"
    assert lines.index(r"\endfirsthead") < lines.index(r"\endhead") < lines.index(r"\endfoot")
    assert sum(line.startswith("x|y") for line in lines) == 2


def test_csv_text_keeps_every_digit_and_leaves_missing_cells_empty() -> None:
    assert csv_text(pd.DataFrame({"x": [0.1 + 0.2, None], "n": [1, 2]})) == "x,n\n0.30000000000000004,1\n,2\n"


def test_print_table_has_a_gap_at_a_break_and_the_title_above() -> None:
    lines = [line.strip() for line in printed(TABLE, 80).splitlines()]
    first, second = (next(i for i, line in enumerate(lines) if line.startswith(key)) for key in ("<p>", "[q]"))
    assert lines[0] == "a_b" and second - first == 2 and lines[first + 1] == ""


def test_print_table_repeats_labels_where_columns_do_not_fit_beside_each_other() -> None:
    wide = Table("t", ["name", *(f"column{i}" for i in range(6))], [["label", *["1234567"] * 6]])
    text = printed(wide, 40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("label") > 1 and text.count("1234567") == 6


def test_print_table_sets_an_extractor_below_its_metric_and_leaves_formulas_whole() -> None:
    table = Table("", ["id", "FD(network) ↓"], [["x", "f(x) is " + "long " * 9]], left=(0, 1))
    lines = [line.strip() for line in printed(table, 40).splitlines()]
    assert "id   (network) ↓" in lines and any("f(x)" in line for line in lines)


def test_print_tables_takes_no_note_for_markup() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_tables([], ["[bold]x[/bold]"], console)
    assert console.file.getvalue() == "[bold]x[/bold]\n"  # pyright: ignore[reportAttributeAccessIssue]
