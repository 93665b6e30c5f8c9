"""Two results folders side by side: in the terminal, and as compare.csv and compare.md."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ..records.files import write
from ..records.quantities import number
from ..records.reader import RunRecord
from .folder_comparison import GroupPair, MetricPair, Pairing, pair_folders
from .intervals import coverage_notes, interval_text
from .statistics import MIN_SEEDS
from .table_writer import Table, csv_text, markdown_page
from .terminal import print_tables

FACTORS = ("dataset", "architecture", "recipe")
MOST_NAMED = 5  # runs in one folder only, in the terminal; compare.md names all


def compare_folders(first: Path, second: Path, out: Path | None = None, console: Console | None = None) -> Pairing:
    """Compares two results folders, prints the tables, and writes compare.csv and compare.md into `out` if given.

    Raises:
        BadInput: for a folder without runs, a damaged record, two protocols, or a folder that cannot be written.
    """
    pairing = pair_folders(first, second)
    if out is not None:
        write(out / "compare.csv", csv_text(compare_table(pairing)).encode())
        write(out / "compare.md", compare_markdown(pairing).encode())
    if console is not None:
        print_tables(comparison_tables(pairing), compare_notes(pairing, MOST_NAMED), console)
    return pairing


def compare_table(pairing: Pairing) -> pd.DataFrame:
    """A row per shared group and metric: medians and intervals in both, the seed-paired difference, the sign test.

    A positive difference means that the second folder is better.
    """
    rows = [_row(group, pair) for group in pairing.groups for pair in group.metrics]
    return pd.DataFrame(rows, columns=None if rows else pd.Index([*FACTORS, "objective", "metric"]))


def _row(group: GroupPair, pair: MetricPair) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(FACTORS, group.key, strict=True))
    row |= {"objective": group.first.objective, "metric": pair.metric.key}
    row |= {"first_seeds": pair.first.n, "second_seeds": pair.second.n, "shared_seeds": pair.comparison.pairs}
    estimates = {"first": pair.first, "second": pair.second, "difference": pair.comparison.difference}
    for name, estimate in estimates.items():
        row |= {f"{name}_median": estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row | {"second_wins": pair.comparison.wins, "sign_p": pair.comparison.sign_p}


def compare_notes(pairing: Pairing, most: int | None = None) -> list[str]:
    """What the tables mean, which runs are the same, and which are in one folder only (named, `most` of them)."""
    first, second = pairing.names
    lines = [
        f"{pairing.shared} run(s) are in both folders; {_same(pairing)}.",
        *_alone(first, pairing.only[0], most),
        *_alone(second, pairing.only[1], most),
        f"Medians over the seeds that both folders have. {second} better by: median over them of the paired "
        "difference, positive where it is better; in brackets intervals over seeds. The "
        "sign tests' p are not corrected for their number.",
    ]
    lines += [
        f"{name} has tables alone: its values are those of runs.csv. Whether protocol, settings and code are the same, "
        "and the course of the training, cannot be seen from them."
        for name in pairing.tables_alone
    ]
    pairs = [pair for group in pairing.groups for pair in group.metrics]
    if any(pair.comparison.pairs < MIN_SEEDS for pair in pairs):
        lines.append(
            f"No interval where fewer than {MIN_SEEDS} seeds are shared: too few to say anything about spread."
        )
    lines += coverage_notes(e.n for pair in pairs for e in (pair.first, pair.second, pair.comparison.difference))
    lines += [_unlike(group) for group in pairing.groups if group.settings]
    if pairing.codes[0] != pairing.codes[1]:
        lines.append(f"Code: {', '.join(pairing.codes[0])} in {first}, {', '.join(pairing.codes[1])} in {second}.")
    return lines


def _unlike(group: GroupPair) -> str:
    where = f"{group.first.objective} on {' · '.join(group.key)}"
    return f"{where} is not the same in both: {'; '.join(group.settings)}."


def _same(pairing: Pairing) -> str:
    if not pairing.shared:
        return "there is nothing to pair"
    which = "all of them" if pairing.identical == pairing.shared else f"{pairing.identical or 'none'} of them"
    return f"{which} identical, in every number but times"


def _alone(name: str, runs: Sequence[RunRecord], most: int | None) -> list[str]:
    if not runs:
        return []
    named = [f"{r.objective} on {' · '.join(r.block)} seed {r.seed} ({r.status})" for r in runs[:most]]
    rest = f", and {len(runs) - len(named)} more" if len(named) < len(runs) else ""
    return [f"Only in {name}: {len(runs)} run(s): {', '.join(named)}{rest}."]


def compare_markdown(pairing: Pairing) -> str:
    """compare.md: a table per block, then the notes."""
    first, second = pairing.names
    return markdown_page(f"{first} and {second}", comparison_tables(pairing), compare_notes(pairing))


def comparison_tables(pairing: Pairing) -> Iterator[Table]:
    """A table per block; what is the same as in the row above is left out."""
    first, second = pairing.names
    headings = ["objective", "runs", "metric", first, second, f"{second} better by", "seeds won", "sign test p"]
    for key, groups in groupby(pairing.groups, lambda group: group.key):
        rows = [row for group in groups for row in _group_rows(group)]
        yield Table(" · ".join(key), headings, rows, labels=3, left=(0, 1, 2))


def _group_rows(group: GroupPair) -> Iterator[list[str]]:
    outcomes = dict.fromkeys([group.first.outcome, group.second.outcome])
    names = [group.first.objective, " | ".join(outcomes)]
    if not group.metrics:
        yield [*names, *["–"] * 6]
    for pair in group.metrics:
        yield [*names, pair.metric.heading, *_values(pair)]
        names = ["", ""]


def _values(pair: MetricPair) -> list[str]:
    comparison = pair.comparison
    medians = [interval_text(pair.first), interval_text(pair.second)]
    if not comparison.pairs:
        return [*medians, "–", "0 of 0", "–"]
    return [
        *medians,
        interval_text(comparison.difference),
        f"{comparison.wins} of {comparison.pairs}",
        number(comparison.sign_p, 2),
    ]
