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


def test_weight_clipping_may_leave_biases_alone(make_batch) -> None:
    critic = critic_with_norms()
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.fill_(1)
    critic_step(WeightClipping(biases=False), critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.0))
    for name, parameter in critic.named_parameters():
        assert parameter.unique().tolist() == pytest.approx([1.0 if name.endswith("bias") else 0.01]), name


def test_weight_clipping_before_each_pass_is_what_clipped_first_weights_compute(make_batch) -> None:
    """The reference clips, then takes a plain step; whatever it clips last is what the other one clipped before."""
    critic, plain, objective = critic_with_norms(), critic_with_norms(), WeightClipping(clip=0.2, start_clipped=True)
    critic = objective.prepare_critic(critic)
    ours, theirs = (torch.optim.Adam(c.parameters(), lr=0.05) for c in (critic, plain))
    for seed in range(4):
        batch = make_batch(seed=seed)
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter.clamp_(-0.2, 0.2)
        loss = plain(batch.fake).mean() - plain(batch.real).mean()
        assert critic_step(objective, critic, batch, ours)["critic_loss"].item() == pytest.approx(
            loss.item(), abs=1e-14
        )
        theirs.zero_grad()
        loss.backward()
        theirs.step()
    for one, other in zip(critic.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other.clamp(-0.2, 0.2), rtol=0, atol=1e-12)
