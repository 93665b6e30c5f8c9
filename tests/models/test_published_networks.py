"""The objectives on the published networks: each prepares their critics, plays one round, and stays finite."""

import pytest
import torch
from torch.optim import Adam

from lipbench.models import ARCHITECTURES
from lipbench.objectives import BUILTINS, Batch, critic_step, generator_step

NETWORKS = [("sngan-cnn", 32), ("sngan-resnet", 32), ("sngan-resnet", 48), ("wgangp-resnet", 32), ("local-cnn", 32)]
OPTIONS = {"local-cnn": {"attention": True}}
# What cannot be made orthogonal: a residual network is no plain chain of layers.
ODD = {"sngan-resnet": "AvgPool2d", "wgangp-resnet": "AvgPool2d", "local-cnn": "UntiedBias"}


@pytest.mark.parametrize(("architecture", "side"), NETWORKS)
@pytest.mark.parametrize("name", BUILTINS)
def test_objective_plays_with_the_published_networks(architecture: str, side: int, name: str) -> None:
    torch.manual_seed(0)
    shape = (3, side, side)
    networks = ARCHITECTURES[architecture](shape, channels=2, **OPTIONS.get(architecture, {}))
    objective = BUILTINS[name]()
    if name == "orthogonal" and architecture in ODD:
        reason = f"{ODD[architecture]} has no 1-Lipschitz counterpart here"
        assert objective.skip_reason(networks.critic, shape) == reason
        return
    if name == "minibatch-discrimination" and architecture == "local-cnn":
        assert "last layer is not linear" in (objective.skip_reason(networks.critic, shape) or "")
        return
    assert objective.skip_reason(networks.critic, shape) is None
    critic, generator = objective.prepare_critic(networks.critic), networks.generator
    latent = torch.randn(4, networks.latent_dim)
    real, fake = torch.rand(4, *shape) * 2 - 1, generator(latent).detach()
    batch = Batch(real, fake, None, 0, torch.Generator().manual_seed(0))
    before = [p.clone() for p in (*critic.parameters(), *generator.parameters())]
    scalars = critic_step(objective, critic, batch, Adam(critic.parameters(), 1e-3))
    scalars |= generator_step(objective, generator, critic, latent, batch, Adam(generator.parameters(), 1e-3))
    assert all(value.isfinite().all() for value in scalars.values())
    after = [*critic.parameters(), *generator.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
