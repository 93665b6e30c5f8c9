"""The one Lightning module: draws samples, keeps counters and streams, and calls the two steps of the game."""

import hashlib
import os
import time
from copy import deepcopy
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..objectives import Batch, Objective, critic_step, generator_step
from .networks import Networks, draw_latent
from .recipe import Recipe

# Lightning sets this when it is imported, so that processes may fork after they asked for GPUs. Adam asks at each of
# its steps; where there is no GPU, that search costs 8 % of an iteration of small networks. lipbench spawns, not forks.
os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)

STREAMS = ("data", "latent", "objective", "evaluation")
SCALARS = ("critic_loss", "penalty", "generator_loss")
CHUNK = 50  # iterations between two fetches of the scalars from the device


class RealData(Protocol):
    """Where real samples come from."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """[n, …] real samples, drawn with the stream, on its device."""
        ...


def stream_seed(seed: int, name: str) -> int:
    """A seed of 63 bits for the named stream of a run; streams of different names or seeds are unrelated."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1


class GAN(pl.LightningModule):
    """Trains a generator against a critic; one `training_step` is n_critic critic steps and one generator step.

    The module counts generator updates itself (`updates`): Lightning counts optimiser steps. Scalars stay
    on the device in `scalars` [CHUNK, len(SCALARS)], row `updates % CHUNK`, until somebody fetches them.

    Args:
        networks: generator, unprepared critic and latent law.
        objective: what is minimised.
        recipe: how.
        data: real samples on the device of training.
        steps: generator updates in the whole run, for schedules.
        seed: of the four random streams.
    """

    def __init__(
        self, networks: Networks, objective: Objective, recipe: Recipe, data: RealData, *, steps: int, seed: int
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.networks, self.recipe, self.data, self.steps, self.seed = networks, recipe, data, steps, seed
        self.objective = objective
        self.generator = networks.generator
        self.critic = objective.prepare_critic(networks.critic)
        self.average = None if recipe.ema is None else deepcopy(self.generator).requires_grad_(False)
        self.updates = 0
        self.critic_seconds = 0.0  # of the last iteration in each chunk
        self.timed_steps = 0
        self.streams: dict[str, torch.Generator] = {}
        self.scalars = torch.zeros(CHUNK, len(SCALARS))
        self._optimizers: tuple[Optimizer, Optimizer] | None = None

    @property
    def sampler(self) -> nn.Module:
        """The generator that is evaluated: the moving average where the recipe asks for one."""
        return self.generator if self.average is None else self.average

    def configure_optimizers(self) -> list[Optimizer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Generator first, critic second."""
        recipe = self.recipe
        return [
            recipe.make_optimizer(self.generator.parameters(), recipe.lr),
            recipe.make_optimizer(self.critic.parameters(), recipe.critic_lr or recipe.lr),
        ]

    def on_train_start(self) -> None:
        """Scalars move to the device that Lightning chose, and the optimisers are taken out of their wrappers."""
        self.scalars = self.scalars.to(self.device)
        generator_optimizer, critic_optimizer = self.optimizers(use_pl_optimizer=False)  # pyright: ignore[reportGeneralTypeIssues]
        self._optimizers = (generator_optimizer, critic_optimizer)

    def training_step(self, *args: Any) -> None:
        """One full iteration; Lightning's batch is only a tick, the samples come from the data stream."""
        assert self._optimizers is not None
        generator_optimizer, critic_optimizer = self._optimizers
        self._set_rates()
        # Where the scalars are fetched anyway, the clock may wait for the device.
        timed = (self.updates + 1) % CHUNK == 0
        start = self._clock(timed)
        for _ in range(self.recipe.n_critic - 1):
            critic_step(self.objective, self.critic, self.draw_batch(), critic_optimizer)
        batch = self.draw_batch()
        scalars = critic_step(self.objective, self.critic, batch, critic_optimizer)
        if timed:
            self.critic_seconds += self._clock(timed) - start
            self.timed_steps += self.recipe.n_critic
        latent = self.draw_latent(self.recipe.batch, "latent")
        scalars |= generator_step(self.objective, self.generator, self.critic, latent, batch, generator_optimizer)
        self._update_average()
        self.scalars[self.updates % CHUNK] = torch.stack([scalars[name] for name in SCALARS])
        self.updates += 1

    def stream(self, name: str) -> torch.Generator:
        """The named random stream, on the device of training; made at its first use, or restored from a checkpoint."""
        if name not in self.streams:
            self.streams[name] = torch.Generator(self.device).manual_seed(stream_seed(self.seed, name))
        return self.streams[name]

    def draw_batch(self) -> Batch:
        """Real samples and detached fakes for one critic step, from the data and latent streams."""
        n = self.recipe.batch
        real = self.data.sample(n, self.stream("data"))
        with torch.no_grad():
            fake = self.generator(self.draw_latent(n, "latent"))
        return Batch(real, fake, None, self.updates, self.stream("objective"))

    def draw_latent(self, n: int, stream: str) -> Tensor:
        """[n, latent_dim] from the named stream."""
        return draw_latent(self.networks, n, self.stream(stream))

    def _set_rates(self) -> None:
        if self.recipe.decay == "none" or self._optimizers is None:
            return
        recipe = self.recipe
        for optimizer, lr in zip(self._optimizers, (recipe.lr, recipe.critic_lr or recipe.lr), strict=True):
            optimizer.param_groups[0]["lr"] = recipe.rate(lr, self.updates, self.steps)

    @torch.no_grad()
    def _update_average(self) -> None:
        """A moving average of parameters and running statistics; torch's AveragedModel waits for the device in each."""
        if self.average is None or self.recipe.ema is None:
            return
        mean, now = ([*m.parameters(), *m.buffers()] for m in (self.average, self.generator))
        floats = [i for i, tensor in enumerate(mean) if tensor.is_floating_point()]
        get_ema_multi_avg_fn(self.recipe.ema)([mean[i] for i in floats], [now[i] for i in floats], 0)
        for i in set(range(len(mean))) - set(floats):
            mean[i].copy_(now[i])

    def _clock(self, wait: bool) -> float:
        if wait and self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters and streams beside what Lightning keeps; only tensors and numbers, so `weights_only` loads it."""
        checkpoint["game"] = {
            "updates": self.updates,
            "critic_seconds": self.critic_seconds,
            "timed_steps": self.timed_steps,
            "scalars": self.scalars.cpu(),
            "streams": {name: rng.get_state() for name, rng in self.streams.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The counterpart of `on_save_checkpoint`."""
        game = checkpoint["game"]
        self.updates, self.scalars = game["updates"], game["scalars"]
        self.critic_seconds, self.timed_steps = game["critic_seconds"], game["timed_steps"]
        for name, state in game["streams"].items():
            self.streams[name] = torch.Generator(self.device)
            self.streams[name].set_state(state.cpu())
