"""The report of a search, from records: its table and its notes. The search itself is tests/bench/tuning's."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lipbench.bench.records.quantities import KNOWN
from lipbench.bench.records.reader import read_runs
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.trials import Trial, Tuned
from lipbench.bench.report.tuning import report_tuning, tuned_row, tuning_markdown, tuning_notes

FOUND = ("8gaussians", "mlp-3x128", "matched")
Search = Callable[..., list[Tuned]]


@pytest.fixture
def search(make_sweep: Callable[..., Path]) -> Search:
    """search(folder, objectives, seeds): two trials each, the best again with so many seeds in folder/best."""

    def make(folder: Path, objectives: tuple[str, ...], seeds: int) -> list[Tuned]:
        shape = {"objectives": objectives, "datasets": FOUND[:1]}
        records = read_runs(make_sweep(folder / "search", seeds=1, **shape))
        make_sweep(folder / "best", seeds=seeds, recipes=("matched, best of 2",), **shape)
        settings = {"lr": 0.000123, "n_critic": 5, "critic_lr": 0.000456, "betas": [0.5, 0.999], "weight": 9.87654}
        trials = {r.objective: [Trial(settings, r, 0.123456), Trial({"lr": 1.0}, r, 2.0)] for r in records}
        return [Tuned(FOUND, o, KNOWN["w1"], 2, seeds, found) for o, found in trials.items()]

    return make


@pytest.mark.parametrize("objectives", [("minimax", "wgan-gp"), ("minimax", "x" * 70)])
def test_tuning_cuts_no_word_of_its_table_in_the_terminal(
    search: Search, tmp_path: Path, objectives: tuple[str, ...]
) -> None:
    tuned, shown = search(tmp_path, objectives, 3), io.StringIO()
    report_tuning(tmp_path, tuned, Console(file=shown, width=80))
    table = shown.getvalue()[: shown.getvalue().index("Budget: ")]
    assert max(map(len, table.splitlines())) <= 80
    blocks = make_blocks(read_runs(tmp_path / "best"))
    words = {word for one in tuned for cell in tuned_row(one, blocks)[1:] for word in cell.split()}
    assert "lr=1.23e−4," in words and words - set(table.split()) == set()


@pytest.mark.parametrize("seeds", [3, 6])
def test_tuning_says_what_intervals_of_few_fresh_seeds_are(search: Search, tmp_path: Path, seeds: int) -> None:
    tuned = search(tmp_path, ("a", "b"), seeds)
    blocks = make_blocks(read_runs(tmp_path / "best"))
    told = [note for note in tuning_notes(tuned, blocks) if "range" in note]
    assert [note[: note.index(",")] for note in told] == [f"With {seeds} seeds an interval is their range"]
    assert tuning_markdown(tuned, blocks).count("75 %, not 95 %") == (seeds == 3)
