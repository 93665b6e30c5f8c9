"""Iterations as pretended CUDA graphs, recorded by the code that records real ones, compute what eager ones do."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.models import Iteration
from lipbench.models.acceleration import TrainingLoop
from lipbench.models.mlp import mlp
from lipbench.objectives import BUILTINS, Batch, NonSaturating, Objective, SpectralNorm

MakeLoop = Callable[..., TrainingLoop]
State = Callable[[Iteration], Tensor]


class Scheduled(NonSaturating):
    """Follows the step by arithmetic alone, and draws."""

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        return x + torch.randn(x.shape, generator=batch.rng, device=x.device) / (1 + batch.step)


GAMES: dict[str, tuple[type[Objective], dict[str, Any]]] = {
    **{name: (BUILTINS[name], {}) for name in BUILTINS if BUILTINS[name]().capturable},
    "scheduled": (Scheduled, {}),
    "adam": (SpectralNorm, {"ema": 0.9, "generator_batch": 12, "critic_lr": 2e-2, "n_critic": 2}),
    "rmsprop": (Scheduled, {"optimizer": "rmsprop", "ema": 0.9}),
    "conditional": (SpectralNorm, {"networks": partial(mlp, width=8, depth=2, norm="batch", classes=8)}),
    "bf16": (SpectralNorm, {"precision": "bf16"}),
    "tf32": (Scheduled, {"precision": "tf32"}),
}


@pytest.mark.parametrize("game", GAMES)
def test_graph_computes_what_eager_does_without_a_wait(
    gpu: Any, make_loop: MakeLoop, state_of: State, game: str
) -> None:
    """Evaluations look at the generator's last gradients, too."""
    objective, how = GAMES[game]
    eager, graph = (make_loop(objective(), "cuda", accelerate=way, **how) for way in ("none", "graph"))
    eager.run(4)
    graph.run(1)
    with gpu:
        graph.run(3)
    assert torch.equal(state_of(graph.iteration), state_of(eager.iteration))
    for a, b in zip(eager.iteration.generator.parameters(), graph.iteration.generator.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None)
        assert a.grad is None or torch.equal(a.grad, b.grad)  # pyright: ignore[reportArgumentType]


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


@pytest.mark.parametrize(("objective", "cause"), [(Deciding, "host waits"), (Remembering, r"objective\.seen")])
def test_graph_that_would_repeat_something_else_is_refused(
    gpu: Any, make_loop: MakeLoop, objective: type[Objective], cause: str
) -> None:
    loop = make_loop(objective(), "cuda", accelerate="graph")
    with pytest.raises(RuntimeError, match=f"cannot be captured: .*{cause}"):
        loop.run(1)
