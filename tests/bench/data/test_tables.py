"""A user's own points from a file: what is read, held out and scaled, and what is wrong with a file in one line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lipbench.bench.data.catalog import check_name, kind_of, load, user_content
from lipbench.objectives import BadInput

ROWS = np.random.default_rng(0).normal(loc=(3.0, -1.0, 0.0), scale=(2.0, 0.5, 7.0), size=(50, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pd.DataFrame(ROWS, columns=["a", "b", "c"]).to_csv(tmp_path / "x.csv", index=False)
    np.save(tmp_path / "x.npy", ROWS)
    np.save(tmp_path / "flat.npy", ROWS[:, 0])
    np.savez(tmp_path / "x.npz", train=ROWS[:40], test=ROWS[40:], other=ROWS)
    np.savez(tmp_path / "two.npz", here=ROWS, there=ROWS)
    return tmp_path


def test_points_of_every_kind_of_file_are_the_same(folder: Path) -> None:
    csv, array = (load(f"points:x.{ending}", folder) for ending in ("csv", "npy"))
    assert csv.train is not None and array.train is not None and csv.test is not None
    assert torch.allclose(csv.train, array.train)
    assert (csv.shape, csv.train.dtype, len(csv.train), len(csv.test), csv.mixture) == (
        (3,),
        torch.float32,
        40,
        10,
        None,
    )
    assert load("points:flat.npy", folder).shape == (1,)
    split = load("points:x.npz", folder)
    assert split.train is not None and np.allclose(split.train.numpy(), ROWS[:40])
    assert load("points:two.npz?array=there", folder).shape == (3,)


def test_points_held_out_are_fixed_and_none_of_those_trained_on(folder: Path) -> None:
    first, again = (load("points:x.csv?held_out=.3", folder) for _ in range(2))
    assert first.train is not None and first.test is not None and again.test is not None
    assert torch.equal(first.test, again.test)
    together = torch.cat([first.train, first.test])
    assert len(first.test) == 15
    assert np.allclose(np.sort(together.numpy(), axis=0), np.sort(ROWS.astype(np.float32), axis=0))


def test_points_may_be_some_columns_and_standardised(folder: Path) -> None:
    some = load("points:x.csv?columns=c,a", folder)
    assert some.train is not None and some.test is not None
    everything = torch.cat([some.train, some.test]).numpy()
    assert np.allclose(np.sort(everything, axis=0), np.sort(ROWS[:, [2, 0]], axis=0), rtol=1e-5)
    data = load("points:x.npy?columns=1,2&standardise=true", folder)
    assert data.train is not None and data.test is not None
    assert torch.allclose(data.train.mean(dim=0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(data.train.std(dim=0, correction=0), torch.ones(2), atol=1e-5)
    assert not torch.allclose(data.test.mean(dim=0), torch.zeros(2), atol=1e-5)


def test_points_are_another_content_when_the_file_changes(folder: Path) -> None:
    before = user_content("points:x.npy", folder)
    assert before == user_content("points:x.npy?columns=1", folder) is not None
    np.save(folder / "x.npy", ROWS + 1)
    assert user_content("points:x.npy", folder) != before
    assert user_content("points:absent.npy", folder) is None
    assert kind_of("points:x.npy") == "points"


def test_points_are_looked_for_beside_the_suite(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert load("points:x.csv", tmp_path_factory.mktemp("data"), folder).shape == (3,)


def test_points_have_the_names_of_their_columns(folder: Path) -> None:
    assert load("points:x.csv?columns=c,a", folder).columns == ("c", "a")
    assert load("points:x.npy", folder).columns == ()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"header": False, "index": False}, "the first line of .*bad.csv is numbers: it must name the columns"),
        ({}, "column 1 has no name, as an index has none: give it one, or .* wanted, as columns=a,b,c"),
    ],
)
def test_points_without_a_line_of_names_or_with_an_index_are_told(
    folder: Path, options: dict[str, Any], line: str
) -> None:
    pd.read_csv(folder / "x.csv").to_csv(folder / "bad.csv", **options)
    with pytest.raises(BadInput) as caught:
        load("points:bad.csv", folder)
    assert re.fullmatch(f"points:bad.csv: {line}", str(caught.value))
    if not options:
        assert load("points:bad.csv?columns=a,c", folder).shape == (2,)


def edited(folder: Path, row: int, column: int, value: str) -> None:
    frame = pd.read_csv(folder / "x.csv").astype(object)
    frame.iloc[row, column] = value
    frame.to_csv(folder / "x.csv", index=False)


@pytest.mark.parametrize(
    ("row", "column", "value", "line"),
    [
        (6, 1, "", r"row 7, column 'b': nan: must be a finite number"),
        (2, 0, "red", r"row 3, column 'a': 'red': must be a finite number"),
        (0, 2, "1e60", r"row 1, column 'c': 1e\+60: must be a finite number"),
        (4, 2, "inf", r"row 5, column 'c': inf: must be a finite number"),
    ],
)
def test_points_that_are_no_numbers_are_told_with_row_and_column(
    folder: Path, row: int, column: int, value: str, line: str
) -> None:
    edited(folder, row, column, value)
    with pytest.raises(BadInput) as caught:
        load("points:x.csv", folder)
    assert re.fullmatch(f"points:x.csv: {line}", str(caught.value))
    others = ",".join(name for name in "abc" if name != "abc"[column])
    assert load(f"points:x.csv?columns={others}", folder).shape == (2,)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("points:", "points:: must name a file that ends in .npy, .npz, .csv, .parquet, e.g. points:data.csv"),
        ("points:x.txt", "points:x.txt: must name a file that ends in .*"),
        ("points:absent.csv", "points:absent.csv: there is no file .*absent.csv"),
        ("points:x.csv?column=a", r".*: unknown option 'column' \(did you mean 'columns'\?\); known: .*"),
        ("points:x.csv?columns=a,d", ".*: unknown column 'd'; known: a, b, c"),
        ("points:x.csv?columns=a,a", ".*: columns=a,a: must be names of columns .*"),
        ("points:x.npy?columns=3", ".*: columns=3: must be 0 to 2"),
        ("points:x.npy?columns=a", ".*: columns=a: must be 0 to 2"),
        ("points:x.csv?standardise=yes", ".*: standardise=yes: must be true or false"),
        ("points:x.csv?held_out=1", ".*: held_out=1: must be the share .*"),
        ("points:x.csv?held_out=.1", ".*: held out: 5 samples: must be 8 or more"),
        ("points:two.npz", ".*: .*two.npz holds here, there: name one, as array=here, or call two train and test"),
        ("points:two.npz?array=her", r".*: unknown array 'her' \(did you mean 'here'\?\); known: here, there"),
    ],
)
def test_points_that_cannot_be_read_are_told_in_a_line(folder: Path, name: str, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_name(name)
        load(name, folder)
    assert re.fullmatch(line, str(caught.value))


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (ROWS[:1], "1 rows: must be 10 or more"),
        (np.ones((50, 2)), "train: all samples are the same"),
        (np.ones((4, 4, 4)), r"an array of shape \(4, 4, 4\) and type float64: must be numbers \[rows, columns\]"),
        (np.array(["a", "b"]), "an array of shape .* must be numbers .*"),
        (np.array([object()]), ".*bad.npy cannot be read .*"),
    ],
)
def test_points_in_an_array_that_cannot_be_used_are_told(folder: Path, array: Any, line: str) -> None:
    np.save(folder / "bad.npy", array, allow_pickle=True)
    with pytest.raises(BadInput) as caught:
        load("points:bad.npy", folder)
    assert re.fullmatch(f"points:bad.npy: {line}", str(caught.value))


def test_points_with_a_constant_column_have_no_scale(folder: Path) -> None:
    np.save(folder / "bad.npy", np.column_stack([ROWS[:, 0], np.ones(50)]))
    assert load("points:bad.npy", folder).shape == (2,)
    with pytest.raises(BadInput, match="column 2 has one value alone: it has no scale"):
        load("points:bad.npy?standardise=true", folder)
