"""The printed summaries: what they show, what is bold, and that nothing of a record is taken for markup."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import Block, make_blocks
from lipbench.bench.report.summary_text import latex, markdown, print_memory, print_summary, summary_table

NASTY = "my.py:A$b$&<x>|*_[red]%"


@pytest.fixture(scope="module")
def blocks(sweep: Path) -> list[Block]:
    return make_blocks(read_runs(sweep), read_suite(sweep))


@pytest.fixture(scope="module")
def nasty(make_sweep: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Block]:
    folder = make_sweep(tmp_path_factory.mktemp("nasty"), objectives=("wgan-gp", NASTY), datasets=("8gaussians",))
    return make_blocks(read_runs(folder), read_suite(folder))


def _terminal(blocks: list[Block], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_summary(blocks, [], console)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_markdown_has_a_table_per_block_with_failures_floors_and_the_best_bold(blocks: list[Block]) -> None:
    text = markdown(blocks, ["unfinished-run"])
    assert text.count("## ") == 2 and "## 8gaussians · mlp-3x128 · matched" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count(" | ") for line in rows[:7]} == {5} and {line.count(" | ") for line in rows[7:]} == {3}
    assert re.search(r"^\| minimax \| 2/3 ok, 1 diverged \(nan\) \| 0\.\d+ \[0\.\d+, ∞\]", text, re.M)
    assert re.search(r"^\| wgan-gp \| 3/3 ok \| \*\*0\.0\d+ \[.*\]\*\* \| \*\*8 \[8, 8\]\*\*", text, re.M)
    assert re.search(r"^\| floor \|  \| 0\.05\d+ \| – \| – \| – \|$", text, re.M)
    made = sum(len(block.runs) for block in blocks)
    assert f"- 1 of {made + 1} runs are missing, and not in the tables: unfinished-run." in text


def test_latex_is_booktabs_with_balanced_braces(blocks: list[Block]) -> None:
    text = latex(blocks)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}", r"\end{tabular}", r"\caption{"):
        assert text.count(rule) == 2
    assert r"\textbf{8 [8, 8]}" in text and r"W1 $\downarrow$" in text and r"$\infty$" in text
    assert text.count("{") == text.count("}")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [line.count(" & ") for line in body] == [5] * 6 + [3] * 6


@pytest.mark.parametrize("seeds", [5, 6])
def test_latex_says_in_the_caption_what_an_interval_of_few_seeds_is(
    make_sweep: Callable[..., Path], tmp_path: Path, seeds: int
) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=seeds)
    (caption,) = re.findall(r"^\\caption\{(.*)\}$", latex(make_blocks(read_runs(tmp_path))), re.M)
    told = r"their range, which holds the median of all possible seeds with a probability of"
    share = {5: r"93.8 \%, not 95 \%", 6: r"96.9 \%"}[seeds]
    assert caption.endswith(rf"[interval]. With {seeds} seeds an interval is {told} {share}.")


def test_labels_are_escaped_everywhere(nasty: list[Block]) -> None:
    assert r"my.py:A$b$&\<x\>\|\*\_\[red\]%" in markdown(nasty)
    assert r"my.py:A\$b\$\&\textless{}x\textgreater{}|*\_[red]\%" in latex(nasty)
    assert NASTY in _terminal(nasty, 160)


def test_notes_are_escaped_in_markdown(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    def change(_: dict[str, Any], result: dict[str, Any]) -> None:
        result["evaluation_noise"] = {"w1": {"values": [1.0, 2.0], "sd": 0.5}}

    make_sweep(tmp_path, objectives=("a",), datasets=("8gaussians_<b>_*",), seeds=1, change=change)
    (note,) = re.findall(r"^- Noise of .*", markdown(make_blocks(read_runs(tmp_path))), re.M)
    assert note.endswith(r"W1 0.50 on 8gaussians\_\<b\>\_\*.")


def test_latex_protects_a_label_that_begins_with_a_bracket(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("[a]", "b"), datasets=("8gaussians",), seeds=1)
    assert "\n{[}a] & 1/1 ok" in latex(make_blocks(read_runs(tmp_path)))


@pytest.mark.parametrize("width", [160, 115, 80])
def test_terminal_shows_whole_labels_and_every_outcome_at_any_width(blocks: list[Block], width: int) -> None:
    text = _terminal(blocks, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for label in ("minimax", "wgan-clip", "wgan-gp", "sn-gan", "floor", "diverged", "failed", "skipped"):
        assert label in text
    assert "…" not in text


@pytest.mark.parametrize("width", [160, 115, 80])
def test_terminal_keeps_intervals_on_the_line_and_stars_the_best(blocks: list[Block], width: int) -> None:
    text = _terminal(blocks, width)
    assert re.search(r"wgan-gp +3/3 ok +0\.0\d+ \[0\.0\d+, 0\.0\d+\] \*", text)
    assert re.search(r"wgan-gp .* 8 \[8, 8\] \*", text)


def test_memory_is_the_most_that_a_run_took(sweep: Path) -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    records = read_runs(sweep)
    print_memory(records, console)
    most = max(run.result.cost.peak_memory_mb or 0 for run in records)
    assert console.file.getvalue() == f"A run took up to {most:,.0f} MB of memory.\n"  # pyright: ignore[reportAttributeAccessIssue]
    print_memory([], console)
    assert console.file.getvalue().count("\n") == 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("width", [50, 51, 60, 80, 120])
def test_terminal_cuts_no_word_and_leaves_no_metric_out(sweep: Path, width: int) -> None:
    blocks = make_blocks(read_runs(sweep), read_suite(sweep))
    text = _terminal(blocks, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = set(text.split())
    for block in blocks:
        for row in summary_table(block).rows:
            missing = {word for text in row for word in text.split() if word not in words}
            assert not missing, (width, missing)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_terminal_folds_a_long_label_and_keeps_every_number_whole(
    make_sweep: Callable[..., Path], tmp_path: Path, width: int
) -> None:
    label = "x" * 70
    make_sweep(tmp_path, objectives=(label, "minimax"), statuses={("minimax", "8gaussians", 0): "diverged"})
    blocks = make_blocks(read_runs(tmp_path))
    text = _terminal(blocks, width)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.split())
    assert not [
        w for b in blocks for row in summary_table(b).rows for t in row[1:] for w in t.split() if w not in words
    ]
    assert "x" * (width // 3) in words
    assert label in _terminal(blocks, 250)  # whole where there is room
