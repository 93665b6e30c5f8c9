"""Runs studies, for the command line and for Python alike. Imports no torch before it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from ..studies.engine.contract import Scale


def run_studies(
    ids: Sequence[str] | str = "all",
    scale: Scale = "quick",
    out: str | Path = "results/stability",
    *,
    jobs: int | None = None,
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
    data: Path | None = None,
    device: str = "auto",
    weights: Path | None = None,
    download: bool = False,
    force: bool = False,
    console: Console | None = None,
) -> int:
    """Puts the documents' claims to the test as `lipbench study` does, and prints the table of verdicts.

    Args:
        ids: of the studies; "all" for every one.
        scale: smoke, quick or full.
        out: results folder.
        jobs: runs made at once; by default one per core, on a GPU one.
        seeds: number of seeds, in place of each study's own.
        options: in place of the studies' own at this scale; the table says which.
        data: folder of the data sets that are kept in files.
        device: of the image studies: auto, cpu, cuda or cuda:N.
        weights: file with Inception's weights.
        download: fetches what is missing of data sets and weights.
        force: runs again what is complete.
        console: gets the progress and the table.

    Returns:
        The exit status: 2 if a study cannot use what was asked for, 1 if one raised, else 0, whatever the verdicts are.

    Raises:
        BadInput: for an unknown id, scale or option, or a folder that cannot be written.
    """
    from ..run.hardware import find_devices, jobs_on
    from ..studies.catalog import STUDIES
    from ..studies.engine import runner
    from ..studies.engine.contract import Resources
    from ..studies.engine.job import StudyJob

    chosen, where = runner.choose(ids, STUDIES), device if device == "auto" else find_devices(device)[0]
    on_cpu, on_gpu = (jobs_on([kind], jobs) for kind in ("cpu", "cuda:0"))
    resources = Resources(on_cpu, on_gpu, where, data, weights and weights.absolute())
    job = StudyJob(scale, Path(out), seeds, options or {}, force, resources)
    if download:
        from ..sweep.downloads import fetch

        fetch(job.datasets(chosen), data, weights=weights)
    return runner.run_studies(chosen, job, STUDIES, console)
