"""runs.csv and summary.csv: their columns, their values, and that only times may differ between equal sweeps."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.table_writer import csv_text
from lipbench.bench.report.tables import COLUMNS, COSTS, STATISTICS, read_runs_table, runs_table, summary_of
from lipbench.objectives import BadInput

POINTS = ["w1", "modes", "high_quality", "mode_kl"]


def test_runs_table_has_the_promised_columns_in_order(sweep: Path) -> None:
    columns = list(runs_table(read_runs(sweep), read_suite(sweep)).columns)
    head = ["run", "schema_version", "objective", "loss", "dataset", "architecture", "recipe", "seed", "status"]
    assert columns[:12] == [*head, "reason", "diverged_at", "steps"]
    metrics = [f"{m}_{s}" for m in (*POINTS, "fd", "is") for s in ("best", "final", "tail_mean", "tail_sd")]
    assert columns[12 : 12 + len(metrics)] == metrics
    times = ["seconds", "seconds_per_iteration", "seconds_per_critic_step"]
    assert columns[-5:] == [*times, "peak_memory_mb", "training_memory_mb"]
    assert len(set(columns)) == len(columns)


def test_runs_table_holds_the_records_values(sweep: Path) -> None:
    records = {r.id: r for r in read_runs(sweep)}
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(csv_text(runs_table(list(records.values())))))}
    assert rows.keys() == records.keys()
    row = rows["wgan-gp-8gaussians-matched-2"]
    for name, value in records["wgan-gp-8gaussians-matched-2"].metrics["w1"].items():
        assert float(row[f"w1_{name}"]) == value
    assert (row["fd_best"], row["steps"], row["status"], row["reason"]) == ("", "3000", "completed", "")
    diverged = rows["minimax-8gaussians-matched-1"]
    assert (diverged["reason"], diverged["diverged_at"], diverged["w1_tail_mean"]) == ("nan", "1160", "")
    failed = rows["wgan-clip-8gaussians-matched-2"]
    assert (failed["reason"], failed["w1_final"]) == ("RuntimeError: out of memory", "")


def test_csv_writes_integers_whole_and_floats_exactly(sweep: Path) -> None:
    lines = csv_text(runs_table(read_runs(sweep))).splitlines()
    cells = dict(zip(lines[0].split(","), next(x for x in lines if ",diverged," in x).split(","), strict=True))
    assert (cells["seed"], cells["diverged_at"], cells["steps"]) == ("1", "1160", "1200")
    assert csv_text(pd.DataFrame({"x": [0.1 + 0.2, None]})) == 'x\n0.30000000000000004\n""\n'


def test_equal_sweeps_differ_in_times_alone(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    def slower(spec: dict[str, Any], result: dict[str, Any]) -> None:
        for i, cost in enumerate(COSTS):
            result[cost] *= 1.5 + i

    first = runs_table(read_runs(make_sweep(tmp_path / "a", datasets=("8gaussians",))))
    second = runs_table(read_runs(make_sweep(tmp_path / "b", datasets=("8gaussians",), change=slower)))
    assert csv_text(first) != csv_text(second)
    assert csv_text(first.drop(columns=list(COSTS))) == csv_text(second.drop(columns=list(COSTS)))


def _summary(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    rows = summary_of(make_blocks(read_runs(folder), read_suite(folder))).to_dict("records")
    return {(row["dataset"], row["objective"]): row for row in rows}  # pyright: ignore[reportReturnType]


def test_summary_of_blocks_is_the_median_of_the_tail_means(sweep: Path) -> None:
    runs = [r for r in read_runs(sweep) if r.block[0] == "8gaussians" and r.objective == "sn-gan"]
    row = _summary(sweep)["8gaussians", "sn-gan"]
    assert [row["w1_low"], row["w1_median"], row["w1_high"]] == sorted(r.metrics["w1"]["tail_mean"] for r in runs)
    assert row["w1_floor"] == pytest.approx(0.051, abs=0.0011)
    assert [row[key] for key in ("seeds", "completed", "diverged", "failed", "skipped")] == [3, 3, 0, 0, 0]
    assert np.isnan(row["fd_median"])


def test_summary_of_blocks_counts_failures_and_leaves_intervals_of_two_seeds_empty(sweep: Path) -> None:
    rows = _summary(sweep)
    clip, minimax = rows["8gaussians", "wgan-clip"], rows["8gaussians", "minimax"]
    assert (clip["completed"], clip["failed"]) == (2, 1)
    assert np.isfinite(clip["w1_median"]) and np.isnan(clip["w1_low"]) and np.isnan(clip["w1_high"])
    assert (minimax["completed"], minimax["diverged"]) == (2, 1) and np.isposinf(minimax["w1_high"])
    assert rows["mnist5k", "sn-gan"]["skipped"] == 1


def test_summary_of_blocks_has_the_promised_columns_in_order(sweep: Path) -> None:
    columns = list(summary_of(make_blocks(read_runs(sweep))).columns)
    assert columns[:5] == ["objective", "dataset", "architecture", "recipe", "seeds"]
    assert columns[5:9] == ["completed", "diverged", "failed", "skipped"]
    assert columns[9:14] == ["w1_median", "w1_low", "w1_high", "w1_floor", "modes_median"]


def test_runs_table_leaves_out_what_no_run_has_and_keeps_its_first_columns(
    make_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        result["training_memory_mb"] = result["metrics"]["critic_loss"]["best"] = None

    make_sweep(tmp_path, objectives=("a",), datasets=("8gaussians",), change=change)
    table = runs_table(read_runs(tmp_path))
    assert list(table.columns)[: len(COLUMNS)] == list(COLUMNS)
    assert {"critic_loss_best", "training_memory_mb"}.isdisjoint(table) and "critic_loss_final" in table
    assert [name for name in table if table[name].isna().all()] == ["reason", "diverged_at"]


def test_columns_of_the_runs_table_are_documented_with_their_types(sweep: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "table.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \| (\w+) \|", page, re.M))
    table = runs_table(read_runs(sweep))
    for name, kind in table.dtypes.items():
        statistic = next((s for s in STATISTICS if str(name).endswith(f"_{s}")), "")
        told = rows[str(name) if name in rows else f"METRIC_{statistic}"]
        assert told == {"string": "text", "Int64": "integer", "float64": "number"}[str(kind)], name


def test_runs_table_is_read_back_as_it_was_written(sweep: Path, tmp_path: Path) -> None:
    records = read_runs(sweep)
    (tmp_path / "runs.csv").write_text(csv_text(runs_table(records)))
    again = {record.id: record for record in read_runs_table(tmp_path)}
    assert again.keys() == {record.id for record in records}
    for record in records:
        other = again[record.id]
        assert (other.block, other.objective, other.seed) == (record.block, record.objective, record.seed)
        told = [(r.status, r.result.outcome.reason, r.diverged_at, r.metrics) for r in (record, other)]
        assert told[0] == told[1]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "run,seed\nx,many\n"])
def test_what_is_no_table_of_runs_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(BadInput, match=r"runs\.csv: not a table of runs: ") as error:
        read_runs_table(tmp_path)
    assert "\n" not in str(error.value)
