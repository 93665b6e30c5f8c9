"""Weight clipping: what is clipped, and when."""

import pytest
import torch
from torch import nn

from lipbench.objectives import BadInput, WeightClipping, critic_step


def critic_with_norms() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 8), nn.LayerNorm(8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)]
    return nn.Sequential(*layers, nn.Flatten(0)).double()


@pytest.mark.parametrize("clip", [0.01, 0.25])
def test_weight_clipping_bounds_every_trainable_parameter_after_every_step(clip: float, make_batch) -> None:
    critic, objective = critic_with_norms(), WeightClipping(clip=clip)
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=0.3)  # larger than c: one unclipped step would show
    for seed in range(5):
        critic_step(objective, critic, make_batch(seed=seed), optimizer)
        largest = {name: p.abs().max().item() for name, p in critic.named_parameters()}
        assert set(largest) == {f"{i}.{kind}" for i in (0, 1, 3, 4, 5) for kind in ("weight", "bias")}
        for name, value in largest.items():
            assert value <= clip, name
        # Not merely small: the step was large enough to push something against the bound.
        assert max(largest.values()) == clip


def test_weight_clipping_keeps_what_lies_within_the_bound(make_batch) -> None:
    critic, objective = critic_with_norms(), WeightClipping(clip=0.25)
    before = {name: p.clone() for name, p in critic.named_parameters()}
    critic_step(objective, critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.0))
    for name, p in critic.named_parameters():
        torch.testing.assert_close(p.detach(), before[name].clamp(-0.25, 0.25), rtol=0, atol=0)


def test_weight_clipping_leaves_frozen_parameters_alone(make_batch) -> None:
    critic, objective = critic_with_norms(), WeightClipping(clip=0.01)
    frozen = critic.get_parameter("0.weight").requires_grad_(False)
    before = frozen.clone()
    critic_step(objective, critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.1))
    assert torch.equal(frozen, before)
    assert before.abs().max() > 0.01


@pytest.mark.parametrize("clip", [0.0, -0.01, float("nan")])
def test_weight_clipping_refuses_a_bound_that_is_not_above_zero(clip: float) -> None:
    with pytest.raises(BadInput, match=r"clip=.*: must be a number > 0"):
        WeightClipping(clip=clip)
