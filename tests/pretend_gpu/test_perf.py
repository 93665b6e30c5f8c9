"""The loops of the performance table on the pretended GPU: they do the same work."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.perf import iteration, ways
from lipbench.models import acceleration
from lipbench.models.acceleration import Compiled
from lipbench.models.mlp import mlp

MLP = iteration.CASES[1]
CASES = {
    "MLP": replace(MLP, networks=partial(mlp, width=4, depth=2), recipe=replace(MLP.recipe, batch=8, n_critic=2)),
    "CNN": replace(ways.sngan(2, channels=2, latent_dim=4), recipe=replace(MLP.recipe, batch=2, n_critic=1)),
}


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
    raw = iteration.raw_loop(case, ways.material(case.dataset, "cpu"), "cpu")
    for loop in (raw, *loops.values()):
        loop.run(2)
    expected = values(raw.generator, raw.critic)
    theirs = loops.pop("raw PyTorch loop")
    found = {"raw": values(theirs.generator, theirs.critic)}
    found |= {name: values(loop.iteration.generator, loop.iteration.critic) for name, loop in loops.items()}
    same = {name for name, x in found.items() if torch.equal(x, expected)}
    assert same == {"raw", ways.EAGER, "lipbench, eager, tf32", "lipbench, graph", "lipbench, graph, tf32"}
