"""The small games that the conformance kit plays: two kinds of data with a critic for each. No checks here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ..base import Batch, Objective, prepared
from ..game import critic_step, generator_step

Make = Callable[[], Objective]
Scalars = dict[str, Tensor]
LATENT_DIM = 4


class Critic(nn.Module):
    """A plain chain of layers, [B, …] → [B]."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def linear_critic(norm: str, inputs: int = 8) -> Critic:
    """[B, inputs] → [B]; `norm` is none, layer or batch, after the first layer."""
    between = {"none": [], "layer": [nn.LayerNorm(32)], "batch": [nn.BatchNorm1d(32)]}[norm]
    hidden = nn.Linear(inputs, 32), *between, nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2)
    return Critic(*hidden, nn.Linear(32, 1))


def convolutional_critic(norm: str, colours: int = 3, width: int = 8) -> Critic:
    """[B, colours, 8, width] → [B]; `norm` is none, layer or batch, after the first layer."""
    between = {"none": [], "layer": [nn.GroupNorm(1, 8)], "batch": [nn.BatchNorm2d(8)]}[norm]
    hidden = nn.Conv2d(colours, 8, 4, 2, 1), *between, nn.LeakyReLU(0.2), nn.Conv2d(8, 16, 3, 1, 1), nn.LeakyReLU(0.2)
    return Critic(*hidden, nn.Flatten(), nn.Linear(32 * width, 1))


@dataclass(frozen=True)
class TrialSetting:
    """A kind of data: N(±centre, ¼² I), how to build a critic for it, given the kind of its norm, and where a game is.

    Attributes:
        step: generator updates before the game begins, for schedules by `batch.step`.
    """

    name: str
    centre: Tensor
    build: Callable[[str], nn.Module]
    step: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.centre.shape)

    def critic(self, norm: str = "none", *, seed: int = 0) -> nn.Module:
        """An unprepared critic."""
        with seeded(seed):
            return self.build(norm)


def _pattern(*shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return 0.5 * torch.randint(0, 2, shape, generator=rng).float() - 0.2


# In few dimensions a penalty may hold an untrained critic in the wrong direction for a while.
POINTS = TrialSetting("points", torch.linspace(0.6, 0.2, 8), linear_critic)
IMAGES = TrialSetting("images", _pattern(3, 8, 8), convolutional_critic)
# Shapes in which a dimension is mistaken for another, or lost.
NUMBERS = TrialSetting("numbers", torch.tensor([0.6]), partial(linear_critic, inputs=1))
GREY = TrialSetting("grey images", _pattern(1, 8, 16), partial(convolutional_critic, colours=1, width=16))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generator at that seed, for the initialisation of networks; restored afterwards."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with a single thread: operations of the kit are so small that several only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Game:
    """An objective with a small critic and a linear generator, on real data at side·centre and fakes at −side·centre.

    Two games made alike play alike. Fakes and real data are fresh tensors in every batch.

    Args:
        make: makes the objective.
        setting: the data, and the critic where none is given.
        critic: an unprepared critic to use instead.
        seed: of the initialisation.
        side: 1 or −1.
        scale: factor on the unprepared critic's parameters.
        dtype: of data and networks.
        device: of data and networks.
    """

    def __init__(
        self,
        make: Make,
        setting: TrialSetting,
        critic: nn.Module | None = None,
        *,
        seed: int = 0,
        side: float = 1.0,
        scale: float = 1.0,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        self.centre = side * setting.centre
        self.placed = {"dtype": dtype, "device": device}
        critic = setting.critic(seed=seed) if critic is None else critic
        with seeded(seed), torch.no_grad():
            self.objective = make().to(**self.placed)
            for parameter in critic.parameters():
                parameter.mul_(scale)
            generator = self._make_generator()
        with seeded(seed):
            self.critic = prepared(self.objective, critic).to(**self.placed)
        self.generator = generator.to(**self.placed)
        self.data = torch.Generator().manual_seed(1)
        self.rng = torch.Generator("cuda" if device == "cuda" else "cpu").manual_seed(2)
        self.updates: Any = setting.step  # or a tensor
        self.critic_optimizer, self.generator_optimizer = self.adam(1e-2, self.critic), self.adam(3e-2, self.generator)

    def _make_generator(self) -> nn.Module:
        linear = nn.Linear(LATENT_DIM, self.centre.numel())
        nn.init.normal_(linear.weight, std=0.125)  # samples as wide as the real ones
        linear.bias.copy_(-self.centre.flatten())
        return nn.Sequential(linear, nn.Unflatten(1, self.centre.shape))

    @staticmethod
    def adam(lr: float, module: nn.Module) -> Optimizer:
        """Adam without a floor under its denominator: clipped critics give tiny gradients, of which the sign counts."""
        return Adam(module.parameters(), lr=lr, betas=(0.5, 0.9), eps=1e-20, fused=True)

    def latent(self, n: int = 16) -> Tensor:
        """[n, LATENT_DIM]."""
        return torch.randn(n, LATENT_DIM, generator=self.data).to(**self.placed)

    def batch(self, n: int = 16) -> Batch:
        """Fresh real samples and fakes."""
        noise = torch.randn(n, *self.centre.shape, generator=self.data)
        with torch.no_grad():
            fake = self.generator(self.latent(n))
        return Batch((self.centre + 0.25 * noise).to(**self.placed), fake, None, self.updates, self.rng)

    def constant_batch(self, real: Tensor, fake: Tensor) -> Batch:
        """A batch of the given samples."""
        return replace(self.batch(len(real)), real=real.to(**self.placed), fake=fake.to(**self.placed))

    def critic_step(self, batch: Batch | None = None, optimizer: Optimizer | None = None) -> Scalars:
        """One step of the critic, on a fresh batch where none is given."""
        return critic_step(self.objective, self.critic, batch or self.batch(), optimizer or self.critic_optimizer)

    def still_step(self, batch: Batch | None = None) -> Scalars:
        """A step of length zero: gradients and scalars, but only the constraint changes the critic."""
        return self.critic_step(batch, SGD(self.critic.parameters(), lr=0.0))

    def generator_step(self, latent: Tensor | None = None, batch: Batch | None = None) -> Scalars:
        """One step of the generator, on fresh latents where none are given."""
        latent = self.latent() if latent is None else latent
        batch = batch or self.batch(len(latent))
        scalars = generator_step(self.objective, self.generator, self.critic, latent, batch, self.generator_optimizer)
        self.updates += 1
        return scalars

    def play(self, rounds: int) -> Scalars:
        """Rounds of one critic step and one generator step; the last scalars."""
        scalars: Scalars = {}
        for _ in range(rounds):
            scalars = self.critic_step() | self.generator_step()
        return scalars

    def penalised(self) -> bool:
        """Whether the objective has a penalty."""
        with torch.enable_grad():
            return self.objective.penalty(self.critic, self.batch()) is not None
