"""A user's own points: `points:FILE?columns=a,b&standardise=true&held_out=.2`, from .npy, .npz, .csv or .parquet."""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...objectives.errors import BadInput, message_of, unknown
from .brought import as_dataset
from .dataset import Dataset
from .files import POINTS_PREFIX, base_for, nothing_at, parse_options

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".npy", ".npz", ".csv", ".parquet")
OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "columns": (lambda text: _columns(text), "names of columns (of arrays their numbers, from 0), e.g. columns=a,b"),
    "standardise": (lambda text: {"true": True, "false": False}[text], "true or false"),
    "held_out": (lambda text: _share(text), "the share of the rows that is not trained on, above 0 and below 1"),
    "array": (str, "the name of an array in the .npz"),
}
LEAST = 10  # rows
SPLIT_SEED = 0  # the same rows are held out in every run
COPIES = 4  # of a file's bytes that are in memory while it is read


def points_file(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> Dataset:
    """The rows of a table as points in R^d, some of them held out by a fixed draw; float32.

    `standardise` takes each column's mean and standard deviation, over the rows to train on, to 0 and 1.
    An .npz with arrays `train` and `test` is split by them. Raises BadInput for what cannot be used, with row (from 1)
    and column.
    """
    where, options = located(name, data_dir, suite_folder), parse(name)[1]
    try:
        tables, columns = _arrays(where, options)
        parts = _split(tables, options["held_out"])
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error
    except (OSError, ValueError, MemoryError, KeyError) as error:
        raise BadInput(f"{name}: {where} cannot be read ({message_of(error, 200)})") from error
    about = f"points in {where}: {len(parts[0])} to train on, {len(parts[1])} held out"
    if options["standardise"]:
        mean, sd = parts[0].mean(axis=0), parts[0].std(axis=0)
        if not (sd > 0).all():
            raise BadInput(f"{name}: column {int(np.argmin(sd > 0)) + 1} has one value alone: it has no scale")
        parts, about = [(part - mean) / sd for part in parts], f"{about}; each column standardised"
    train, test = (torch.from_numpy(part.astype(np.float32)) for part in parts)
    return replace(as_dataset(name, (train, test), about), columns=columns)


def located(name: str, data_dir: Path | None, suite_folder: Path | None) -> Path:
    """The file. Raises BadInput where there is none, or one that is too big."""
    path, _ = parse(name)
    where = base_for(path, data_dir, suite_folder) / path
    if not where.is_file():
        raise nothing_at(name, "file", path, data_dir, suite_folder)
    _check_size(name, where)
    return where


def content_of(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> str | None:
    """A hash of the file; None where there is none. Raises BadInput for one that is too big, before it is read."""
    path, _ = parse(name)
    where = base_for(path, data_dir, suite_folder) / path
    if not where.is_file():
        return None
    _check_size(name, where)
    with where.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def parse(name: str) -> tuple[Path, dict[str, Any]]:
    """Path and options from `points:FILE?columns=…&standardise=…&held_out=…`. Raises BadInput."""
    path, _, query = name.removeprefix(POINTS_PREFIX).partition("?")
    if not path.endswith(ENDINGS):
        raise BadInput(f"{name}: must name a file that ends in {', '.join(ENDINGS)}, e.g. points:data.csv")
    defaults = {"columns": None, "standardise": False, "held_out": 0.2, "array": None}
    return Path(path), defaults | parse_options(name, query, OPTIONS)


def _arrays(where: Path, options: dict[str, Any]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """One table [N, d], or two: to train on, and held out. And the columns' names, if they have some."""
    if where.suffix in (".csv", ".parquet"):
        frame = _frame(where, options["columns"])
        return [frame.to_numpy(float)], tuple(map(str, frame))
    loaded: Any = np.load(where, allow_pickle=False)
    with loaded if where.suffix == ".npz" else nullcontext({"array": loaded}) as found:
        names = ["train", "test"] if {"train", "test"} <= set(found) else list(found)
        if options["array"]:
            names = [options["array"]]
        if any(name not in found for name in names):
            raise unknown("array", names[0], list(found))
        if len(names) != 1 and names != ["train", "test"]:
            raise BadInput(
                f"{where} holds {', '.join(names)}: name one, as array={names[0]}, or call two train and test"
            )
        wanted = options["columns"]
        return [_table(found[name], wanted, f"{name}: " if len(names) == 2 else "") for name in names], ()


def _frame(where: Path, columns: Sequence[str] | None) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_csv(where) if where.suffix == ".csv" else pd.read_parquet(where)
    except ImportError as error:
        raise BadInput("a .parquet file needs pyarrow: pip install pyarrow, or save it as .csv") from error
    if where.suffix == ".csv":
        _check_first_line(where, [str(column) for column in frame.columns], columns)
    for column in columns or ():
        if column not in frame:
            raise unknown("column", column, [str(c) for c in frame.columns])
    frame = frame[list(columns)] if columns else frame
    for column in frame:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        _check_column(numbers.to_numpy(float), f"column '{column}'", frame[column].tolist())
    return frame


def _check_first_line(where: Path, names: Sequence[str], columns: Sequence[str] | None) -> None:
    """What would be taken for names is no row of numbers, and no column without a name comes in unasked."""
    if all(_is_number(name) for name in names):
        raise BadInput(f"the first line of {where} is numbers: it must name the columns")
    nameless = [i + 1 for i, name in enumerate(names) if name == f"Unnamed: {i}"]
    if nameless and columns is None:
        wanted = ",".join(name for name in names if not name.startswith("Unnamed: "))
        told = f"column {nameless[0]} has no name, as an index has none"
        raise BadInput(f"{told}: give it one, or say what is wanted, as columns={wanted}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(array: np.ndarray, columns: Sequence[str] | None, where: str) -> np.ndarray:
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise BadInput(
            f"{where}an array of shape {array.shape} and type {array.dtype}: must be numbers [rows, columns]"
        )
    chosen = range(array.shape[1]) if columns is None else [int(c) if c.isdigit() else -1 for c in columns]
    for name, column in zip(columns or (), chosen, strict=False):
        if not 0 <= column < array.shape[1]:
            raise BadInput(f"{where}columns={name}: must be 0 to {array.shape[1] - 1}")
    array = array[:, list(chosen)].astype(float)
    for number, values in zip(chosen, array.T, strict=True):
        _check_column(values, f"{where}column {number}", values.tolist())
    return array


def _check_column(values: np.ndarray, column: str, shown: Sequence[object]) -> None:
    """Finite numbers that float32 holds."""
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(values.astype(np.float32)))
    if len(bad):
        more = f", and {len(bad) - 1} rows more" if len(bad) > 1 else ""
        raise BadInput(f"row {bad[0] + 1}, {column}: {shown[bad[0]]!r}: must be a finite number{more}")


def _split(tables: list[np.ndarray], share: float) -> list[np.ndarray]:
    rows = sum(len(table) for table in tables)
    if rows < LEAST:
        raise BadInput(f"{rows} rows: must be {LEAST} or more")
    if len(tables) == 2:
        return tables
    order = np.random.default_rng(SPLIT_SEED).permutation(rows)
    held_out = max(1, round(rows * share))
    return [tables[0][np.sort(order[held_out:])], tables[0][np.sort(order[:held_out])]]


def _columns(text: str) -> list[str]:
    names = text.split(",")
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(text)
    return names


def _share(text: str) -> float:
    if not 0 < float(text) < 1:
        raise ValueError(text)
    return float(text)


def _check_size(name: str, where: Path) -> None:
    memory, size = _free_memory(), where.stat().st_size
    if COPIES * size > memory:
        raise BadInput(f"{name}: {size / 1e9:.1f} GB in {where}: too big for {memory / 1e9:.1f} GB of free memory")


def _free_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
