"""Iterations as pretended CUDA graphs, recorded by the code that records real ones, compute what eager ones do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.models import Iteration
from lipbench.models.acceleration import TrainingLoop
from lipbench.objectives import BUILTINS, Batch, GradientPenalty, NonSaturating, Objective, SpectralNorm
from lipbench.objectives.capture_guard import CaptureGuard

MakeLoop = Callable[..., TrainingLoop]
State = Callable[[Iteration], Tensor]
CAPTURABLE = [name for name, cls in BUILTINS.items() if cls().capturable]
RECIPES: dict[str, dict[str, Any]] = {
    "adam": {"ema": 0.9, "generator_batch": 12, "critic_lr": 2e-2, "n_critic": 2},
    "rmsprop": {"optimizer": "rmsprop", "ema": 0.9},
    "bf16": {"precision": "bf16"},
    "tf32": {"precision": "tf32"},
}


class Scheduled(NonSaturating):
    """Follows the step by arithmetic alone, and draws."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.randn(x.shape, generator=batch.rng, device=x.device) / (1 + batch.step)


class Deciding(NonSaturating):
    """Claims to be capturable, and is not."""

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        return super().critic_loss(critic, batch) * (1 if batch.step < 2 else 2)


class Remembering(NonSaturating):
    """Replaces its state instead of changing it: a graph would read the old one for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.seen = self.seen + 1
        return super().critic_loss(critic, batch) * self.seen


@pytest.mark.parametrize("name", CAPTURABLE)
def test_graph_of_every_objective(gpu: Any, make_loop: MakeLoop, state_of: State, name: str) -> None:
    eager, graph = (make_loop(BUILTINS[name](), "cuda", accelerate=how) for how in ("none", "graph"))
    eager.run(3)
    graph.run(3)
    assert torch.equal(state_of(graph.iteration), state_of(eager.iteration))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("objective", [Scheduled, SpectralNorm, pytest.param(GradientPenalty, marks=pytest.mark.slow)])
def test_graph_with_every_recipe(
    gpu: Any, make_loop: MakeLoop, state_of: State, objective: type[Objective], recipe: str
) -> None:
    eager, graph = (make_loop(objective(), "cuda", accelerate=how, **RECIPES[recipe]) for how in ("none", "graph"))
    eager.run(4)
    graph.run(4)
    assert torch.equal(state_of(graph.iteration), state_of(eager.iteration))


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("rmsprop", marks=pytest.mark.slow)])
def test_graph_follows_a_rate_that_decays(gpu: Any, make_loop: MakeLoop, state_of: State, optimizer: str) -> None:
    """It reads the rate from a tensor in float32; eager has a double."""
    recipe: dict[str, Any] = {"optimizer": optimizer, "decay": "linear", "critic_lr": 2e-2}
    eager, graph = (make_loop(SpectralNorm(), "cuda", accelerate=how, **recipe) for how in ("none", "graph"))
    eager.run(8)
    graph.run(8)
    torch.testing.assert_close(state_of(graph.iteration), state_of(eager.iteration), rtol=1e-4, atol=1e-5)


def test_graph_is_replayed_without_a_wait(gpu: Any, make_loop: MakeLoop) -> None:
    loop = make_loop(SpectralNorm(), "cuda", accelerate="graph", decay="linear", ema=0.9)
    loop.run(1)
    with gpu:
        loop.run(3)
    assert loop.iteration.updates == 4


def test_graph_leaves_the_generators_last_gradients(gpu: Any, make_loop: MakeLoop) -> None:
    """Evaluations look at them."""
    eager, graph = (make_loop(SpectralNorm(), "cuda", accelerate=how) for how in ("none", "graph"))
    eager.run(3)
    graph.run(3)
    for a, b in zip(eager.iteration.generator.parameters(), graph.iteration.generator.parameters(), strict=True):
        assert a.grad is not None and b.grad is not None
        assert torch.equal(a.grad, b.grad)


def test_graph_of_an_objective_that_decides_is_refused_with_the_cause(gpu: Any, make_loop: MakeLoop) -> None:
    loop = make_loop(Deciding(), "cuda", accelerate="graph")
    with pytest.raises(RuntimeError, match="non-saturating cannot be captured: the host waits for the GPU: _local_sca"):
        loop.run(1)


def test_graph_is_refused_where_it_would_read_what_was_replaced(gpu: Any, make_loop: MakeLoop) -> None:
    loop = make_loop(Remembering(), "cuda", accelerate="graph")
    with pytest.raises(RuntimeError, match=r"objective\.seen is replaced by another tensor"):
        loop.run(1)


def test_graph_that_reads_what_was_replaced_differs(
    gpu: Any, make_loop: MakeLoop, state_of: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the comparisons above would show it."""
    monkeypatch.setattr(CaptureGuard, "moved_tensor", lambda self: None)
    eager, graph = (make_loop(Remembering(), "cuda", accelerate=how) for how in ("none", "graph"))
    eager.run(4)
    graph.run(4)
    assert not torch.equal(state_of(graph.iteration), state_of(eager.iteration))
