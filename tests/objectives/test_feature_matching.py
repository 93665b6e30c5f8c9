"""Feature matching against numpy on hidden features computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from lipbench.objectives import BadInput, FeatureMatching, NonSaturating, generator_step
from lipbench.objectives.layers import hidden_features


def hidden_by_hand(critic: nn.Sequential, x: torch.Tensor) -> np.ndarray:
    """Two layers of numpy with leaky ReLU of slope .2, as `make_critic` builds them."""
    h = x.numpy()
    for layer in (critic[0], critic[2]):
        h = h @ layer.get_parameter("weight").detach().numpy().T + layer.get_parameter("bias").detach().numpy()
        h = np.where(h > 0, h, 0.2 * h)
    return h


def test_feature_matching_adds_the_squared_distance_of_mean_features(make_batch, make_critic) -> None:
    critic, batch = make_critic(), make_batch()
    gap = hidden_by_hand(critic, batch.real).mean(0) - hidden_by_hand(critic, batch.fake).mean(0)
    plain = NonSaturating().generator_loss(critic, batch).item()
    matched = FeatureMatching(weight=2.5).generator_loss(critic, batch).item()
    assert matched - plain == pytest.approx(2.5 * np.sum(gap**2), rel=1e-9)


def test_feature_matching_finds_the_features_of_a_convolutional_critic(make_batch) -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 1, 2), nn.Flatten(0)).double()
    batch = make_batch(9, (2, 4, 4))
    of_real, of_fake = (critic[1](critic[0](x)).detach().numpy().mean(0) for x in (batch.real, batch.fake))
    plain = NonSaturating().generator_loss(critic, batch).item()
    matched = FeatureMatching().generator_loss(critic, batch).item()
    assert matched - plain == pytest.approx(np.sum((of_real - of_fake) ** 2), rel=1e-9)


def test_feature_matching_compares_features_of_half_precision_in_single(make_batch, make_critic) -> None:
    """A mean of 64 features in bfloat16 is off by up to 0.4 %."""
    critic, batch = make_critic(dtype=torch.float32), make_batch(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16), hidden_features(critic) as features:
        term = (FeatureMatching().generator_loss(critic, batch) - NonSaturating().generator_loss(critic, batch)).item()
    assert {h.dtype for h in features} == {torch.bfloat16}
    of_fake, of_real = (h.detach().double().numpy().mean(0) for h in features[:2])
    assert term == pytest.approx(np.sum((of_real - of_fake) ** 2), rel=1e-5)


def test_feature_matching_alone_moves_the_generator_to_the_data(make_batch) -> None:
    """With an identity for features, E h(x) is the mean of the data: the weight drowns the loss itself."""
    critic = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1), nn.Flatten(0)).double()
    critic[0].weight.data, critic[0].bias.data = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    generator, latent = nn.Linear(1, 3).double(), torch.zeros(64, 1, dtype=torch.float64)
    optimizer = torch.optim.SGD(generator.parameters(), lr=1e-7)
    batch = make_batch()
    for _ in range(100):
        generator_step(FeatureMatching(weight=1e6), generator, critic, latent, batch, optimizer)
    torch.testing.assert_close(generator.bias.detach(), batch.real.mean(0), atol=1e-4, rtol=0)


def test_feature_matching_leaves_the_critic_and_its_loss_alone(make_batch, make_critic) -> None:
    critic, batch = make_critic(), make_batch()
    assert FeatureMatching().critic_loss(critic, batch) == NonSaturating().critic_loss(critic, batch)
    generator = nn.Linear(2, 3).double()
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator_step(FeatureMatching(), generator, critic, torch.ones(64, 2, dtype=torch.float64), batch, optimizer)
    assert all(p.grad is None for p in critic.parameters())
    assert not any(m._forward_pre_hooks for m in critic.modules())


def test_feature_matching_works_with_a_relativistic_loss(make_batch, make_critic) -> None:
    loss = FeatureMatching(loss="relativistic").generator_loss(make_critic(), make_batch())
    assert loss.isfinite()


def test_feature_matching_refuses_a_negative_weight() -> None:
    with pytest.raises(BadInput, match="weight"):
        FeatureMatching(weight=-1)


def test_feature_matching_skips_critics_without_a_hidden_layer(make_critic) -> None:
    assert FeatureMatching().skip_reason(nn.Sequential(nn.Linear(3, 1)), (3,)) == "the critic has no hidden layer"
    assert FeatureMatching().skip_reason(make_critic(), (3,)) is None
