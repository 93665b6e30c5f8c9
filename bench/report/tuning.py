"""What a search with an equal budget found: a table, every configuration as CSV, and the best-of-k curves as a plot.

Starts from the runs' records; chooses nothing but the best.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ..records.files import write
from ..records.quantities import Quantity, number
from ..records.reader import read_runs, read_suite
from .best_of import best_of_png
from .blocks import Block, Group, make_blocks
from .curves import styles
from .intervals import interval_text, range_notes
from .markup import markdown_escape, markdown_list, markdown_table
from .statistics import MIN_SEEDS, expected_best, median_best
from .tables import csv_text
from .terminal import Texts, print_table
from .trials import Tuned

HEADINGS = ["objective", "budget", "lost", "best configuration", "tuning value", "fresh seeds", "runs"]


def report_tuning(folder: Path, tuned: Sequence[Tuned], console: Console) -> None:
    """Writes tune.csv (every configuration), best-of-k.csv, tune.md and plots/tune-*.png, and prints the table.

    Args:
        folder: of the search; best/ in it holds the runs with fresh seeds.
        tuned: a result per objective and block.
        console: gets the table.

    Raises:
        BadInput: for a damaged record below best/, or a folder that cannot be written.
    """
    best = folder / "best"
    blocks = make_blocks(read_runs(best), read_suite(best)) if any(t.best is not None for t in tuned) else []
    write(folder / "tune.csv", csv_text(trials_table(tuned)).encode())
    write(folder / "best-of-k.csv", csv_text(curves_table(tuned)).encode())
    write(folder / "tune.md", tuning_markdown(tuned, blocks).encode())
    looks = styles(list(dict.fromkeys(t.objective for t in tuned)))
    for i, (_, found) in enumerate(_by_block(tuned).items()):
        write(
            folder / "plots" / f"tune-{i + 1}-{found[0].key[0].replace('/', '_')[:80]}.png", best_of_png(found, looks)
        )
    for title, found in _by_block(tuned).items():
        rows = [[Text(text) for text in tuned_row(one, blocks)] for one in found]
        print_table(Texts(title, _headings(found[0].metric), rows, labels=1, left=(0, 3)), console)
    for note in tuning_notes(tuned, blocks):
        console.print(escape(note), style="dim")
    console.print(f"All configurations: {folder}/tune.csv. The best, as a sweep: {best}/report.html", soft_wrap=True)


def trials_table(tuned: Sequence[Tuned]) -> pd.DataFrame:
    """A row per configuration: block, objective, number of the draw, settings, run, how it ended, value."""
    rows = []
    for one in tuned:
        block = dict(zip(("dataset", "architecture", "recipe"), one.key, strict=True))
        for i, trial in enumerate(one.trials):
            row = block | {"objective": one.objective, "draw": i + 1, "run": trial.record.id}
            row |= {
                "status": trial.record.status,
                "metric": one.metric.key,
                "value": trial.value,
                "best": i == one.best,
            }
            rows.append(row | dict(trial.settings))
    return pd.DataFrame(rows)


def curves_table(tuned: Sequence[Tuned]) -> pd.DataFrame:
    """A row per objective, block and k: expected and median best of k of the configurations that were tried."""
    rows = []
    for one in (t for t in tuned if t.values):
        assert one.metric.better is not None
        both = expected_best(one.values, one.metric.better), median_best(one.values, one.metric.better)
        block = dict(zip(("dataset", "architecture", "recipe"), one.key, strict=True))
        for k, (expected, middle) in enumerate(zip(*both, strict=True), start=1):
            row = block | {"objective": one.objective, "metric": one.metric.key, "k": k}
            rows.append(row | {"expected_best": expected, "median_best": middle})
    return pd.DataFrame(rows)


def tuned_row(one: Tuned, blocks: Sequence[Block]) -> list[str]:
    """The texts of an objective's line in the table."""
    if one.best is None:
        skipped = [t.record.result["reason"] for t in one.trials if t.record.status == "skipped"]
        why = f"skipped: {skipped[0]}" if skipped else "none has a value"
        return [one.objective, str(one.budget), f"{one.lost} of {len(one.trials)}", why, "–", "–", "–"]
    trial, group = one.trials[one.best], _group(one, blocks)
    return [
        one.objective,
        str(one.budget),
        f"{one.lost} of {len(one.trials)}",
        ", ".join(f"{key}={_setting(value)}" for key, value in trial.settings.items()),
        number(trial.value),
        interval_text(group.estimate(one.metric)) if group else "–",
        group.outcome if group else "–",
    ]


def tuning_notes(tuned: Sequence[Tuned], blocks: Sequence[Block]) -> list[str]:
    """What the table's columns are, and every reservation."""
    found = [
        "Budget: random configurations per objective, each run once at one seed. Lost: those that diverged or failed, "
        "which count as worst. Tuning value: tail mean of the best one, which was chosen for it and flatters.",
        "Fresh seeds: the same configuration at seeds that it was not chosen by, median with its 95 % bootstrap "
        "interval. Compare objectives by this column only.",
    ]
    if any(0 < len(t.values) < t.budget for t in tuned):
        found.append("Some objectives were tried with fewer configurations than the budget.")
    if any(0 < t.fresh_seeds < MIN_SEEDS for t in tuned):
        found.append(f"Fewer than {MIN_SEEDS} fresh seeds: too few to say anything about spread, so no interval.")
    groups = [(one, group) for one in tuned if (group := _group(one, blocks))]
    return found + range_notes((len(group.values(one.metric)) for one, group in groups))


def tuning_markdown(tuned: Sequence[Tuned], blocks: Sequence[Block]) -> str:
    """tune.md: a table per block, then the notes."""
    parts = ["# Tuning with an equal budget\n"]
    for title, found in _by_block(tuned).items():
        rows = [[markdown_escape(text) for text in tuned_row(one, blocks)] for one in found]
        table = markdown_table(_headings(found[0].metric), rows, left=len(HEADINGS))
        parts.append(f"## {markdown_escape(title)}\n\n{table}")
    parts.append(markdown_list(tuning_notes(tuned, blocks)))
    return "\n".join(parts)


def _headings(metric: Quantity) -> list[str]:
    return [f"{h}, {metric.name}" if h in ("tuning value", "fresh seeds") else h for h in HEADINGS]


def _by_block(tuned: Sequence[Tuned]) -> dict[str, list[Tuned]]:
    return {" · ".join(key): list(found) for key, found in groupby(sorted(tuned, key=_key), _key)}


def _key(one: Tuned) -> tuple[str, str, str]:
    return one.key


def _group(one: Tuned, blocks: Sequence[Block]) -> Group | None:
    key = (*one.key[:2], one.label)
    groups = [group for block in blocks if block.key == key for group in block.groups]
    return next((group for group in groups if group.objective == one.objective), None)


def _setting(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
