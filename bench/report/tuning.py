"""What a search with an equal budget found: a table, every configuration as CSV, and the best-of-k curves as a plot.

Starts from the runs' records; chooses nothing but the best.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ..records.files import write
from ..records.quantities import number
from ..records.reader import read_runs, read_suite
from .best_of import best_of_png
from .blocks import Block, Group, make_blocks
from .curves import styles
from .intervals import coverage_notes, interval_text
from .statistics import MIN_SEEDS, expected_best, median_best
from .table_writer import Table, csv_text, markdown_page
from .terminal import print_tables
from .trials import Tuned


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
    for i, of_block in enumerate(_by_block(tuned), start=1):
        dataset = of_block[0].key[0].replace("/", "_")[:80]
        write(folder / "plots" / f"tune-{i}-{dataset}.png", best_of_png(of_block, looks))
    print_tables(tuning_tables(tuned, blocks), tuning_notes(tuned, blocks), console)
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
        skipped = [t.record.result.outcome.reason for t in one.trials if t.record.status == "skipped"]
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
    notes = [
        "Budget: random configurations per objective, each run once at one seed. Lost: those that diverged or failed, "
        "which count as worst. Tuning value: tail mean of the best one, which was chosen for it and flatters.",
        "Fresh seeds: the same configuration at seeds that it was not chosen by, median with its interval. "
        "Compare objectives by this column only.",
    ]
    if any(0 < len(t.values) < t.budget for t in tuned):
        notes.append("Some objectives were tried with fewer configurations than the budget.")
    if any(0 < t.fresh_seeds < MIN_SEEDS for t in tuned):
        notes.append(f"Fewer than {MIN_SEEDS} fresh seeds: too few to say anything about spread, so no interval.")
    groups = [(one, group) for one in tuned if (group := _group(one, blocks))]
    return notes + coverage_notes(len(group.values(one.metric)) for one, group in groups)


def tuning_markdown(tuned: Sequence[Tuned], blocks: Sequence[Block]) -> str:
    """tune.md: a table per block, then the notes."""
    return markdown_page("Tuning with an equal budget", tuning_tables(tuned, blocks), tuning_notes(tuned, blocks))


def tuning_tables(tuned: Sequence[Tuned], blocks: Sequence[Block]) -> Iterator[Table]:
    """A table per block with a row per objective."""
    for of_block in _by_block(tuned):
        name = of_block[0].metric.name
        headings = ["objective", "budget", "lost", "best configuration"]
        headings += [f"tuning value, {name}", f"fresh seeds, {name}", "runs"]
        rows = [tuned_row(one, blocks) for one in of_block]
        yield Table(" · ".join(of_block[0].key), headings, rows, left=(0, 3))


def _by_block(tuned: Sequence[Tuned]) -> list[list[Tuned]]:
    ordered = sorted(tuned, key=lambda one: one.key)
    return [list(of_block) for _, of_block in groupby(ordered, lambda one: one.key)]


def _group(one: Tuned, blocks: Sequence[Block]) -> Group | None:
    key = (*one.key[:2], one.label)
    groups = [group for block in blocks if block.key == key for group in block.groups]
    return next((group for group in groups if group.objective == one.objective), None)


def _setting(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
