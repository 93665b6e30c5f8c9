"""Markdown: tables, and marks that stay text."""

from lipbench.bench.report.markup import markdown_list, markdown_table


def test_markdown_table_sets_the_first_columns_left_and_escapes_the_head_alone() -> None:
    found = markdown_table(["a|b", "W1 ↓", "my_score"], [["x", "**1**", "2 [1, 3]"], ["y", "3", "–"]], left=1)
    assert found == "| a\\|b | W1 ↓ | my\\_score |\n| - | -: | -: |\n| x | **1** | 2 [1, 3] |\n| y | 3 | – |\n"


def test_markdown_list_has_an_item_a_line_and_escapes_marks() -> None:
    assert markdown_list(["W1 0.1 on <b>a_b*", "two\nlines", "0.1 [0, 1]"]) == (
        "- W1 0.1 on \\<b\\>a\\_b\\*\n- two lines\n- 0.1 \\[0, 1\\]\n"
    )
    assert markdown_list([]) == ""
