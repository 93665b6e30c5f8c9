"""On a real GPU: a graph computes what iterations one by one do, and TF32 changes digits only where asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lipbench.bench.data import load
from lipbench.models import Iteration, repeatable_float32, tensor_float32
from lipbench.models.acceleration import TrainingLoop
from lipbench.objectives import GradientPenalty, Minimax, Objective, SpectralNorm, WeightClipping

pytestmark = pytest.mark.gpu
DEVICE = "cuda:0"
MakeIteration = Callable[..., Iteration]
GAMES: dict[str, tuple[Callable[[], Objective], dict[str, Any]]] = {
    "minimax": (Minimax, {"n_critic": 2, "decay": "linear"}),
    "simultaneous": (Minimax, {"updates": "simultaneous"}),
    "wgan-clip": (WeightClipping, {"n_critic": 2, "optimizer": "rmsprop"}),
    "wgan-gp": (GradientPenalty, {"n_critic": 2, "ema": 0.9}),
    "sn-gan": (SpectralNorm, {"n_critic": 2, "network": {"norm": "batch"}}),
}


def weights(iteration: Iteration) -> Tensor:
    return torch.cat([v.detach().cpu().double().flatten() for v in iteration.parts.state_dict().values()])


@pytest.mark.parametrize("game", GAMES)
def test_graph_computes_what_iterations_one_by_one_do(make_iteration: MakeIteration, game: str) -> None:
    objective, recipe = GAMES[game]
    data = load("8gaussians").to(DEVICE)
    plain, captured = (
        make_iteration(objective(), data=data, device=DEVICE, accelerate=how, **recipe) for how in ("none", "graph")
    )
    before = weights(plain)
    assert torch.equal(before, weights(captured))
    with repeatable_float32():
        for iteration in (plain, captured):
            TrainingLoop(iteration).run(5)
    assert (weights(plain) - before).abs().max() > 5e-3
    torch.testing.assert_close(weights(captured), weights(plain), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(captured.scalars[:5].cpu(), plain.scalars[:5].cpu(), rtol=1e-3, atol=1e-4)


def test_float32_is_float32_unless_tf32_is_asked_for() -> None:
    if torch.cuda.get_device_capability(DEVICE) < (8, 0):
        pytest.skip("this GPU has no TF32")
    x, w = torch.randn(2, 512, 512, generator=torch.Generator(DEVICE).manual_seed(0), device=DEVICE)
    exact = x.double() @ w.double()
    with repeatable_float32():
        error = ((x @ w).double() - exact).abs().max() / exact.abs().max()
        with tensor_float32(True):
            larger = ((x @ w).double() - exact).abs().max() / exact.abs().max()
    assert error < 1e-5 < larger < 1e-2


def test_tf32_changes_an_iteration_by_a_little(make_iteration: MakeIteration) -> None:
    if torch.cuda.get_device_capability(DEVICE) < (8, 0):
        pytest.skip("this GPU has no TF32")
    data, found = load("8gaussians").to(DEVICE), []
    for precision in ("32", "tf32"):
        how: dict[str, Any] = {"network": {"width": 512, "depth": 3}, "batch": 256, "precision": precision}
        iteration = make_iteration(GradientPenalty(), data=data, device=DEVICE, **how)
        with repeatable_float32():
            iteration.run(1)
        found.append(iteration.scalars[0].cpu())
    torch.testing.assert_close(*found, rtol=2e-2, atol=1e-2)
    assert not torch.equal(*found)
