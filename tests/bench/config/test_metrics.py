"""Metrics and extractors of others in a suite: looked up, bound, labelled, hashed, and what is wrong with them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.config.metrics import bring, resolve_evaluation
from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite, make_suite
from lipbench.bench.data import load
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.run.context import RunContext
from lipbench.objectives import BadInput

PLUGIN = """
import torch
from torch import nn
from torchmetrics import Metric
import {imported}

class Gap(Metric):
    '''Of the means.'''
    higher_is_better = False

    def __init__(self, power: float = 1.0, *, root: bool = False):
        super().__init__()
        self.power = power
        self.add_state("sums", torch.zeros(2))

    def update(self, samples, real):
        self.sums[int(real)] += samples.mean() * len(samples)

    def compute(self):
        return (self.sums[0] - self.sums[1]).abs() ** self.power

class Net(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.layer = nn.LazyLinear(width)

    def forward(self, images):
        return self.layer(images.flatten(1))

class w1(Gap): pass
class step(Gap): pass
class fd(Gap): pass
class Named(Gap):
    def __init__(self, name: str = "x"): super().__init__()
class Broken(Gap):
    def __init__(self): raise OSError("no\\nweights")
def number(): return 3
three = 3
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(PLUGIN.format(imported="math"), encoding="utf-8")
    return path


def test_entries_have_all_settings_labels_hashes_and_targets(plugin: Path) -> None:
    asked = ["fd", {"name": "kid"}, "my.py:Gap", {"name": "my.py:Gap", "power": 2}]
    given = Evaluation(metrics=asked, extractor={"name": "my.py:Net", "width": 3})
    found = resolve_evaluation(given, plugin.parent, "here")
    plain = {"power": 1.0, "root": False}
    assert found.evaluation.metrics == [
        "fd",
        "kid",
        {"name": "Gap", **plain},
        {"name": "Gap(power=2)", **plain, "power": 2.0},
    ]
    assert found.evaluation.extractor == {"name": "Net(width=3)", "width": 3}
    assert found.evaluation.of_images == ("fd", "kid")
    targets = {key: target for key, (_, target) in found.plugged.items()}
    assert targets == {"metric Gap": "my.py:Gap", "metric Gap(power=2)": "my.py:Gap", "extractor": "my.py:Net"}
    assert all(source for source, _ in found.plugged.values())


def test_what_is_brought_is_made_as_it_was_recorded(plugin: Path) -> None:
    given = Evaluation(metrics=[{"name": "my.py:Gap", "power": 2}], extractor="my.py:Net")
    found = resolve_evaluation(given, plugin.parent, "here")
    sources = {key: source or "" for key, (source, _) in found.plugged.items()}
    targets = {key: target for key, (_, target) in found.plugged.items()}
    used = {key: sources[key] for key in found.used_on("points")}
    points = bring(found.evaluation, used, targets, load("8gaussians"), plugin.parent)
    images = bring(found.evaluation, sources, targets, load("digits"), plugin.parent)
    assert found.used_on("digits") == found.plugged and not found.used_on("pairs")
    assert [(m.label, m.settings) for m in points.metrics] == [("Gap(power=2)", {"power": 2.0, "root": False})]
    assert points.extractor is None
    assert (images.extractor.name, images.extractor.feature_dim) == ("Net", 4)
    again = bring(found.evaluation, sources, targets, load("digits"), plugin.parent)
    assert again.extractor.sha256 == images.extractor.sha256  # its weights are drawn from a seed
    plugin.write_text(plugin.read_text() + "\nmore = 1\n")
    with pytest.raises(BadInput, match=r"my.py:Gap: the file has changed since the sweep began"):
        bring(found.evaluation, sources, targets, load("digits"), plugin.parent)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("my.py:Gop", "my.py:Gop: no 'Gop' in there; found: .*Gap.*"),
        ("yours.py:Gap", "metric file not found: .*yours.py"),
        ("no.such:Gap", "metric 'no.such:Gap' cannot be imported: ModuleNotFoundError: .*"),
        ({"name": "my.py:Gap", "pover": 2}, r"Gap: unknown setting 'pover' \(did you mean 'power'\?\); .*"),
        ({"name": "my.py:Gap", "power": "x"}, "Gap: power='x': Input should be a valid number.*"),
        ("my.py:three", "my.py:three: must be a class, or a function"),
        ("my.py:number", "my.py:number: makes int: must be a torchmetrics.metric.Metric"),
        ("my.py:Net", "my.py:Net: makes Net: must be a torchmetrics.metric.Metric"),
        ("my.py:w1", r"my.py:w1: the name 'w1' is taken \(built in\); rename it"),
        ("my.py:step", r"my.py:step: the name 'step' is taken \(built in\); rename it"),
        ("my.py:fd", r"my.py:fd: the name 'fd' is taken \(built in\); rename it"),
        ("my.py:Named", "my.py:Named: a setting cannot be called 'name'"),
        ("my.py:Broken", "my.py:Broken: OSError: no.*weights"),
    ],
)
def test_metric_that_cannot_be_used_is_told_in_a_line(plugin: Path, entry: Any, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve_evaluation(Evaluation(metrics=[entry]), plugin.parent, "s.yaml: evaluation")
    assert re.fullmatch(f"s.yaml: evaluation.metrics: {line}", str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_metric_twice_and_extractor_that_is_none_are_told(plugin: Path) -> None:
    with pytest.raises(BadInput, match="Gap stands there more than once"):
        resolve_evaluation(Evaluation(metrics=["my.py:Gap", "my.py:Gap"]), plugin.parent, "here")
    with pytest.raises(BadInput, match=r"my.py:Gap: makes Gap: must be a torch.nn.modules.module.Module"):
        resolve_evaluation(Evaluation(extractor="my.py:Gap"), plugin.parent, "here")


def test_missing_dependency_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(PLUGIN.format(imported="no_such_package"), encoding="utf-8")
    with pytest.raises(
        BadInput, match=r"metric file .*my.py cannot be imported: ModuleNotFoundError: .*no_such_package"
    ):
        resolve_evaluation(Evaluation(metrics=["my.py:Gap"]), tmp_path, "here")


@pytest.mark.parametrize(
    ("evaluation", "line"),
    [
        (
            {"metrics": ["fd", "fid"]},
            r"evaluation.metrics: unknown metric 'fid' \(did you mean 'fd'\?\); known: class_accuracy, .*, fd, .*",
        ),
        ({"metrics": ["my.py"]}, "evaluation.metrics: metric 'my.py': give the name in it too, as in my.py:MyOwn"),
        ({"metrics": [{"power": 2}]}, "evaluation.metrics: an entry with settings needs a 'name': .*"),
        ({"metrics": [{"name": "fd", "power": 2}]}, "evaluation.metrics: fd: is built in and takes no settings"),
        ({"metrics": [3]}, r"'evaluation.metrics.0' is 3: input should be a valid string"),
        (
            {"extractor": "vgg"},
            "evaluation.extractor: unknown extractor 'vgg'; known: efficientnet-lite0, inception, .*",
        ),
    ],
)
def test_names_of_a_suite_are_checked_without_an_import(evaluation: dict[str, Any], line: str) -> None:
    content = {"name": "s", "objectives": ["wgan-gp"], "datasets": ["8gaussians"], "evaluation": evaluation}
    with pytest.raises(BadInput) as caught:
        make_suite(content, "s.yaml")
    assert re.fullmatch(f"s.yaml: {line}", str(caught.value)), str(caught.value)


def test_runs_are_told_apart_by_settings_and_source_and_not_by_place(
    plugin: Path, make_suite: Callable[..., Suite], context: RunContext
) -> None:
    def spec(*metrics: Any) -> RunSpec:
        evaluation = {"count": 1, "points": 50, "metrics": list(metrics)}
        return expand(make_suite(evaluation=evaluation), context)[0]

    plain, other, none = spec("my.py:Gap"), spec({"name": "my.py:Gap", "power": 2}), spec("fd")
    assert len({plain.id, other.id, none.id}) == 3
    (plugin.parent / "deeper").mkdir()
    (plugin.parent / "deeper" / "my.py").write_text(plugin.read_text())
    assert spec("deeper/my.py:Gap").id == plain.id
    plugin.write_text("# a comment\n" + plugin.read_text())
    assert spec("my.py:Gap").id == plain.id
    plugin.write_text(plugin.read_text().replace(".abs()", ".abs().sqrt()"))
    assert spec("my.py:Gap").id != plain.id and spec("fd").id == none.id
    assert plain.record()["targets"] == {"metric Gap": "my.py:Gap"} and plain.outside == ["my.py:Gap"]
