"""Two folders side by side: pairing by seed, differences against numpy, identical runs, and protocols that differ."""

import io
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from rich.console import Console

from lipbench.bench.cli import main
from lipbench.bench.report import report
from lipbench.bench.report.compare import compare_folders, compare_markdown, compare_notes, compare_table
from lipbench.bench.report.folder_comparison import pair_folders
from lipbench.objectives import BadInput

Make = Callable[..., Path]
FIRST, SECOND = {0: 0.5, 1: 0.9, 2: 0.4, 3: 1.0}, {0: 0.3, 1: 1.0, 2: 0.35, 3: 0.4}


def _set(values: dict[int, float], **spec_changes: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        spec.update(spec_changes)
        if "w1" in result["metrics"]:
            result["metrics"]["w1"]["tail_mean"] = values[spec["seed"]]

    return change


@pytest.fixture
def two(make_sweep: Make, tmp_path: Path) -> tuple[Path, Path]:
    """Objective a with four seeds in both folders, b in the first and c in the second only."""
    first = make_sweep(tmp_path / "old", objectives=("a", "b"), datasets=("8gaussians",), seeds=4, change=_set(FIRST))
    second = make_sweep(tmp_path / "new", objectives=("a", "c"), datasets=("8gaussians",), seeds=4, change=_set(SECOND))
    return first, second


def test_compare_pairs_by_seed_and_is_positive_where_the_second_is_better(two: tuple[Path, Path]) -> None:
    table = compare_table(pair_folders(*two))
    assert set(table["objective"]) == {"a"}
    (row,) = table[table["metric"] == "w1"].to_dict("records")
    differences = np.array([FIRST[s] - SECOND[s] for s in range(4)])
    assert row["difference_median"] == pytest.approx(np.median(differences), rel=1e-12)
    assert row["first_median"] == pytest.approx(0.7) and row["second_median"] == pytest.approx(0.375)
    assert (row["second_wins"], row["shared_seeds"]) == (3, 4)
    assert row["difference_low"] < row["difference_median"] < row["difference_high"]
    # two-sided sign test of 3 in 4: 2·(C(4,3) + C(4,4))/2^4
    assert row["sign_p"] == pytest.approx(10 / 16, rel=1e-12)


def test_compare_names_and_counts_what_one_folder_has_alone(two: tuple[Path, Path]) -> None:
    found = pair_folders(*two)
    assert [len(runs) for runs in found.only] == [4, 4] and found.shared == 4
    lines = compare_notes(found, most=2)
    block = "8gaussians · mlp-3x128 · matched"
    assert (
        f"Only in old: 4 run(s): b on {block} seed 0 (completed), b on {block} seed 1 (completed), and 2 more." in lines
    )
    assert any(line.startswith("Only in new: 4 run(s): c on") for line in lines)


def test_compare_says_what_intervals_of_few_seeds_are(make_sweep: Make, tmp_path: Path) -> None:
    for name, seeds in (("four", 4), ("six", 6), ("seven", 7)):
        make_sweep(tmp_path / name, objectives=("a",), datasets=("8gaussians",), seeds=seeds)
    found = compare_notes(pair_folders(tmp_path / "four", tmp_path / "six"))
    assert [line[line.rindex(" of ") :] for line in found if "range" in line] == [" of 87.5 %, not 95 %."]
    more = compare_notes(pair_folders(tmp_path / "six", tmp_path / "seven"))
    assert [line[line.rindex(" of ") :] for line in more if "range" in line] == [" of 96.9 %."]


def test_compare_says_which_runs_are_identical(make_sweep: Make, tmp_path: Path) -> None:
    two = [make_sweep(tmp_path / n, objectives=("a",), datasets=("8gaussians",), seeds=4) for n in ("old", "new")]
    path = two[1] / "runs" / "a-8gaussians-matched-2" / "history.csv"
    lines = path.read_text().splitlines()
    head, cells = lines[0].split(","), lines[5].split(",")
    cells[head.index("seconds")] = "77.5"
    path.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]) + "\n")
    assert pair_folders(*two).identical == 4
    cells[head.index("critic_loss")] = repr(math.nextafter(float(cells[head.index("critic_loss")]), 9.0))
    path.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]) + "\n")
    found = pair_folders(*two)
    assert found.identical == 3
    assert compare_notes(found)[0] == "4 run(s) are in both folders; 3 of them identical, in every number but times."


def test_compare_leaves_times_out_of_what_is_identical(make_sweep: Make, tmp_path: Path) -> None:
    def reached(steps: float, seconds: float) -> Callable[[dict[str, Any], dict[str, Any]], None]:
        def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
            for name, value in (("steps_to_90", steps), ("seconds_to_90", seconds)):
                result["metrics"][name] = dict.fromkeys(("best", "final", "tail_mean"), value)

        return change

    for name, steps, seconds in (("old", 40, 1.5), ("later", 40, 1.25), ("other", 41, 1.5)):
        what = reached(steps, seconds)
        make_sweep(tmp_path / name, objectives=("a",), datasets=("8gaussians",), seeds=2, change=what)
    assert pair_folders(tmp_path / "old", tmp_path / "later").identical == 2
    assert pair_folders(tmp_path / "old", tmp_path / "other").identical == 0


def test_compare_does_not_call_runs_identical_whose_metrics_differ(two: tuple[Path, Path]) -> None:
    assert pair_folders(*two).identical == 0


