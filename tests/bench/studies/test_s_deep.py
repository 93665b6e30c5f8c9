"""Deep networks in double precision, and gradients per layer against the chain rule written out."""

import numpy as np
import pytest
import torch
from torch import nn

from lipbench.bench.studies.training.deep import DeepRun, layer_gradients
from lipbench.models import Recipe
from lipbench.objectives import GradientPenalty, Minimax

RECIPE = Recipe("rmsprop", 5e-5, n_critic=2, batch=8)


def test_layer_gradients_follow_the_chain_rule():
    rng = np.random.default_rng(0)
    first, second, third = rng.normal(size=(4, 2)), rng.normal(size=(3, 4)), rng.normal(size=(1, 3))
    layers: list[nn.Module] = []
    for matrix in (first, second, third):
        layers += [nn.Linear(matrix.shape[1], matrix.shape[0], bias=False, dtype=torch.float64), nn.ReLU()]
        layers[-2].weight.data = torch.tensor(matrix)  # pyright: ignore[reportArgumentType]
    critic = nn.Sequential(*layers[:-1], nn.Flatten(0))
    real, fake = rng.normal(size=(5, 2)), rng.normal(size=(5, 2)) + 1
    found = layer_gradients(GradientPenalty(), critic, torch.tensor(real), torch.tensor(fake))

    x = np.concatenate([real, fake])
    one = np.maximum(x @ first.T, 0)
    two = one @ second.T
    at_two = np.repeat([[-1 / 5], [1 / 5]], 5, axis=0) * third
    at_one = (at_two * (two > 0)) @ second
    at_x = (at_one * (one > 0)) @ first
    assert found == pytest.approx([np.linalg.norm(g) for g in (at_x, at_one, at_two)], rel=1e-12)


def test_layer_gradients_are_of_the_loss_without_the_penalty():
    critic = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Flatten(0)).double()
    real, fake = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weak, strong = (layer_gradients(GradientPenalty(weight=w), critic, real, fake) for w in (0.1, 100.0))
    assert weak == strong
    assert layer_gradients(Minimax(), critic, real, fake) != weak


def test_deep_run_trains_both_networks_in_double_precision():
    run = DeepRun("wgan-clip", RECIPE, 1, 0, (("clip", 0.01),))
    module, _ = run.train()
    start = run.networks()
    assert {p.dtype for p in module.parameters()} == {torch.float64}
    assert max(p.abs().max() for p in run.critic(module).parameters()) <= 0.01
    moved = zip(module.get_submodule("generator").parameters(), start.generator.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in moved)
    assert len([m for m in run.critic(module).modules() if isinstance(m, nn.ReLU)]) == 12


def test_deep_run_gives_the_same_critic_twice_and_fresh_samples_of_its_generator():
    run = DeepRun("wgan-gp", RECIPE, 1, 3)
    (one, _), (two, _) = run.train(), run.train()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    real, fake = run.samples(one, 7)
    assert real.shape == fake.shape == (7, 2)
    assert torch.equal(fake, run.samples(two, 7)[1])
    assert not torch.equal(fake, run.samples(run.untrained(), 7)[1])
