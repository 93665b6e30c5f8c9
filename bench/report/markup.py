"""Tables and texts as Markdown."""

import re
from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are set left, the others right. The head is plain text, the rows Markdown."""
    rule = ["-"] * left + ["-:"] * (len(head) - left)
    return "".join(f"| {' | '.join(line)} |\n" for line in (map(markdown_escape, head), rule, *rows))


def markdown_list(texts: Iterable[str]) -> str:
    """An item a line; the texts are plain."""
    return "".join(f"- {markdown_escape(text)}\n" for text in texts)


def markdown_escape(text: str) -> str:
    """The text with whatever Markdown would take for a mark escaped, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(text.split()))
