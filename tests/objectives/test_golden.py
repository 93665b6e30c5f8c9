"""Losses of every built-in over the first steps of a small game, kept so that a refactoring is seen to keep them.

Written by `python tests/objectives/test_golden.py`, and only after a change that is meant to change a loss.
"""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from lipbench.objectives import BUILTINS, Batch, critic_step, generator_step

GOLDEN = Path(__file__).parents[1] / "golden" / "losses.json"
COMMAND = "python tests/objectives/test_golden.py"
STEPS = 20
History = dict[str, list[float]]


def play(name: str) -> History:
    """The scalars of each step of a game in float64; plain gradient descent, which hides no factor of a gradient."""
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        # Drawn in float64: in float32 initial weights and factorisations differ from one processor to the next.
        linear = partial(nn.Linear, dtype=torch.float64)
        layers = [linear(2, 8), nn.LeakyReLU(0.2), linear(8, 8), nn.LeakyReLU(0.2), linear(8, 1), nn.Flatten(0)]
        objective = BUILTINS[name]()
        critic = objective.prepare_critic(nn.Sequential(*layers))
        generator = nn.Sequential(linear(2, 8), nn.ReLU(), linear(8, 2))
    optimizers = [torch.optim.SGD(module.parameters(), lr=0.02) for module in (critic, generator)]
    history: History = {}
    for step in range(STEPS):
        real = 0.5 * torch.randn(12, 2, generator=rng, dtype=torch.float64) + torch.tensor([1.0, -0.5])
        latent = torch.randn(12, 2, generator=rng, dtype=torch.float64)
        batch = Batch(real, generator(latent).detach(), None, step, rng)
        scalars = critic_step(objective, critic, batch, optimizers[0])
        scalars |= generator_step(objective, generator, critic, latent, batch, optimizers[1])
        for key, value in scalars.items():
            history.setdefault(key, []).append(value.item())
    return history


@pytest.mark.parametrize("name", BUILTINS)
def test_golden_losses_are_kept(name: str) -> None:
    golden: dict[str, History] = json.loads(GOLDEN.read_text())["losses"]
    assert name in golden, f"{name} has no golden losses yet: run `{COMMAND}`"
    history = play(name)
    assert set(history) == set(golden[name])
    for key, values in history.items():
        assert values == pytest.approx(golden[name][key], rel=1e-9, abs=1e-9), key


def test_golden_losses_belong_to_the_built_ins() -> None:
    assert set(json.loads(GOLDEN.read_text())["losses"]) == set(BUILTINS)


if __name__ == "__main__":
    torch.set_num_threads(1)
    written = {"command": COMMAND, "torch": torch.__version__, "losses": {name: play(name) for name in BUILTINS}}
    GOLDEN.write_text(json.dumps(written, indent=1) + "\n")
