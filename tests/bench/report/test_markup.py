"""Markdown: tables, and marks that stay text."""

from lipbench.bench.report.markup import markdown_table


def test_markdown_table_sets_the_first_columns_left_and_escapes_the_head_alone() -> None:
    found = markdown_table(["a|b", "W1 ↓", "my_score"], [["x", "**1**", "2 [1, 3]"], ["y", "3", "–"]], left=1)
    assert found == "| a\\|b | W1 ↓ | my\\_score |\n| - | -: | -: |\n| x | **1** | 2 [1, 3] |\n| y | 3 | – |\n"
