"""The kit of data sets, and what a target is taken for: ours pass, each broken one fails its check alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lipbench.bench.conformance.data import CHECKS, check_dataset
from lipbench.bench.conformance.target import check_target, kind_of_target
from lipbench.bench.data import Dataset, load
from lipbench.bench.data.brought import as_dataset
from lipbench.objectives import BadInput


def draw(n: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def stream(n: int, rng: torch.Generator) -> Tensor:
    return torch.full((n, 2), torch.nan)


BROKEN: dict[str, Callable[[], Dataset]] = {
    "finite": lambda: Dataset("x", (2,), None, None, None, None, None, "x", stream=stream),
    "range": lambda: as_dataset("x", (1e4 * draw(40, 2), 1e4 * draw(20, 2, seed=1)), ""),
    "deterministic": lambda: as_dataset("x", (torch.randn(40, 2), torch.randn(20, 2)), ""),
    "train and held out disjoint": lambda: as_dataset("x", (draw(40, 2), draw(40, 2)[20:]), ""),
}


@pytest.mark.parametrize("name", ["8gaussians", "ring5", "digits"])
def test_our_data_pass(name: str) -> None:
    report = check_dataset(name, lambda: load(name))
    assert report.ok, str(report)


def test_every_check_has_a_broken_example() -> None:
    assert set(BROKEN) == {check.name for check in CHECKS}


@pytest.mark.parametrize("check", BROKEN)
def test_broken_data_fail_their_check_alone(check: str) -> None:
    report = check_dataset("broken", BROKEN[check])
    assert [result.check for result in report.failures] == [check], str(report)


def test_images_of_another_range_are_told() -> None:
    dark = check_dataset("dark", lambda: as_dataset("x", (draw(40, 1, 8, 8).sigmoid(), None), ""))
    levels = check_dataset("levels", lambda: as_dataset("x", ((draw(40, 1, 8, 8) > 0).to(torch.uint8), None), ""))
    assert [result.check for report in (dark, levels) for result in report.failures] == ["range", "range"]


def test_target_is_checked_by_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nfrom lipbench.models.mlp import MLPCritic\n"
        "from torchmetrics import Metric\n"
        "class Gap(Metric):\n    def update(self, samples, real): ...\n    def compute(self): return 0.0\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, width: int = 8): super().__init__()\n"
        "    def forward(self, images): return images.flatten(1)[:, :9]\n"
        "class Critic(MLPCritic):\n"
        "    def __init__(self, shape, width: int = 8):\n        super().__init__(shape, width=width, depth=1)\n"
        "def networks(shape): ...\n"
        "def data(n: int = 40):\n"
        "    rng = torch.Generator().manual_seed(0)\n    return torch.randn(n, 2, generator=rng), None\n"
    )
    kinds = {
        **{"wgan-gp": "objective", "dcgan": "architecture", "ring5": "dataset", "points:x.csv": "dataset"},
        **{f"{path}:Gap": "metric", f"{path}:Net": "extractor", "fd": "metric", "inception": "extractor"},
        **{f"{path}:Critic": "architecture", f"{path}:networks": "architecture", f"{path}:data": "dataset"},
    }
    assert {target: kind_of_target(target).name for target in kinds} == kinds
    assert check_target(f"{path}:Critic", {"generator": "mlp", "width": 6}).ok
    assert check_target(f"{path}:data", {"n": 30}).ok
    assert check_target(f"{path}:Net", {"width": 3}).ok
    assert [result.check for result in check_target(f"{path}:Gap", {}).failures] == ["all samples count"]
    for target, settings in (("fd", {}), ("mnist-cnn", {"width": 3}), (f"{path}:Net", {"depth": 3})):
        with pytest.raises(BadInput):
            check_target(target, settings)
