"""The yardstick: the same training written as a plain PyTorch loop, without Lightning, the contract or its hooks.

It ends with the same weights as lipbench's module, bit for bit: that is what makes it the same work.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import relu
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from ...models.iteration import RealData, stream_seed
from ...models.networks import Networks
from ...models.recipe import Recipe
from ...objectives.layers import WEIGHTED


class RawLoop:
    """State of a raw loop: networks, fused Adam for both, real data, random streams.

    Args:
        networks: trained in place.
        data: real samples.
        step: one iteration, a function of this state.
        recipe: gives learning rate and betas of both, minibatch and critic steps per generator step.
        seed: of the streams, drawn from as lipbench's module draws from its own.
        device: of the networks and the data.
    """

    def __init__(
        self,
        networks: Networks,
        data: RealData,
        step: "Callable[[RawLoop], None]",
        recipe: Recipe,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generator, self.critic = networks.generator.to(device), networks.critic.to(device)
        self.data, self.step, self.latent_dim = data, step, networks.latent_dim
        self.batch, self.n_critic, self.device = recipe.batch, recipe.n_critic, device
        self.generator_optimizer, self.critic_optimizer = (
            Adam(network.parameters(), lr=recipe.lr, betas=recipe.betas, fused=True)
            for network in (self.generator, self.critic)
        )
        self.data_rng, self.latent_rng, self.epsilon_rng = (
            torch.Generator(device).manual_seed(stream_seed(seed, name)) for name in ("data", "latent", "objective")
        )

    def run(self, iterations: int) -> None:
        """So many full iterations."""
        for _ in range(iterations):
            self.step(self)

    def latent(self) -> Tensor:
        """A minibatch of normal latents [batch, latent_dim]."""
        return torch.randn(self.batch, self.latent_dim, generator=self.latent_rng, device=self.device)


def gradient_penalty_iteration(loop: RawLoop, weight: float = 10.0) -> None:
    """WGAN-GP, algorithm 1 of Gulrajani et al. 2017."""
    generator, critic = loop.generator, loop.critic
    for _ in range(loop.n_critic):
        real = loop.data.sample(loop.batch, loop.data_rng)
        with torch.no_grad():
            fake = generator(loop.latent())
        size = (loop.batch,) + (1,) * (real.dim() - 1)
        epsilon = torch.rand(size, generator=loop.epsilon_rng, device=loop.device)
        loss = -critic(real).mean() + critic(fake).mean()
        between = torch.lerp(fake, real, epsilon).requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = weight * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        loop.critic_optimizer.zero_grad()
        (loss + penalty).backward()
        loop.critic_optimizer.step()
    critic.requires_grad_(False)
    loss = -critic(generator(loop.latent())).mean()
    loop.generator_optimizer.zero_grad()
    loss.backward()
    loop.generator_optimizer.step()
    critic.requires_grad_(True)


def spectral_norm_iteration(loop: RawLoop) -> None:
    """SN-GAN with the hinge loss (Miyato et al. 2018): one power iteration a critic step, none in the generator's."""
    generator, critic = loop.generator, loop.critic
    for _ in range(loop.n_critic):
        real = loop.data.sample(loop.batch, loop.data_rng)
        with torch.no_grad():
            fake = generator(loop.latent())
        with parametrize.cached():
            loss = relu(1 - critic(real)).mean() + relu(1 + critic(fake)).mean()
        loop.critic_optimizer.zero_grad()
        loss.backward()
        loop.critic_optimizer.step()
    critic.requires_grad_(False).eval()
    loss = -critic(generator(loop.latent())).mean()
    loop.generator_optimizer.zero_grad()
    loss.backward()
    loop.generator_optimizer.step()
    critic.requires_grad_(True).train()


def with_spectral_norm(networks: Networks) -> Networks:
    """The same networks with torch's spectral norm on every layer of the critic."""
    for layer in networks.critic.modules():
        if isinstance(layer, WEIGHTED):
            spectral_norm(layer)
    return networks
