"""The documents' claims put to the test: one short file a study, one contract, one table of verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .catalog import STUDIES
from .engine import runner
from .engine.contract import (
    SCALES,
    Criterion,
    Measure,
    NotAtThisScale,
    Outcome,
    Part,
    Resources,
    Row,
    Scale,
    Setting,
    Size,
    Study,
)
from .engine.job import StudyJob
from .engine.judge import Verdict, judge
from .engine.table import verdict_table, write_tables


def run_studies(
    ids: Sequence[str] | str = "all",
    scale: Scale = "quick",
    out: Path | str = Path("results/studies"),
    jobs: int = 1,
    *,
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    device: str = "auto",
    data: Path | None = None,
    weights: Path | None = None,
) -> int:
    """Runs studies by id ("all" for every one) and prints their verdicts; see `engine.job.StudyJob`.

    Returns:
        The exit status: 1 if a study raised, else 0, whatever the verdicts are.

    Raises:
        BadInput: for an unknown id or scale, or a folder that cannot be written.
    """
    resources = Resources(jobs, device=device, data=data, weights=weights)
    job = StudyJob(scale, Path(out), seeds, options or {}, force, resources)
    return runner.run_studies(runner.choose(ids, STUDIES), job, STUDIES)


__all__ = [
    "SCALES",
    "STUDIES",
    "Criterion",
    "Measure",
    "NotAtThisScale",
    "Outcome",
    "Part",
    "Resources",
    "Row",
    "Scale",
    "Setting",
    "Size",
    "Study",
    "Verdict",
    "judge",
    "run_studies",
    "verdict_table",
    "write_tables",
]
