"""Metrics, extractors, networks and data of installed packages: names that clash, and names that nobody has."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipbench.bench.cli import main
from lipbench.bench.config.entry_points import KINDS, installed

MODULE = """
import torch
from torch import nn
from torchmetrics import Metric

class Gap(Metric):
    higher_is_better = False
    def update(self, samples, real): ...
    def compute(self): return 1.0

class Net(nn.Module):
    def forward(self, images): return images.flatten(1)

def networks(shape): ...
def points(): ...
"""
OF_KIND = {"metric": "Gap", "extractor": "Net", "architecture": "networks", "dataset": "points"}
BUILT_IN = {"metric": "fd", "extractor": "inception", "architecture": "mlp", "dataset": "8gaussians"}
Tell = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Installs a package with one entry point: its name, the kind, and what that goes by."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "somebodys_parts.py").write_text(MODULE, encoding="utf-8")

    def package(name: str, kind: str, called: str) -> None:
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        points = f"[{KINDS[kind].group}]\n{called} = somebodys_parts:{OF_KIND[kind]}\n"
        (folder / "entry_points.txt").write_text(points, encoding="utf-8")
        installed.cache_clear()

    yield package
    installed.cache_clear()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """The one line with which a command ends that cannot be done."""

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        printed = capsys.readouterr()
        assert (left.value.code, printed.out) == (2, ""), printed.out + printed.err
        (line,) = printed.err.splitlines()
        return line

    return call


def asking(kind: str, name: str) -> str:
    """The path of a suite that names it."""
    content: dict[str, Any] = {"objectives": ["sn-gan"], "datasets": ["digits"], "architectures": ["mlp"]}
    named = {"dataset": {"datasets": [name]}, "architecture": {"architectures": [name]}}
    named |= {"metric": {"evaluation": {"metrics": [name]}}, "extractor": {"evaluation": {"extractor": name}}}
    content |= named[kind]
    Path("suite.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return "suite.yaml"


@pytest.mark.parametrize("kind", OF_KIND)
def test_two_packages_with_one_name_are_told_by_every_command(
    kind: str, install: Callable[..., None], tell: Tell
) -> None:
    install("first", kind, "mine")
    install("second", kind, "mine")
    for command in (("check", "mine"), ("run", asking(kind, "mine")), ("list", f"{kind}s")):
        told = tell(*command)
        assert f"two {kind}s are called 'mine': from the package " in told and "; uninstall one" in told
        assert "the package first" in told and "the package second" in told


@pytest.mark.parametrize("kind", OF_KIND)
def test_package_with_the_name_of_a_built_in_is_told_by_every_command(
    kind: str, install: Callable[..., None], tell: Tell
) -> None:
    name = BUILT_IN[kind]
    install("first", kind, name)
    line = f"two {kind}s are called '{name}': built in, and from the package first; uninstall one"
    for command in (("check", name), ("run", asking(kind, name)), ("list", f"{kind}s")):
        assert line in tell(*command)


def test_metric_with_the_name_of_a_column_is_told(install: Callable[..., None], tell: Tell) -> None:
    install("first", "metric", "w1")
    for command in (("check", "w1"), ("run", asking("metric", "w1"))):
        assert "the name 'w1' is taken (built in)" in tell(*command)


@pytest.mark.parametrize("kind", OF_KIND)
def test_name_that_nobody_has_is_told_with_the_closest(kind: str, install: Callable[..., None], tell: Tell) -> None:
    install("first", kind, "thing-of-theirs")
    line = f"unknown {kind} 'thing-of-their' (did you mean 'thing-of-theirs'?); known: "
    for command in (("check", "thing-of-their"), ("run", asking(kind, "thing-of-their"))):
        told = tell(*command)
        assert line in told and BUILT_IN[kind] in told.partition("; known: ")[2]


@pytest.mark.parametrize("kind", OF_KIND)
def test_name_of_a_package_is_listed_with_it(
    kind: str, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("first", kind, "thing-of-theirs")
    with pytest.raises(SystemExit) as left:
        main(["list", f"{kind}s"])
    assert left.value.code == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "thing-of-theirs" in line]
    assert "from the package first" in row


def test_kind_that_there_is_none_of_is_told_with_all_kinds(tell: Tell) -> None:
    told = tell("list", "metric")
    assert all(f"'{kind}s'" in told for kind in KINDS)
