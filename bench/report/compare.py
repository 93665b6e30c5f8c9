"""Two results folders side by side: in the terminal, and as compare.csv and compare.md."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ..records.files import write
from ..records.quantities import number
from ..records.reader import RunRecord
from .folder_comparison import GroupPair, MetricPair, Pairing, pair_folders
from .intervals import interval_text, range_notes
from .markup import markdown_escape, markdown_list, markdown_table
from .statistics import MIN_SEEDS
from .tables import csv_text
from .terminal import Texts, print_table

MOST_NAMED = 5  # runs in one folder only, in the terminal; compare.md names all


def compare_folders(first: Path, second: Path, out: Path | None = None, console: Console | None = None) -> Pairing:
    """Compares two results folders, prints the tables, and writes compare.csv and compare.md into `out` if given.

    Raises:
        BadInput: for a folder without runs, a damaged record, two protocols, or a folder that cannot be written.
    """
    found = pair_folders(first, second)
    if out is not None:
        write(out / "compare.csv", csv_text(compare_table(found)).encode())
        write(out / "compare.md", compare_markdown(found).encode())
    if console is not None:
        _print(found, console)
    return found


def compare_table(found: Pairing) -> pd.DataFrame:
    """A row per shared group and metric: medians and intervals in both, the seed-paired difference, the sign test.

    A positive difference means that the second folder is better.
    """
    rows = [_row(group, pair) for group in found.groups for pair in group.metrics]
    return pd.DataFrame(rows, columns=None if rows else pd.Index([*_FACTORS, "objective", "metric"]))


_FACTORS = ("dataset", "architecture", "recipe")


def _row(group: GroupPair, pair: MetricPair) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(_FACTORS, group.key, strict=True))
    row |= {"objective": group.first.objective, "metric": pair.metric.key}
    row |= {"first_seeds": pair.first.n, "second_seeds": pair.second.n, "shared_seeds": pair.comparison.pairs}
    estimates = {"first": pair.first, "second": pair.second, "difference": pair.comparison.difference}
    for name, estimate in estimates.items():
        row |= {f"{name}_median": estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row | {"second_wins": pair.comparison.wins, "sign_p": pair.comparison.sign_p}


def compare_notes(found: Pairing, most: int | None = None) -> list[str]:
    """What the tables mean, which runs are the same, and which are in one folder only (named, `most` of them)."""
    first, second = found.names
    lines = [
        f"{found.shared} run(s) are in both folders; {_same(found)}.",
        *_alone(first, found.only[0], most),
        *_alone(second, found.only[1], most),
        f"Medians over the seeds of each folder. {second} better by: median over the shared seeds of the paired "
        "difference, positive where it is better; in brackets 95 % bootstrap intervals over seeds.",
    ]
    pairs = [pair for group in found.groups for pair in group.metrics]
    if any(pair.comparison.pairs < MIN_SEEDS for pair in pairs):
        lines.append(
            f"No interval where fewer than {MIN_SEEDS} seeds are shared: too few to say anything about spread."
        )
    lines += range_notes(e.n for pair in pairs for e in (pair.first, pair.second, pair.comparison.difference))
    for group in (c for c in found.groups if c.settings):
        where = f"{group.first.objective} on {' · '.join(group.key)}"
        lines.append(f"{where} is not the same in both: {'; '.join(group.settings)}.")
    if found.codes[0] != found.codes[1]:
        lines.append(f"Code: {', '.join(found.codes[0])} in {first}, {', '.join(found.codes[1])} in {second}.")
    return lines


def _same(found: Pairing) -> str:
    if not found.shared:
        return "there is nothing to pair"
    which = "all of them" if found.identical == found.shared else f"{found.identical or 'none'} of them"
    return f"{which} identical, in every number but times"


def _alone(name: str, runs: Sequence[RunRecord], most: int | None) -> list[str]:
    if not runs:
        return []
    named = [f"{r.objective} on {' · '.join(r.block)} seed {r.seed} ({r.status})" for r in runs[:most]]
    rest = f", and {len(runs) - len(named)} more" if len(named) < len(runs) else ""
    return [f"Only in {name}: {len(runs)} run(s): {', '.join(named)}{rest}."]


def compare_markdown(found: Pairing) -> str:
    """compare.md: a table per block, then the notes."""
    parts = [f"# {markdown_escape(found.names[0])} and {markdown_escape(found.names[1])}\n"]
    for title, rows in _printed(found).items():
        cells = [[*map(markdown_escape, row[:3]), *row[3:]] for row in rows]
        parts.append(f"## {markdown_escape(title)}\n\n{markdown_table(_headings(found), cells, left=3)}")
    parts.append(markdown_list(compare_notes(found)))
    return "\n".join(parts)


def _print(found: Pairing, console: Console) -> None:
    for title, rows in _printed(found).items():
        texts = [[Text(text) for text in row] for row in rows]
        print_table(Texts(title, _headings(found), texts, labels=3, left=(0, 1, 2)), console)
    for note in compare_notes(found, MOST_NAMED):
        console.print(escape(note), style="dim")


def _headings(found: Pairing) -> list[str]:
    first, second = found.names
    return ["objective", "runs", "metric", first, second, f"{second} better by", "seeds won", "sign test p"]


def _printed(found: Pairing) -> Mapping[str, list[list[str]]]:
    """Title of a block → rows of text; what is the same as in the row above is left out."""
    blocks: dict[str, list[list[str]]] = {}
    for key, groups in groupby(found.groups, lambda group: group.key):
        rows = blocks.setdefault(" · ".join(key), [])
        for group in groups:
            outcomes = list(dict.fromkeys([group.first.outcome, group.second.outcome]))
            names = [group.first.objective, " | ".join(outcomes)]
            for pair in group.metrics:
                rows.append([*names, pair.metric.heading, *_values(pair)])
                names = ["", ""]
            if not group.metrics:
                rows.append([*names, "–", *["–"] * 5])
    return blocks


def _values(pair: MetricPair) -> list[str]:
    found = pair.comparison
    texts = [interval_text(estimate) for estimate in (pair.first, pair.second, found.difference)]
    if not found.pairs:
        return [*texts[:2], "–", "0 of 0", "–"]
    return [*texts, f"{found.wins} of {found.pairs}", number(found.sign_p, 2)]
