"""Reads what finished runs left on disk, strictly: a record that is damaged is named, never skipped or mended.

Nothing here computes a statistic, and nothing trains.
"""

import csv
import errno
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from ...objectives.errors import BadInput
from .checksums import SUMS, first_altered
from .schema import SCHEMA_VERSION, Measured, RunResult, Status
from .summary import tail_start

FILES = ("spec.json", "result.json", "history.csv", "samples.npz")  # of a record
WEIGHTS = ("checkpoint/generator.safetensors", "checkpoint/critic.safetensors")  # which it may lack
MADE_AGAIN = "a sweep moves it to superseded/ and makes that run again"
_Values = dict[str, float | list[float | None] | None]  # JSON has no NaN: null stands for it


class _SpecFields(BaseModel, strict=True):
    """What spec.json must hold."""

    run: str
    schema_version: int
    objective: str
    loss: str
    dataset: str
    architecture: str
    recipe: str
    seed: int
    steps: int


class _ResultFields(BaseModel, strict=True):
    """What result.json must hold; old ones lack what may be missing."""

    run: str
    status: Status
    reason: str | None
    diverged_at: int | None
    steps: int | None
    metrics: dict[str, dict[str, float | None]] | None
    floors: dict[str, Any] | None
    protocol: dict[str, Any] | None
    evaluation_noise: dict[str, _Values] | None = None
    bias: dict[str, _Values] | None = None


class Damaged(BadInput):
    """A record's content is not what was written; the run may be made again."""


@dataclass(frozen=True)
class RunRecord:
    """One finished run: spec.json as it is, result.json typed, history.csv as floats, and where its samples lie."""

    folder: Path
    spec: dict[str, Any]
    result: RunResult
    history: pd.DataFrame
    samples: Path | None

    @property
    def id(self) -> str:
        return self.spec["run"]

    @property
    def objective(self) -> str:
        return self.spec["objective"]

    @property
    def seed(self) -> int:
        return self.spec["seed"]

    @property
    def status(self) -> str:
        return self.result.outcome.status

    @property
    def measured(self) -> bool:
        """Whether the run trained and was evaluated: completed or diverged."""
        return self.status in ("completed", "diverged")

    @cached_property
    def courses(self) -> dict[str, np.ndarray]:
        """The columns of the history as arrays; many drawings ask for them."""
        columns = np.ascontiguousarray(self.history.to_numpy(dtype=float).T)
        return {str(name): column for name, column in zip(self.history.columns, columns, strict=True)}

    @property
    def block(self) -> tuple[str, str, str]:
        """(dataset, architecture, recipe): within a block, objectives are comparable."""
        return self.spec["dataset"], self.spec["architecture"], self.spec["recipe"]

    @property
    def measurements(self) -> Measured:
        """What was measured; without any metric where the run did not train."""
        return self.result.measured or Measured(steps=0, metrics={}, floors={}, protocol={})

    @property
    def diverged_at(self) -> int | None:
        return self.result.outcome.diverged_at

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return self.measurements.metrics

    @property
    def floors(self) -> dict[str, float]:
        return self.measurements.floors

    @property
    def evaluation_noise(self) -> dict[str, dict[str, Any]]:
        """Metric → values and sd of repeated evaluations of the last generator; {} where there were none."""
        return self.measurements.evaluation_noise or {}

    @property
    def bias(self) -> dict[str, dict[str, Any]]:
        """Metric → its values at several sample sizes, and the limit where a law is known; {} where there are none."""
        return self.measurements.bias or {}

    @property
    def tail_evaluations(self) -> int:
        """How many evaluations the tail mean is the mean of."""
        return int(np.sum(self.courses["step"] > tail_start(self.spec["steps"])))

    @property
    def protocol(self) -> dict[str, Any]:
        return self.measurements.protocol


