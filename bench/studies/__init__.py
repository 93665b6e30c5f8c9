"""The documents' claims put to the test: one short file a study, one contract, one table of verdicts."""

from collections.abc import Sequence
from pathlib import Path

from . import execute
from .contract import SCALES, Criterion, NotAtThisScale, Outcome, Part, Quantity, Row, Scale, Setting, Size, Study
from .judge import Verdict, judge
from .table import verdict_table, write_tables
from .theory import THEORY

STUDIES: dict[str, Study] = {**THEORY}


def run_studies(
    ids: Sequence[str] | str = "all",
    scale: Scale = "quick",
    out: Path | str = Path("results/studies"),
    jobs: int = 1,
    *,
    seeds: int | None = None,
    force: bool = False,
) -> int:
    """Runs studies by id ("all" for every one) and prints their verdicts; see `execute.run_studies`.

    Returns:
        The exit status: 1 if a study raised, else 0, whatever the verdicts are.

    Raises:
        BadInput: for an unknown id or scale, or a folder that cannot be written.
    """
    chosen = execute.choose(ids, STUDIES)
    return execute.run_studies(chosen, scale, Path(out), jobs, seeds=seeds, force=force, catalogue=STUDIES)


__all__ = [
    "SCALES",
    "STUDIES",
    "Criterion",
    "NotAtThisScale",
    "Outcome",
    "Part",
    "Quantity",
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
