"""The one Lightning module: draws samples, keeps counters and streams, and calls the two steps of the game."""

import hashlib
import os
import time
from copy import deepcopy
from dataclasses import replace
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..objectives.base import Batch, Objective, prepared
from ..objectives.errors import unknown
from ..objectives.game import critic_step, generator_step, round_outputs_up
from .acceleration import ACCELERATIONS, Iteration, prepare
from .networks import Networks, draw_latent
from .precision import PRECISIONS, autocast, tensor_float32
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
        accelerate: `none`, `graph` (an iteration is one CUDA graph) or `compile`; for objectives that are capturable.
        precision: `32`, `tf32` or `bf16`, of the networks in training. With `bf16` penalties and backward passes stay
            float32; `tf32` is of every matrix product and convolution.
    """

    drawing = ("data", "latent", "objective")  # the streams that an iteration draws from

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        recipe: Recipe,
        data: RealData,
        *,
        steps: int,
        seed: int,
        accelerate: str = "none",
        precision: str = "32",
    ) -> None:
        super().__init__()
        if accelerate not in ACCELERATIONS:
            raise unknown("accelerate", accelerate, list(ACCELERATIONS))
        if precision not in PRECISIONS:
            raise unknown("precision", precision, list(PRECISIONS))
        self.accelerate, self.precision = accelerate, precision
        self.automatic_optimization = False
        self.networks, self.recipe, self.data, self.steps, self.seed = networks, recipe, data, steps, seed
        self.objective = objective
        self.generator = networks.generator
        self.critic = prepared(objective, networks.critic)
        self.average = None if recipe.ema is None else deepcopy(self.generator).requires_grad_(False)
        self.newest = torch.ones(())  # the generator's weight in the average; where a captured iteration reads it
        if precision == "bf16":
            round_outputs_up(self.generator, self.critic)
        self.updates = 0
        self.updates_on_device: Tensor | None = None  # in place of `updates` in a captured iteration
        self.critic_seconds = 0.0  # of the last iteration in each chunk; not known of an accelerated one
        self.timed_steps = 0
        self.preparation_seconds = 0.0  # that captures and compilations took
        self.streams: dict[str, torch.Generator] = {}
        self.scalars = torch.zeros(CHUNK, len(SCALARS))
        self.game_optimizers: tuple[Optimizer, ...] = ()  # generator's, critic's
        self._iteration: Iteration | None = None

    @property
    def sampler(self) -> nn.Module:
        """The generator that is evaluated: the moving average where the recipe asks for one."""
        return self.generator if self.average is None else self.average

    def configure_optimizers(self) -> list[Optimizer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Generator first, critic second."""
        recipe = self.recipe
        return [
            recipe.make_optimizer(self.generator.parameters(), recipe.lr, self.accelerate),
            recipe.make_optimizer(self.critic.parameters(), recipe.critic_lr or recipe.lr, self.accelerate),
        ]

    def on_train_start(self) -> None:
        """The optimisers are taken out of Lightning's wrappers."""
        generator_optimizer, critic_optimizer = self.optimizers(use_pl_optimizer=False)  # pyright: ignore[reportGeneralTypeIssues]
        self.begin(generator_optimizer, critic_optimizer)

    def begin(self, generator_optimizer: Optimizer, critic_optimizer: Optimizer) -> None:
        """What iterations need beside the networks comes to where those lie."""
        self.game_optimizers = (generator_optimizer, critic_optimizer)
        self.scalars, self.newest = self.scalars.to(self.device), self.newest.to(self.device)
        for group in (group for optimizer in self.game_optimizers for group in optimizer.param_groups):
            if isinstance(group["lr"], Tensor):  # a checkpoint brings it back on the host
                group["lr"] = group["lr"].to(self.device)

    def on_train_end(self) -> None:
        """The captured iteration goes, and its memory with it."""
        self._iteration = None

    def training_step(self, *args: Any) -> None:
        """One full iteration; Lightning's batch is only a tick, the samples come from the data stream."""
        self._set_rates()
        if self.precision == "tf32":
            with tensor_float32(True):
                scalars = self._run_iteration()
        else:
            scalars = self._run_iteration()
        self.scalars[self.updates % CHUNK] = scalars
        self.updates += 1

    def _run_iteration(self) -> Tensor:
        if self.accelerate == "none":
            # Where the scalars are fetched anyway, the clock may wait for the device.
            return self.iterate(timed=(self.updates + 1) % CHUNK == 0)
        if self._iteration is None:
            start = self._clock(wait=True)
            self._iteration = prepare(self)
            self.preparation_seconds += self._clock(wait=True) - start
        return self._iteration()

    def iterate(self, timed: bool = False) -> Tensor:
        """n_critic critic steps and one generator step, operation by operation; its scalars [len(SCALARS)]."""
        start = self._clock(timed)
        for _ in range(self.recipe.n_critic - 1):
            self.update_critic(self.draw_batch())
        batch = self.draw_batch()
        scalars = self.update_critic(batch)
        if timed:
            self.critic_seconds += self._clock(timed) - start
            self.timed_steps += self.recipe.n_critic
        real, latent = self.draw_for_generator(batch.real)
        scalars |= self.update_generator(latent, replace(batch, real=real))
        self.update_average()
        return torch.stack([scalars[name] for name in SCALARS])

    def update_critic(self, batch: Batch) -> dict[str, Tensor]:
        """One critic step in the run's precision; see `critic_step`."""
        with autocast(self.precision, self.device):
            return critic_step(self.objective, self.critic, batch, self.game_optimizers[1])

    def update_generator(self, latent: Tensor, batch: Batch) -> dict[str, Tensor]:
        """One generator step in the run's precision; see `generator_step`."""
        with autocast(self.precision, self.device):
            return generator_step(self.objective, self.generator, self.critic, latent, batch, self.game_optimizers[0])

    def stream(self, name: str) -> torch.Generator:
        """The named random stream, on the device of training; made at its first use, or restored from a checkpoint."""
        if name not in self.streams:
            self.streams[name] = torch.Generator(self.device).manual_seed(stream_seed(self.seed, name))
        return self.streams[name]

    def draw_batch(self) -> Batch:
        """Real samples and detached fakes for one critic step, from the data and latent streams."""
        step: Any = self.updates if self.updates_on_device is None else self.updates_on_device
        return self.batch_of(self.draw_real(), self.draw_latent(self.recipe.batch, "latent"), step)

    def batch_of(self, real: Tensor, latent: Tensor, step: int) -> Batch:
        """These real samples, and detached fakes from these latents."""
        with torch.no_grad(), autocast(self.precision, self.device):
            fake = self.generator(latent)
        return Batch(real, fake, None, step, self.stream("objective"))

    def draw_for_generator(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator's step takes: the critic's real samples, or as many as it has fakes; and latents."""
        n = self.recipe.generator_batch or self.recipe.batch
        return real if n == len(real) else self.draw_real(n), self.draw_latent(n, "latent")

    def draw_real(self, n: int | None = None) -> Tensor:
        """A minibatch of real samples, of the recipe's size unless told, from the data stream."""
        return self.data.sample(n or self.recipe.batch, self.stream("data"))

    def draw_latent(self, n: int, stream: str) -> Tensor:
        """n latents from the named stream."""
        return draw_latent(self.networks, n, self.stream(stream))

    def _set_rates(self) -> None:
        recipe = self.recipe
        if recipe.ema is not None:
            self.newest.fill_(1 - recipe.average_decay(self.updates))
        if recipe.decay == "none":
            return
        for optimizer, lr in zip(self.game_optimizers, (recipe.lr, recipe.critic_lr or recipe.lr), strict=True):
            rate, group = recipe.rate(lr, self.updates, self.steps), optimizer.param_groups[0]
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)  # where it lies: a captured iteration reads it there
            else:
                group["lr"] = rate

    @torch.no_grad()
    def update_average(self) -> None:
        """A moving average of parameters and running statistics; torch's AveragedModel waits for the device in each."""
        if self.average is None:
            return
        mean, now = ([*m.parameters(), *m.buffers()] for m in (self.average, self.generator))
        floats = [i for i, tensor in enumerate(mean) if tensor.is_floating_point()]
        changes = torch._foreach_sub([now[i] for i in floats], [mean[i] for i in floats])  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_mul_(changes, self.newest)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_add_([mean[i] for i in floats], changes)  # pyright: ignore[reportPrivateImportUsage]
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
            "preparation_seconds": self.preparation_seconds,
            "scalars": self.scalars.cpu(),
            "streams": {name: rng.get_state() for name, rng in self.streams.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The counterpart of `on_save_checkpoint`."""
        game = checkpoint["game"]
        self.updates, self.scalars = game["updates"], game["scalars"]
        self.critic_seconds, self.timed_steps = game["critic_seconds"], game["timed_steps"]
        self.preparation_seconds = game["preparation_seconds"]
        for name, state in game["streams"].items():
            self.streams[name] = torch.Generator(self.device)
            self.streams[name].set_state(state.cpu())