def read_runs(folder: Path) -> list[RunRecord]:
    """All finished runs below folder/runs, ordered by block, objective and seed.

    A run without a result.json is still running or was interrupted, and is left out (see `unfinished`).
    Raises as `read_run`, and BadInput if there is no finished run at all.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"no such results folder: {folder}")
    records = [read_run(run) for run in _run_folders(folder) if (run / "result.json").exists()]
    if not records:
        raise BadInput(f"no finished run in {folder / 'runs'}")
    return sorted(records, key=lambda r: (r.block, r.objective, r.seed, r.id))


def unfinished(folder: Path) -> list[str]:
    """Names of the runs that were asked for, or have a specification, but have no result yet."""
    asked = read_suite(folder).get("runs", [])
    begun = [f.name for f in _run_folders(Path(folder)) if (f / "spec.json").exists()]
    names = dict.fromkeys([*map(str, asked if isinstance(asked, list) else []), *begun])
    return [name for name in names if not (Path(folder) / "runs" / name / "result.json").exists()]


def read_suite(folder: Path) -> dict[str, Any]:
    """The suite.json of a results folder; {} where there is none (records may be gathered by hand)."""
    path = Path(folder) / "suite.json"
    return _read_json(path, "delete it, or run the suite again, which writes it anew") if path.exists() else {}


def read_run(folder: Path) -> RunRecord:
    """The record of one finished run.

    Raises:
        Damaged: names the file that is.
        BadInput: for a file that cannot be read, and a record of another version; both may be sound.
    """
    check_sums(folder, FILES)
    spec, result = _read_json(folder / "spec.json"), _read_json(folder / "result.json")
    _check_version(folder / "spec.json", spec)
    _check_fields(folder / "spec.json", spec, _SpecFields)
    _check_fields(folder / "result.json", result, _ResultFields)
    if result["run"] != spec["run"]:
        raise _damaged(folder / "result.json", f"belongs to run {result['run']}, spec.json to run {spec['run']}")
    history = _read_history(folder / "history.csv", result)
    return RunRecord(folder, spec, RunResult.from_json(result), history, _check_samples(folder / "samples.npz"))


def check_sums(folder: Path, names: Sequence[str]) -> None:
    """Raises Damaged if one of the named files is no more what was written, BadInput if one cannot be read."""
    try:
        path = first_altered(folder, names)
    except OSError as error:
        raise _read_error(Path(error.filename or folder), error) from error
    if path is not None:
        raise _damaged(path, f"not what was written, by its sum in {SUMS}" if path.exists() else "file is missing")


def read_samples(path: Path, *names: str) -> dict[str, np.ndarray]:
    """The named arrays of a samples.npz that are there. Raises as `read_run`; unpickles nothing."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names if name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise _read_error(path, error) from error


def _run_folders(folder: Path) -> Iterator[Path]:
    """Run folders by name; hidden ones are somebody's temporary files."""
    return (f for f in sorted((folder / "runs").glob("*")) if f.is_dir() and not f.name.startswith("."))


def _damaged(path: Path, why: str, advice: str = MADE_AGAIN) -> Damaged:
    return Damaged(f"damaged record {path}: {' '.join(why.split())}; {advice}")


def _read_error(path: Path, error: Exception, advice: str = MADE_AGAIN) -> BadInput:
    """The error for an unreadable file: `Damaged` if its content is at fault, BadInput if disk or permission are."""
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.EINVAL):  # the latter: a bad zip's seek
        return BadInput(f"{path}: cannot be read: {error.strerror or error}")
    return _damaged(path, str(error), advice)


def _read_json(path: Path, advice: str = MADE_AGAIN) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _read_error(path, error, advice) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"not readable as JSON ({error})", advice) from error
    if not isinstance(content, dict):
        raise _damaged(path, "not a JSON object", advice)
    return content


def _check_version(path: Path, spec: dict[str, Any]) -> None:
    """Checked first: another version may have other fields."""
    version = spec.get("schema_version")
    if isinstance(version, int) and version != SCHEMA_VERSION:
        versions = f"schema_version {version}, this program reads {SCHEMA_VERSION}"
        raise BadInput(f"{path}: written by another version of lipbench: {versions}")


def _check_fields(path: Path, content: dict[str, Any], fields: type[BaseModel]) -> None:
    try:
        fields.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "missing":
            raise _damaged(path, f"'{problem['loc'][0]}' is missing") from error
        where = ".".join(map(str, problem["loc"]))
        raise _damaged(path, f"'{where}' is {problem['input']!r}: {problem['msg']}"[:200]) from error


def _read_history(path: Path, result: dict[str, Any]) -> pd.DataFrame:
    """One row per evaluation, float64 (empty cells NaN). Only runs that never trained may lack the file."""
    if not path.exists():
        if result["status"] in ("failed", "skipped"):
            return pd.DataFrame({"step": []})
        raise _damaged(path, "file is missing")
    history = _parse_history(path)
    if result["status"] == "completed" and (history.empty or history["step"].iloc[-1] != result["steps"]):
        raise _damaged(path, f"its last row is not the run's last step, {result['steps']}")
    return history


def _parse_history(path: Path) -> pd.DataFrame:
    """Stricter than pandas, which fills the missing end of a half-written row with NaN."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _read_error(path, error) from error
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise _damaged(path, str(error)) from error
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    if "step" not in header or len(set(header)) != len(header):
        raise _damaged(path, "its header has no (or a repeated) 'step' column")
    if not text.endswith("\n") or any(len(row) != len(header) for row in rows):
        raise _damaged(path, "a row is cut off")
    return pd.DataFrame(_floats(path, rows).reshape(len(rows), len(header)), columns=pd.Index(header))


def _floats(path: Path, rows: list[list[str]]) -> np.ndarray:
    try:
        return np.array([[value or "nan" for value in row] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _check_samples(path: Path) -> Path | None:
    """Reads the archive's table of contents, which is at its end: a file that is cut short has none."""
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise _read_error(path, error) from error
    if "fake.npy" not in names:
        raise _damaged(path, "it has no array 'fake'")
    return path
