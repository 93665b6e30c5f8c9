"""The whole report of a folder: every file, the same again, and a clear line where it cannot be made."""

import io
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from rich.console import Console

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report import report
from lipbench.bench.report.blocks import make_blocks, objective_order
from lipbench.bench.report.curves import styles
from lipbench.bench.report.plots import draw_plots
from lipbench.objectives import BadInput

TABLES = ["runs.csv", "summary.csv", "summary.md", "summary.tex", "report.html"]


@pytest.fixture
def folder(sweep: Path, tmp_path: Path) -> Path:
    return copytree(sweep, tmp_path / "sweep")


def test_report_writes_every_file_and_leaves_no_temporary_one(folder: Path) -> None:
    console = Console(file=io.StringIO(), width=160)
    report(folder, console=console)
    assert "wgan-gp" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert sorted(p.name for p in folder.iterdir()) == sorted([*TABLES, "plots", "runs", "suite.json"])
    kinds = ("quality", "stability", "samples", "weights", "singular-values")
    expected = {f"{d}-{kind}.png" for d in ("8gaussians", "mnist5k") for kind in kinds}
    assert {p.name for p in (folder / "plots").iterdir()} == expected
    assert (folder / "report.html").stat().st_size < 3_000_000


def test_report_twice_writes_the_same(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "sweep", objectives=("wgan-gp",), datasets=("8gaussians",), seeds=1)

    def written() -> dict[str, bytes]:
        report(folder)
        plots = [f"plots/{path.name}" for path in (folder / "plots").iterdir()]
        return {name: (folder / name).read_bytes() for name in [*TABLES, *plots]}

    first = written()
    assert len(first) > len(TABLES) and written() == first


def test_report_of_a_damaged_record_names_it_and_writes_nothing(folder: Path) -> None:
    path = folder / "runs" / "sn-gan-8gaussians-matched-1" / "history.csv"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadInput, match=r"sn-gan-8gaussians-matched-1/history.csv: a row is cut off"):
        report(folder)
    assert not any((folder / name).exists() for name in TABLES)


def test_report_into_a_place_that_cannot_be_written_says_so(folder: Path) -> None:
    (folder / "runs.csv").mkdir()
    with pytest.raises(BadInput, match=r"runs\.csv: cannot be written: ") as error:
        report(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("form", "head"), [("pdf", b"%PDF-"), ("svg", b"<?xml")])
def test_plots_come_in_forms_for_papers(folder: Path, form: str, head: bytes) -> None:
    blocks = make_blocks(read_runs(folder), read_suite(folder))[:1]
    looks = styles(objective_order(read_runs(folder)))
    drawn = dict(draw_plots(blocks, looks, form))
    assert f"8gaussians-quality.{form}" in drawn and all(content.startswith(head) for content in drawn.values())
