"""Records of studies: `<out>/<id>/{measurements.csv, study.json}`, complete or absent. No verdicts, no experiments."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ....objectives.errors import BadInput
from ...config.fingerprint import source_with_names, texts_in
from ...records.checksums import SUMS, first_altered
from ...records.store import RecordFolder, write_json, write_text
from .contract import Row, Size, Study

SCHEMA_VERSION = 1
MEASUREMENTS, DESCRIPTION = "measurements.csv", "study.json"


@dataclass(frozen=True)
class Record:
    """What study.json holds beside the measurements.

    Attributes:
        status: "completed", "failed" (`reason` is the traceback) or "skipped" (`reason` says why not at this scale).
        rows: how many measurements.csv must have; fewer means that it was cut.
        specification: settings, options at this scale and criteria, as data.
        resolved: see `Study.resolve`; {} also in older records, which do not say it.
        code: see `code_sha`.
        seconds: wall time of the experiment.
    """

    id: str
    scale: str
    status: Literal["completed", "failed", "skipped"]
    seeds: tuple[int, ...] = ()
    reason: str = ""
    rows: int = 0
    note: str = ""
    specification: Mapping[str, Any] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    schema_version: int = SCHEMA_VERSION


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as a table.

    Raises:
        ValueError: where a row says nan: in the table that stands for "does not apply", so a diverged run would vanish.
    """
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float | np.floating) and np.isnan(value):
                raise ValueError(
                    f"measurement '{name}' is nan: write inf, or leave the key out where it does not apply"
                )
    return pd.DataFrame(rows)


class StudyStore(RecordFolder):
    """The results folder of studies: each study's record under its id, as files of a report beside them.

    A complete record that another replaces moves to `superseded/<id>-<scale>`, `-2`, `-3`, …: none is lost.
    """

    def __init__(self, out: Path) -> None:
        super().__init__(out, out, (DESCRIPTION, MEASUREMENTS))

    def draft(self, study: str) -> Path:
        """An empty folder for a record under way."""
        shutil.rmtree(self.unfinished(study), ignore_errors=True)
        return self.partial(study)

    def complete(self, study: str) -> Record | None:
        """The study's record, if it can be read and says that it is complete."""
        try:
            record, _ = read(self.folder / study)
        except BadInput:
            return None
        return record if record.status == "completed" else None

    def publish(self, record: Record) -> None:
        """Puts the draft of this record in place of what was there."""
        before = self.complete(record.id)
        if before is not None:
            self.move_aside(record.id, self._unused(f"{record.id}-{before.scale}"))
        self.finish(record.id)

    def _unused(self, name: str) -> str:
        names = (name if number == 1 else f"{name}-{number}" for number in count(1))
        return next(name for name in names if not (self.superseded / name).exists())


def write(folder: Path, record: Record, measurements: pd.DataFrame) -> None:
    """Writes the two files of a record. Raises OSError."""
    write_text(folder / MEASUREMENTS, measurements.apply(_as_integers).to_csv(index=False))
    write_json(folder / DESCRIPTION, asdict(record))


def read(folder: Path) -> tuple[Record, pd.DataFrame]:
    """The record in this folder.

    Raises:
        BadInput: where a file is missing, cut, or of another schema.
    """
    _check_sums(folder)
    record = _read_description(folder / DESCRIPTION)
    try:
        table = pd.read_csv(folder / MEASUREMENTS, dtype=str, keep_default_na=False).apply(_parse_column)
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / MEASUREMENTS}: cannot be read ({error}); run the study again") from error
    if len(table) != record.rows:
        raise BadInput(
            f"{folder / MEASUREMENTS}: {len(table)} rows where {record.rows} were recorded; run the study again"
        )
    return record, table


def _check_sums(folder: Path) -> None:
    try:
        path = first_altered(folder, (DESCRIPTION, MEASUREMENTS))
    except OSError as error:
        raise BadInput(f"{folder}: cannot be read ({error.strerror or error}); run the study again") from error
    if path is not None:
        raise BadInput(f"{path}: not what was written, by its sum in {SUMS}; run the study again")


def _parse_column(column: pd.Series) -> pd.Series:
    # Python's float() is exact, pandas' parsers are not in every version. An empty cell means "does not apply".
    try:
        return pd.Series([float(cell) if cell else np.nan for cell in column], index=column.index)
    except ValueError:
        return column.where(column != "")


def _as_integers(column: pd.Series) -> pd.Series:
    # pandas makes integers floats where some are missing; the file says 0, not 0.0.
    if column.dtype != float or not np.isfinite(column.dropna()).all() or (column.dropna() % 1 != 0).any():
        return column
    return column.astype("Int64")


def _read_description(path: Path) -> Record:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["seeds"] = tuple(found["seeds"])
        known = {f.name for f in fields(Record)}
        record = Record(**{k: v for k, v in found.items() if k in known})
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(f"{path}: not a record of a study ({error}); run the study again") from error
    if record.schema_version != SCHEMA_VERSION:
        raise BadInput(f"{path}: schema_version {record.schema_version}, this lipbench reads {SCHEMA_VERSION}")
    return record


def specification(study: Study, size: Size) -> dict[str, Any]:
    """What was asked for, as data: the study's settings, its options at this scale, and the criteria."""
    return {
        "claim": study.claim,
        "document": study.document,
        "experiment": study.experiment,
        "settings": dict(study.settings),
        "options": dict(size.options),
        "criteria": [{**vars(criterion), "where": dict(criterion.where)} for criterion in study.criteria],
    }


def code_sha(study: Study) -> str:
    """A hash of the code that the study's measurements depend on: what `run` reaches, and what the study names.

    Criteria, tables and pictures are not reached, nor are other studies.
    """
    attribute = study.run.__qualname__.partition(".")[0]
    target = study.run.__module__ if attribute == "<lambda>" else f"{study.run.__module__}:{attribute}"
    options = [size.options for size in study.sizes.values() if isinstance(size, Size)]
    return source_with_names([target], texts_in([study.settings, *options]))
