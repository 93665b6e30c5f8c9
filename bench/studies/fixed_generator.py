"""Games with a fixed generator: what is told apart, by which critic. No training and no measurements here."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import torch
from torch import Tensor, nn

from ...models import ARCHITECTURES, stream_seed
from ...objectives import Batch
from ..data import Dataset, load
from .sheet import LATENT, sheet

Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass
class FixedGame:
    """A critic that is to tell real from generated samples, and the streams that both come from.

    Attributes:
        critic: not yet prepared by an objective.
        draw: (n, stream) → n real and n generated samples [n, …].
        seed: of the streams.
        generator: where there is one to differentiate: latents [n, 2] to samples.
    """

    critic: nn.Module
    draw: Draw
    seed: int
    generator: nn.Module | None = None
    streams: dict[str, torch.Generator] = field(default_factory=dict)

    def stream(self, name: str) -> torch.Generator:
        """The named random stream, which goes on from where it was."""
        if name not in self.streams:
            self.streams[name] = torch.Generator().manual_seed(stream_seed(self.seed, name))
        return self.streams[name]

    def batch(self, n: int = 256, step: int = 0) -> Batch:
        """Fresh samples for a training step."""
        return Batch(*self.draw(n, self.stream("data")), None, step, self.stream("objective"))

    def evaluation(self, n: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        """n real and n generated samples that no training step has seen: the same at every call."""
        real, fake = self.draw(n, torch.Generator().manual_seed(stream_seed(self.seed, "evaluation")))
        return real.to(dtype), fake.to(dtype)

    def latents(self, n: int) -> Tensor:
        """Latents [n, 2] for the generator's gradient: the same at every call."""
        rng = torch.Generator().manual_seed(stream_seed(self.seed, "latents"))
        return torch.randn(n, LATENT, generator=rng, dtype=torch.float64)


@dataclass(frozen=True)
class Sheets:
    """The vanishing-gradient setting, in double precision: see `sheet`."""

    def game(self, seed: int) -> FixedGame:
        """The game of this seed."""
        base = sheet(seed)

        def draw(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            at = replace(base, rng=rng)
            return at.real(n), at.fake(n)

        return FixedGame(base.critic, draw, seed, base.generator)


@dataclass(frozen=True)
class NoisyData:
    """Generated samples = other data + N(0, 1) (Gulrajani et al. 2017, figure 1a).

    Attributes:
        dataset: a name in `lipbench.bench.data.DATASETS`.
        architecture: of the critic, a name in `lipbench.models.ARCHITECTURES`, and its settings.
    """

    dataset: str
    architecture: str = "mlp"
    settings: tuple[tuple[str, int], ...] = (("width", 128), ("depth", 3))

    def game(self, seed: int) -> FixedGame:
        """The game of this seed."""
        data = _loaded(self.dataset)

        def draw(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            real, fake = data.sample(n, rng), data.sample(n, rng)
            return real, fake + torch.randn(fake.shape, generator=rng)

        return FixedGame(_critic(self.architecture, data.shape, seed, **dict(self.settings)), draw, seed)


@dataclass(frozen=True)
class ShiftedGaussians:
    """N(0, I) against the same shifted along the first axis, so that W1 is the shift, with a 3×128 critic.

    The pairs of a draw are optimally coupled: the empirical W1 is the shift too, to the last digit.
    """

    dimension: int
    shift: float

    def game(self, seed: int) -> FixedGame:
        """The game of this seed; in training the two sides are independent."""
        offset = torch.zeros(self.dimension)
        offset[0] = self.shift

        def draw(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            real, fake = torch.randn(2, n, self.dimension, generator=rng)
            return real, fake + offset

        return FixedGame(_critic("mlp", (self.dimension,), seed, width=128, depth=3), draw, seed)

    def coupled(self, seed: int, n: int) -> tuple[Tensor, Tensor]:
        """n fresh reals and their images under the optimal map x ↦ x + shift·e₁, in double precision."""
        real, _ = self.game(seed).evaluation(n)
        offset = torch.zeros(self.dimension, dtype=real.dtype)
        offset[0] = self.shift
        return real, real + offset


Fixed = Sheets | NoisyData | ShiftedGaussians


def _critic(architecture: str, shape: tuple[int, ...], seed: int, **settings: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, "weights"))
        return ARCHITECTURES[architecture](shape, **settings).critic


@cache
def _loaded(name: str) -> Dataset:
    return load(name)
