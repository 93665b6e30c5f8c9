"""Minibatch discrimination against loops in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from lipbench.objectives import BadInput, MinibatchDiscrimination, NonSaturating, Objective, critic_step
from lipbench.objectives.minibatch_discrimination import MinibatchHead


def similarities_by_hand(h: np.ndarray, t: np.ndarray, kernels: int, dims: int) -> np.ndarray:
    """Σⱼ exp(−‖M_ib − M_jb‖₁), written as the paper has it, over the number of samples."""
    m = (h @ t.T).reshape(len(h), kernels, dims)
    o = np.zeros((len(h), kernels))
    for i in range(len(h)):
        for b in range(kernels):
            for j in range(len(h)):
                o[i, b] += np.exp(-np.abs(m[i, b] - m[j, b]).sum())
    return o / len(h)


def prepared(critic: nn.Sequential, **arguments: float) -> nn.Sequential:
    """The prepared critic, with weights on the similarities that are not zero."""
    torch.manual_seed(1)
    MinibatchDiscrimination(kernels=4, kernel_dims=2, **arguments).prepare_critic(critic)  # pyright: ignore[reportArgumentType]
    nn.init.normal_(critic.get_parameter("4.on_similarities.weight"))
    return critic


@pytest.mark.parametrize("weight", [1.0, 10.0])
def test_minibatch_discrimination_is_a_linear_head_on_the_concatenation(weight: float, make_batch, make_critic) -> None:
    x, plain, critic = make_batch(11).real, make_critic(), prepared(make_critic(), weight=weight)
    h = plain[:4](x).detach().numpy()
    o = similarities_by_hand(h, critic.get_parameter("4.project.weight").detach().numpy(), 4, 2)
    assert o.min() > 1 / 11 and o.max() < 1 and o.std() > 0.01
    both = np.concatenate([h, weight * o], axis=1)
    columns = torch.cat([plain[4].weight, critic.get_parameter("4.on_similarities.weight")], dim=1).detach().numpy()
    expected = both @ columns[0] + plain[4].bias.item()
    np.testing.assert_allclose(critic(x).detach().numpy(), expected, rtol=1e-9)


def test_minibatch_discrimination_starts_as_the_critic_it_was_given(make_batch, make_critic) -> None:
    critic = MinibatchDiscrimination().prepare_critic(make_critic())
    x = make_batch().real
    torch.testing.assert_close(critic(x), make_critic()(x))


def test_minibatch_discrimination_tells_a_collapsed_batch(make_critic) -> None:
    head = MinibatchHead(nn.Linear(5, 1), kernels=3, kernel_dims=2, weight=1.0)
    same = torch.ones(10, 5).mul(0.3)
    torch.testing.assert_close(head.similarities(same), torch.ones(10, 3))
    torch.testing.assert_close(head.similarities(1000 * torch.randn(10, 5)), torch.full((10, 3), 0.1))


@pytest.mark.parametrize(
    ("objective", "low", "high"), [(NonSaturating(), 1.2, 1.6), (MinibatchDiscrimination(kernels=8), 0, 0.7)]
)
def test_minibatch_discrimination_learns_which_batch_has_collapsed(
    objective: Objective, low: float, high: float, make_batch, make_critic
) -> None:
    """Fake copies of one real point: a critic of single samples stays at 2·log 2 = 1.39, ours gets below half of it."""
    critic = objective.prepare_critic(make_critic())
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    losses = []
    for seed in range(60):
        real = make_batch(seed=seed).real
        batch = make_batch(real=real, fake=real[:1].expand_as(real))
        losses.append(critic_step(objective, critic, batch, optimizer)["critic_loss"].item())
    assert low < np.mean(losses[-20:]) < high


def test_minibatch_discrimination_starts_with_unit_columns() -> None:
    torch.manual_seed(0)
    head = MinibatchHead(nn.Linear(400, 1), kernels=50, kernel_dims=3, weight=1.0)
    assert head.project.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("arguments", [{"kernels": 0}, {"kernel_dims": 1.5}, {"weight": -1.0}])
def test_minibatch_discrimination_refuses_senseless_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        MinibatchDiscrimination(**arguments)  # pyright: ignore[reportArgumentType]


def test_minibatch_discrimination_skips_what_has_no_features_to_extend(make_critic) -> None:
    objective = MinibatchDiscrimination()
    assert objective.skip_reason(nn.Sequential(nn.Linear(3, 1)), (3,)) == "the critic has no hidden layer"
    convolutional = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 2), nn.Flatten(0))
    assert "not linear" in str(objective.skip_reason(convolutional, (1, 4, 4)))
    assert objective.skip_reason(make_critic(), (3,)) is None
