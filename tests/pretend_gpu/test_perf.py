"""The loops of the performance table on the pretended GPU: what they train, and that there is a row of each."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.perf import __main__ as perf
from lipbench.bench.perf import against, iteration, ways
from lipbench.models import acceleration
from lipbench.models.acceleration import Compiled
from lipbench.models.mlp import mlp

MLP = iteration.CASES[1]
CASES = {
    "MLP": replace(MLP, networks=partial(mlp, width=4, depth=2), recipe=replace(MLP.recipe, batch=8, n_critic=2)),
    "CNN": replace(ways.sngan(2, channels=2, latent_dim=4), recipe=replace(MLP.recipe, batch=2, n_critic=1)),
}
THEIRS = """
from torch import nn

class Generator32(nn.Sequential):
    def __init__(self, z):
        super().__init__(nn.Linear(z, 3072), nn.Tanh(), nn.Unflatten(1, (3, 32, 32)))

class Discriminator32(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(3072, 1)), nn.Flatten(0))
"""
LOSS = """
from torch import nn

class Hinge(nn.Module):
    def forward(self, real, fake=None):
        return -real.mean() if fake is None else (nn.functional.relu(1 - real) + nn.functional.relu(1 + fake)).mean()
"""


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler leaves the traced graph as it is."""
    monkeypatch.setattr(acceleration, "Compiled", lambda iteration: Compiled(iteration, lambda graph, inputs: graph))


def values(*networks: nn.Module) -> Tensor:
    return torch.cat([x.detach().cpu().double().flatten() for n in networks for x in n.state_dict().values()])


@pytest.mark.parametrize("name", ["MLP", pytest.param("CNN", marks=pytest.mark.slow)])
def test_ways_of_a_gpu_do_the_work_of_the_raw_loop(gpu: Any, uncompiled: None, name: str) -> None:
    """In full precision without compiling bit for bit, and on the CPU too."""
    case = CASES[name]
    loops: dict[str, Any] = {**ways.loops_of(case, "cuda:0")}
    raw = ways.raw_loop(case, ways.material(case.dataset, "cpu"), "cpu")
    for loop in (raw, *loops.values()):
        loop.run(2)
    expected = values(raw.generator, raw.critic)
    theirs = loops.pop("raw PyTorch loop")
    found = {"raw": values(theirs.generator, theirs.critic)}
    found |= {name: values(loop.iteration.generator, loop.iteration.critic) for name, loop in loops.items()}
    same = {name for name, x in found.items() if torch.equal(x, expected)}
    assert same == {"raw", ways.EAGER, "lipbench, eager, tf32", "lipbench, graph", "lipbench, graph, tf32"}


@pytest.mark.slow
def test_perf_has_a_row_of_every_way(gpu: Any, uncompiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "sngan", partial(ways.sngan, channels=2))
    monkeypatch.setattr(ways, "interleave", lambda loops, size, repeats, device: once(loops, device))
    wanted = perf.Wanted(3, True, ("speed",), "cuda", 2, [])
    perf.check(wanted)
    rows = list(perf.measure(wanted))
    assert {row.measured for row in rows} >= {way.name for way in ways.ON_GPU}
    assert {row.part.partition(":")[0] for row in rows} == {"speed on cuda"}


def once(loops: Mapping[str, ways.Loop], device: str) -> dict[str, ways.Turns]:
    found = {name: ways.timed(lambda loop=loop: loop.run(1), device) for name, loop in loops.items()}
    return {name: ways.Turns(memory, [1 / seconds] * 3) for name, (seconds, memory) in found.items()}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the names of pytorch-gan-collections hold, small."""
    (tmp_path / "source" / "models").mkdir(parents=True)
    (tmp_path / "source" / "models" / "sngan.py").write_text(THEIRS)
    (tmp_path / "source" / "losses.py").write_text(LOSS)
    return tmp_path


def test_against_trains_a_clone_there(gpu: Any, clone: Path) -> None:
    project = against.find(clone)
    case = project.case(4)
    theirs = project.make(clone, case, ways.material(case.dataset, "cuda:0"), "cuda:0")
    theirs.run(2)
    lies = [*theirs.generator.parameters(), *theirs.critic.parameters(), *theirs.critic.buffers()]
    assert {x.device.type for x in lies} == {"cuda"}
    assert values(theirs.generator).isfinite().all()