def test_compare_of_a_folder_with_itself_finds_no_difference(sweep: Path) -> None:
    found = pair_folders(sweep, sweep)
    assert found.shared == found.identical == 24 and found.only == ([], [])
    table = compare_table(found)
    assert (table["difference_median"] == 0).all() and (table["sign_p"] == 1).all()
    assert "all of them identical" in compare_notes(found)[0]


@pytest.mark.parametrize("key", ["w1", "count"])
def test_compare_refuses_two_protocols_in_one_line_that_names_the_entry(
    make_sweep: Make, tmp_path: Path, key: str
) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        if key == "count":
            spec["evaluation"] = {"count": 7}
        else:
            result["protocol"]["w1"] = result["protocol"]["w1"] | {"n_fake": 2000}

    def base(spec: dict[str, Any], result: dict[str, Any]) -> None:
        spec["evaluation"] = {"count": 20}

    first = make_sweep(tmp_path / "old", objectives=("a",), datasets=("8gaussians",), change=base)
    second = make_sweep(tmp_path / "new", objectives=("a",), datasets=("8gaussians",), change=change)
    entry = {
        "w1": r"metric 'w1' on 8gaussians differs in n_fake \(1000, 2000\)",
        "count": r"8gaussians · mlp-3x128 · matched differs in evaluation\.count \(20, 7\)",
    }[key]
    with pytest.raises(BadInput, match=f"^old and new do not share one protocol: {entry}; no comparison is made$"):
        pair_folders(first, second)


def test_compare_tells_settings_that_differ_under_one_name_and_codes(make_sweep: Make, tmp_path: Path) -> None:
    first = make_sweep(tmp_path / "old", objectives=("a",), datasets=("8gaussians",), seeds=2, change=_set(FIRST))
    second = make_sweep(
        tmp_path / "new",
        objectives=("a",),
        datasets=("8gaussians",),
        seeds=2,
        change=_set(SECOND, code="fedcba", recipe_spec={"lr": 5e-4, "batch": 64}),
    )
    lines = compare_notes(pair_folders(first, second))
    assert "a on 8gaussians · mlp-3x128 · matched is not the same in both: batch (256, 64)." in lines
    assert "Code: 0123456789ab in old, fedcba in new." in lines
    assert any(line.startswith("No interval where fewer than 3 seeds are shared") for line in lines)


def test_compare_command_writes_both_files_and_prints_both_medians(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(two[0]), str(two[1]), "--out", str(tmp_path / "both")])
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and "0.700 [" in printed and "0.375 [" in printed and "3 of 4" in printed
    table = pd.read_csv(tmp_path / "both" / "compare.csv")
    assert len(table) == 4 and set(table["metric"]) == {"w1", "modes", "high_quality", "mode_kl"}
    text = (tmp_path / "both" / "compare.md").read_text()
    assert "# old and new" in text and "new better by" in text and text.count("seed ") == 8


@pytest.mark.parametrize("name", ["old", "a-results-folder-of-yesterday's"])
def test_compare_cuts_no_number_of_its_tables_in_the_terminal(make_sweep: Make, tmp_path: Path, name: str) -> None:
    statuses = {("minimax", "8gaussians", 1): "diverged"}
    first, second = make_sweep(tmp_path / name, statuses=statuses), make_sweep(tmp_path / "new", seeds=4)
    shown = io.StringIO()
    found = compare_folders(first, second, None, Console(file=shown, width=80))
    tables = shown.getvalue()[: shown.getvalue().index("24 run(s)")]
    assert max(map(len, tables.splitlines())) <= 80
    words, rows = (
        set(tables.split()),
        [re.split(r"(?<!\\)\|", line)[4:] for line in compare_markdown(found).splitlines()],
    )
    numbers = [word for row in rows for cell in row for word in cell.split() if any(map(str.isdigit, word))]
    assert len(numbers) > 200 and [number for number in numbers if number not in words] == []
    assert {"minimax", "wgan-clip", "diverged", "won"} <= words


def test_compare_escapes_names_and_prints_failures(make_sweep: Make, tmp_path: Path) -> None:
    statuses = {("a[b]|c", "8gaussians", 1): "failed"}
    first = make_sweep(tmp_path / "x_y", objectives=("a[b]|c",), datasets=("8gaussians",), seeds=2)
    second = make_sweep(tmp_path / "z", objectives=("a[b]|c",), datasets=("8gaussians",), seeds=2, statuses=statuses)
    shown = io.StringIO()
    found = compare_folders(first, second, None, Console(file=shown, width=200))
    assert "a[b]|c" in shown.getvalue() and "2/2 ok | 1/2 ok, 1 failed" in shown.getvalue()
    text = compare_markdown(found)
    assert r"a\[b\]\|c" in text and r"# x\_y and z" in text and r"2/2 ok \| 1/2 ok" in text
    assert found.identical == 1


@pytest.mark.parametrize("alone", [0, 1])
def test_compare_takes_a_folder_of_tables_and_says_what_they_do_not_tell(
    make_sweep: Make, tmp_path: Path, alone: int
) -> None:
    folders = [make_sweep(tmp_path / name, objectives=("a", "b"), seeds=4) for name in ("old", "new")]
    whole = compare_table(pair_folders(*folders))
    report(folders[alone])
    shutil.rmtree(folders[alone] / "runs")
    found = pair_folders(*folders)
    assert_frame_equal(compare_table(found), whole, check_exact=True)
    assert found.shared == found.identical == 16 and all(not group.settings for group in found.groups)
    (told,) = [line for line in compare_notes(found) if "tables alone" in line]
    assert told.startswith(folders[alone].name) and not any(line.startswith("Code:") for line in compare_notes(found))
    assert "FD(mnist-cnn)" in compare_markdown(found)
