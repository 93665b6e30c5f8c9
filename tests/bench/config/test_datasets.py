"""Data that somebody's function returns: how they are called, described, checked, and what is wrong with them."""

import re
from pathlib import Path

import pytest

from lipbench.bench.config.datasets import describe, load_dataset, same_content
from lipbench.bench.config.entry_points import check_dataset
from lipbench.bench.run.context import RunContext
from lipbench.objectives import BadInput

DATA = """
import numpy as np
import torch
from torch.utils.data import TensorDataset
from lipbench.bench.data import Dataset, Mixture

def draw(n, *shape):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n))

def points(n: int = 40, *, far: float = 1.0):
    '''Points of mine.'''
    return far * draw(n, 3), far * draw(20, 3)

def arrays():
    return draw(40, 1).numpy(), None, np.arange(40) % 2

def images():
    return (draw(30, 1, 8, 8) > 0).to(torch.uint8) * 255, (draw(20, 1, 8, 8) > 0).to(torch.uint8) * 255

def torches():
    return TensorDataset(draw(30, 2), torch.arange(30) % 3), TensorDataset(draw(20, 2))

def modes():
    return Dataset("x", (2,), None, None, None, Mixture(torch.eye(2), 0.1), None, "mine")

def holed():
    x = draw(40, 3)
    x[4, 1] = float("nan")
    return x, draw(20, 3)

def bright(): return draw(40, 1, 8, 8) * 9, None
def wide(): return draw(40, 3, 8, 16), None
def few(): return draw(40, 2), draw(3, 2)
def other(): return draw(40, 2), draw(20, 3)
def mixed(): return draw(40, 2), draw(20, 2), torch.ones(3)
def text(): return "a", "b"
def number(): return 3
def broken(): raise KeyError("no\\ndata")
def ring5(): return points()
three = 3
"""


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    (tmp_path / "my.py").write_text(DATA, encoding="utf-8")
    return RunContext(tmp_path / "out", suite_folder=tmp_path)


def test_data_of_a_function_take_settings_behind_a_question_mark(context: RunContext) -> None:
    data = load_dataset("my.py:points?n=30&far=2", context)
    assert data.train is not None and data.test is not None
    assert (data.shape, len(data.train), len(data.test), data.source) == ((3,), 30, 20, "Points of mine.")
    assert data.train.std() > 1.5
    assert data.name == "my.py:points?n=30&far=2"


def test_data_may_be_arrays_images_torch_data_sets_or_know_their_modes(context: RunContext) -> None:
    arrays = load_dataset("my.py:arrays", context)
    assert (arrays.shape, arrays.test, arrays.held_out_from) == ((1,), None, "train")
    assert arrays.labels is not None and arrays.labels.tolist()[:3] == [0, 1, 0]
    images = load_dataset("my.py:images", context)
    assert (images.shape, images.extractor, images.is_images) == ((1, 8, 8), "mnist-cnn", True)
    torches = load_dataset("my.py:torches", context)
    assert torches.labels is not None and (torches.shape, torches.labels.tolist()[:4]) == ((2,), [0, 1, 2, 0])
    modes = load_dataset("my.py:modes", context)
    assert modes.mixture is not None and modes.held_out_from == "stream"


def test_data_are_described_by_kind_content_and_source(context: RunContext) -> None:
    points, again, more = (describe(f"my.py:points{q}", context) for q in ("", "", "?n=41"))
    assert points == again
    assert points.kind == "points"
    assert points.content != more.content
    assert points.source == more.source is not None
    assert describe("my.py:images", context).kind == "digits"
    assert describe("8gaussians", context).source is None
    assert same_content("my.py:points", load_dataset("my.py:points", context), points.content, context)
    assert not same_content("my.py:points", load_dataset("my.py:points?n=41", context), points.content, context)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("my.py:point", "my.py:point: no 'point' in there; found: draw, points, .*"),
        ("yours.py:points", "dataset file not found: .*yours.py"),
        ("my.py:points?m=3", ".*: unknown setting 'm'; known: far, n"),
        ("my.py:points?n=x", ".*: n='x': Input should be a valid integer.*"),
        ("my.py:three", "my.py:three: not a function that returns samples"),
        ("my.py:ring5", r"my.py:ring5: the name 'ring5' is taken \(built in\); rename it"),
        ("my.py:holed", "my.py:holed: train: row 5, column 2 is not finite"),
        ("my.py:bright", r".*: train: images up to .* in size: must be uint8, or float in \[-1, 1\]"),
        ("my.py:wide", r".*: train: images \(3, 8, 16\): must be \(1 or 3, S, S\)"),
        ("my.py:few", ".*: held out: 3 samples: must be 8 or more"),
        ("my.py:other", ".*: samples of train and held out differ: .*"),
        ("my.py:mixed", ".*: labels of shape .*: must be whole numbers, one for each in train"),
        ("my.py:text", ".*: train: str: must be a tensor, an array or a torch data set"),
        ("my.py:number", ".*: int: must be .train, held out. or .*"),
        ("my.py:broken", ".*: KeyError: .*no.*data.*"),
        ("8gausians", r"unknown dataset '8gausians' \(did you mean '8gaussians'\?\); .*"),
    ],
)
def test_data_that_cannot_be_used_are_told_in_a_line(context: RunContext, name: str, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_dataset(name)
        load_dataset(name, context)
    assert re.fullmatch(line, str(caught.value))
    assert "\n" not in str(caught.value)
