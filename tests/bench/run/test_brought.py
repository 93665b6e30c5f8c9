"""A run with somebody's metric: what its record holds of it, and that nothing else in it changes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lipbench.bench.records.reader import RunRecord
from lipbench.bench.report.blocks import make_blocks

METRIC = """
import torch
from torchmetrics import Metric

class Spread(Metric):
    '''Mean distance from the mean; draws random numbers, which is nobody else's business.'''
    higher_is_better = True

    def __init__(self, factor: float = 1.0):
        super().__init__()
        self.factor = factor
        self.add_state("fake", [])

    def update(self, samples, real):
        if not real:
            self.fake.append(samples)

    def compute(self):
        torch.rand(3)
        x = torch.cat(self.fake)
        return {"mean": self.factor * (x - x.mean(0)).norm(dim=1).mean(), "n": float(len(x))}
"""
EVALUATION = {"count": 6, "points": 50, "mode_points": 100, "images": 100}


@pytest.fixture
def measured(make_run: Callable[..., RunRecord], tmp_path: Path) -> Callable[..., RunRecord]:
    (tmp_path / "my.py").write_text(METRIC, encoding="utf-8")
    metrics = ["fd", {"name": "my.py:Spread", "factor": 2}]
    return lambda **more: make_run(evaluation=EVALUATION | {"metrics": metrics}, **more)


def test_record_has_floor_noise_best_and_direction(measured: Callable[..., RunRecord]) -> None:
    record = measured(steps=12)
    key, count = "Spread(factor=2).mean", "Spread(factor=2).n"
    course = record.courses[key]
    assert record.metrics[key]["best"] == course.max()
    assert record.metrics[key]["final"] == course[-1]
    assert record.metrics[key]["tail_mean"] == pytest.approx(course[record.courses["step"] > 9.6].mean())
    assert set(record.courses[count]) == {50.0}
    assert record.floors[key] > 1 and len(record.evaluation_noise[key]["values"]) == 3
    told = {
        "label": key,
        "n_fake": 50,
        "n_real": 50,
        "split": "stream",
        "settings": {"factor": 2.0},
        "better": "higher",
    }
    assert {name: value for name, value in record.protocol[key].items() if name != "source"} == told
    shown = {q.key: q for block in make_blocks([record]) for q in block.quality}
    assert (shown[key].heading, shown[key].worst) == (f"{key} ↑", -np.inf)
    said = "Mean distance from the mean; draws random numbers, which is nobody else's business."
    assert shown[key].meaning == shown[count].meaning == said


def test_other_columns_are_as_without_it(
    make_run: Callable[..., RunRecord], measured: Callable[..., RunRecord]
) -> None:
    """Also on images, where the metric stands alone or beside fd."""
    for more in ({}, {"datasets": ["digits"]}):
        plain, beside = make_run(evaluation=EVALUATION | {"metrics": ["fd"]}, **more), measured(**more)
        assert set(beside.courses) - set(plain.courses) == {"Spread(factor=2).mean", "Spread(factor=2).n"}
        for name, course in plain.courses.items():
            assert name == "seconds" or np.array_equal(course, beside.courses[name], equal_nan=True), name


def test_metric_alone_leaves_the_extractor_out(make_run: Callable[..., RunRecord], tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(METRIC, encoding="utf-8")
    record = make_run(evaluation=EVALUATION | {"metrics": ["my.py:Spread"]}, datasets=["digits"])
    assert {key for key in record.protocol} == {"Spread.mean", "Spread.n"}
