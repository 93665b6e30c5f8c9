"""Games with a fixed generator: what is told apart, by which critic. No training and no measurements here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ....models.catalog import ARCHITECTURES
from ....models.iteration import stream_seed
from ....models.networks import Networks, draw_latent
from ....objectives.base import Batch
from ...data.catalog import load
from ...data.dataset import Dataset
from .sheet import LATENT, sheet

Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass
class FixedGame:
    """A critic that is to tell real from generated samples, and the streams that both come from.

    Attributes:
        critic: not yet prepared by an objective, and on the CPU.
        draw: (n, stream) → n real and n generated samples [n, …].
        seed: of the streams.
        generator: where there is one to differentiate: latents to samples.
        draw_latents: (n, stream) → what the generator takes; N(0, I_2) in double precision by default.
        dtype: of what is measured.
        device: of all that is drawn.
    """

    critic: nn.Module
    draw: Draw
    seed: int
    generator: nn.Module | None = None
    draw_latents: Callable[[int, torch.Generator], Tensor] | None = None
    dtype: torch.dtype = torch.float64
    device: str = "cpu"
    streams: dict[str, torch.Generator] = field(default_factory=dict)

    def stream(self, name: str) -> torch.Generator:
        """The named random stream, which goes on from where it was."""
        if name not in self.streams:
            self.streams[name] = self._generator(name)
        return self.streams[name]

    def batch(self, n: int = 256, step: int = 0) -> Batch:
        """Fresh samples for a training step."""
        return Batch(*self.draw(n, self.stream("data")), None, step, self.stream("objective"))

    def evaluation(self, n: int) -> tuple[Tensor, Tensor]:
        """n real and n generated samples from a stream that no training step draws on: the same at every call."""
        real, fake = self.draw(n, self._generator("evaluation"))
        return real.to(self.dtype), fake.to(self.dtype)

    def latents(self, n: int) -> Tensor:
        """n latents for the generator's gradient: the same at every call."""
        rng = self._generator("latents")
        if self.draw_latents is not None:
            return self.draw_latents(n, rng)
        return torch.randn(n, LATENT, generator=rng, dtype=torch.float64)

    def _generator(self, name: str) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(stream_seed(self.seed, name))


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


@dataclass(frozen=True)
class Images:
    """Images against those of an untrained generator, in single precision.

    Attributes:
        dataset: a name in `lipbench.bench.data.DATASETS`.
        architecture: of both networks, a name in `lipbench.models.ARCHITECTURES`.
        settings: of the architecture.
        device: where the game is played; it decides nothing.
        data: folder of the data sets that are kept in files; likewise.
    """

    dataset: str
    architecture: str
    settings: tuple[tuple[str, Any], ...] = ()
    device: str = field(default="cpu", compare=False)
    data: Path | None = field(default=None, compare=False)

    def game(self, seed: int) -> FixedGame:
        """The game of this seed."""
        data = _loaded(self.dataset, self.data, self.device)
        networks = untrained(self.architecture, data.shape, seed, dict(self.settings))
        generator = calibrated(networks, seed).to(self.device)

        def latents(n: int, rng: torch.Generator) -> Tensor:
            return draw_latent(networks, n, rng)

        @torch.no_grad()
        def draw(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            return data.sample(n, rng), generator(latents(n, rng))

        return FixedGame(networks.critic, draw, seed, generator, latents, torch.float32, self.device)


def calibrated(networks: Networks, seed: int, n: int = 256) -> nn.Module:
    """The generator in eval mode, so that each sample depends on its own latent alone.

    The running statistics of its batch norms are those of n latents: at their start they would make all images grey.
    """
    generator = networks.generator.train()
    norms = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        generator(draw_latent(networks, n, torch.Generator().manual_seed(stream_seed(seed, "settling"))))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return generator.eval()


Fixed = Sheets | NoisyData | ShiftedGaussians | Images


def _critic(architecture: str, shape: tuple[int, ...], seed: int, **settings: int) -> nn.Module:
    return untrained(architecture, shape, seed, settings).critic


def untrained(architecture: str, shape: tuple[int, ...], seed: int, settings: Mapping[str, Any]) -> Networks:
    """The networks of that name as a run of this seed begins with them."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, "weights"))
        return ARCHITECTURES[architecture](shape, **settings)


@cache
def _loaded(name: str, data_dir: Path | None = None, device: str = "cpu") -> Dataset:
    return load(name, data_dir).to(device)
