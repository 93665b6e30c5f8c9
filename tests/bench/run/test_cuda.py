"""On a real GPU: a run that was stopped goes on bit for bit, and an evaluation says what the CPU's does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lipbench.bench.data import load
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.evaluation import Quality
from lipbench.models import repeatable_float32

pytestmark = pytest.mark.gpu
DEVICE = "cuda:0"
IMAGES: dict[str, Any] = {
    "datasets": ["digits"],
    "objectives": ["sn-gan"],
    "architectures": [{"name": "dcgan", "channels": 4}],
}
RUNS: dict[str, dict[str, Any]] = {
    "points": {},
    "points, graph": {"accelerate": "graph"},
    "images": IMAGES,
    "images, graph": IMAGES | {"accelerate": "graph"},
}


@pytest.mark.parametrize("kind", RUNS)
def test_run_on_a_gpu_goes_on_from_its_checkpoint_bit_for_bit(
    make_run: Callable[..., RunRecord], careful: RunContext, interrupt_at: Callable[[int], Any], kind: str
) -> None:
    there = replace(careful, device=DEVICE)
    with interrupt_at(3), pytest.raises(KeyboardInterrupt):
        make_run(there, **RUNS[kind])
    stopped = make_run(there, **RUNS[kind])
    assert stopped.status in ("completed", "diverged") and stopped.result.cost.attempts == 2
    undisturbed = RunContext(careful.folder.parent / "undisturbed", DEVICE, checkpoint_seconds=1e9)
    whole = make_run(undisturbed, **RUNS[kind])
    for name in ("generator", "critic"):
        first, second = (load_file(r.folder / "checkpoint" / f"{name}.safetensors") for r in (stopped, whole))
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert stopped.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


@pytest.mark.parametrize(
    ("dataset", "settings", "metrics"),
    [
        ("8gaussians", {"points": 100, "mode_points": 500}, ("modes", "high_quality", "mode_kl", "modes_any")),
        ("digits", {"images": 500, "split": "train", "metrics": ["fd", "is"]}, ("fd", "is")),
    ],
)
def test_evaluation_on_a_gpu_is_near_the_cpus(dataset: str, settings: dict[str, Any], metrics: tuple[str, ...]) -> None:
    """Of the same samples; metrics that draw real ones are left out, since a GPU draws others."""
    rng = torch.Generator().manual_seed(0)
    fake = load(dataset).sample(500, rng)
    fake = (fake + 0.01 * torch.randn(fake.shape, generator=rng)).clamp(-2, 2)
    found = []
    for device in ("cpu", DEVICE):
        with repeatable_float32(), torch.no_grad():
            quality = Quality(load(dataset).to(device), Evaluation(**settings), torch.Generator(device).manual_seed(0))
            measured = quality.measure(fake[: quality.n_fake].to(device))
        found.append({name: float(measured[name]) for name in metrics})
    assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-4)
