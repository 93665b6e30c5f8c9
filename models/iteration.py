"""One iteration of a training, in plain torch: networks, random streams, optimisers, moving average. No Lightning here.

The two steps of the game are objectives/game.py's; faster ways to run an iteration are acceleration.py's.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Adam, Optimizer, RMSprop

from ..objectives.base import Batch, Objective, prepared
from ..objectives.errors import unknown
from ..objectives.game import apply_gradients, critic_step, generator_gradients, generator_step, round_outputs_up
from .networks import Networks, classes_asked, draw_latent
from .options import ACCELERATIONS, PRECISIONS
from .precision import autocast, tensor_float32
from .real_data import LabelledData, RealData, dequantised
from .recipe import Recipe

STREAMS = ("data", "latent", "objective", "evaluation")
SCALARS = ("critic_loss", "penalty", "generator_loss")
CHUNK = 50  # iterations between two fetches of the scalars from the device

Accelerated = Callable[[], Tensor]  # in place of `Iteration.once`
Update = Callable[[Tensor, Tensor], list[Tensor]]  # of a network, from real samples and latents; its scalars


def stream_seed(seed: int, name: str) -> int:
    """A seed of 63 bits for the named stream of a run; streams of different names or seeds are unrelated."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1


def make_optimizer(recipe: Recipe, parameters: Iterable[Parameter], lr: float, accelerate: str = "none") -> Optimizer:
    """The recipe's optimiser over these parameters, which lie on their device already.

    A captured or compiled iteration (`accelerate`) reads a rate that decays from a tensor on the device.
    """
    parameters, capturable = list(parameters), accelerate == "graph"
    rate: float | Tensor = lr
    if recipe.decay != "none" and accelerate != "none":
        rate = torch.tensor(lr, device=parameters[0].device)
    if recipe.optimizer == "rmsprop":
        return RMSprop(parameters, lr=rate, foreach=True, capturable=capturable)
    betas = (float(recipe.betas[0]), float(recipe.betas[1]))
    return Adam(parameters, lr=rate, betas=betas, fused=True, capturable=capturable)


class Iteration:
    """A generator, its critic and all that their training keeps; `run` makes full iterations.

    An iteration is n_critic critic steps and one generator step; the latter is left out where the generator has nothing
    to train, and counts as an update all the same. Before the first one, and after a checkpoint is
    loaded, the networks come to their device, then `make_optimizers` and `begin` follow.

    Args:
        networks: generator, unprepared critic and latent law.
        objective: what is minimised.
        recipe: how.
        data: real samples on the device of training; `LabelledData` for conditional networks.
        steps: generator updates in the whole run, for schedules.
        seed: of the four random streams.
        accelerate: `none`, `graph` (an iteration is one CUDA graph) or `compile`; for objectives that are capturable.
        precision: `32`, `tf32` or `bf16`, of the networks in training. With `bf16` penalties and backward passes stay
            float32; `tf32` is of every matrix product and convolution.

    Attributes:
        parts: the modules by name: objective, generator, (prepared) critic, and average where there is one.
        updates: generator updates so far.
        updates_on_device: the same, where an accelerated iteration reads it; else None.
        scalars: [CHUNK, len(SCALARS)], on the device; row `updates % CHUNK` is the next one's.
        critic_seconds: of the critic steps in the last iteration of each chunk; not known of an accelerated one.
        timed_steps: the number of these steps.

    Raises:
        BadInput: for an unknown acceleration or precision.
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
        if accelerate not in ACCELERATIONS:
            raise unknown("accelerate", accelerate, list(ACCELERATIONS))
        if precision not in PRECISIONS:
            raise unknown("precision", precision, list(PRECISIONS))
        self.networks, self.objective, self.recipe, self.data = networks, objective, recipe, data
        self.steps, self.seed, self.accelerate, self.precision = steps, seed, accelerate, precision
        self.generator = networks.generator
        self.trains_generator = any(parameter.requires_grad for parameter in self.generator.parameters())
        self.critic = prepared(objective, networks.critic)
        self.average = None if recipe.ema is None else deepcopy(self.generator).requires_grad_(False)
        if precision == "bf16":
            round_outputs_up(self.generator, self.critic)
        self.parts = nn.ModuleDict({"objective": objective, "generator": self.generator, "critic": self.critic})
        if self.average is not None:
            self.parts["average"] = self.average
        self.optimizers: tuple[Optimizer, ...] = ()  # the generator's, if it is trained, and the critic's
        self.newest = torch.ones(())  # the generator's weight in the average; where a captured iteration reads it
        self.scalars = torch.zeros(CHUNK, len(SCALARS))
        self.updates = 0
        self.updates_on_device: Tensor | None = None
        self.critic_seconds, self.timed_steps = 0.0, 0
        self._streams: dict[str, torch.Generator] = {}
        self._stream_states: dict[str, Tensor] = {}  # of a checkpoint, until a stream is first used

    @property
    def device(self) -> torch.device:
        """Where the networks lie."""
        return next(self.critic.parameters()).device

    @property
    def batch(self) -> int:
        """Samples in the critic's minibatch: of a packed critic, in as many packs as the recipe has samples."""
        return self.recipe.batch * self.networks.packing

    @property
    def sampler(self) -> nn.Module:
        """The generator that is evaluated: the moving average where the recipe asks for one."""
        return self.generator if self.average is None else self.average

    def make_optimizers(self) -> tuple[Optimizer, ...]:
        """The generator's, if it is trained, and the critic's, new."""
        networks = [self.generator, self.critic] if self.trains_generator else [self.critic]
        made = [
            make_optimizer(self.recipe, network.parameters(), rate, self.accelerate)
            for network, rate in zip(networks, self._rates(), strict=True)
        ]
        self.optimizers = tuple(made)
        return self.optimizers

    def begin(self) -> None:
        """What iterations need beside the networks comes to where those lie."""
        device = self.device
        self.scalars, self.newest = self.scalars.to(device), self.newest.to(device)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            if isinstance(group["lr"], Tensor):  # a checkpoint brings it back on the host
                group["lr"] = group["lr"].to(device)

    def run(self, count: int, accelerated: Accelerated | None = None) -> None:
        """That many full iterations, one by one or as `acceleration.prepare` made them."""
        with self.numerics():
            for _ in range(count):
                self._set_rates()
                row = self.updates % CHUNK
                # Where the scalars are fetched anyway, the clock may wait for the device.
                self.scalars[row] = self.once(timed=row == CHUNK - 1) if accelerated is None else accelerated()
                self.updates += 1

    def numerics(self) -> AbstractContextManager[Any]:
        """The context in which iterations run, and are captured or compiled."""
        return tensor_float32(True) if self.precision == "tf32" else nullcontext()

    def once(
        self, timed: bool = False, update_critic: Update | None = None, update_generator: Update | None = None
    ) -> Tensor:
        """n_critic critic steps and one generator step, by the methods of these names or what replaces them.

        Returns:
            The scalars [len(SCALARS)] of the last critic step and the generator step; 0 for a step that is left out.
        """
        update_critic, update_generator = update_critic or self.update_critic, update_generator or self.update_generator
        start = self._clock(timed)
        for _ in range(self.recipe.n_critic - 1):
            update_critic(*self.draw(self.batch))
        real, latent = self.draw(self.batch)
        if self.recipe.updates == "simultaneous" and self.trains_generator:
            scalars = self.update_both(real, latent)
            self.update_average()
            return torch.stack(scalars)
        scalars = update_critic(real, latent)
        if timed:
            self.critic_seconds += self._clock(timed) - start
            self.timed_steps += self.recipe.n_critic
        if self.trains_generator:
            scalars = [*scalars, *update_generator(*self.draw_for_generator(real, latent))]
        else:
            scalars = [*scalars, torch.zeros_like(scalars[0])]
        self.update_average()
        return torch.stack(scalars)

    def update_critic(self, real: Tensor, latent: Tensor) -> list[Tensor]:
        """One critic step in the run's precision: `critic_loss` and `penalty`; see `critic_step`."""
        with torch.no_grad(), autocast(self.precision, real.device):
            fake = self.generator(latent)
        with autocast(self.precision, real.device):
            scalars = critic_step(self.objective, self.critic, self._batch(real, fake, latent), self.optimizers[-1])
        return [scalars["critic_loss"], scalars["penalty"]]

    def update_generator(self, real: Tensor, latent: Tensor) -> list[Tensor]:
        """One generator step in the run's precision: `generator_loss`; see `generator_step`, which makes the fakes."""
        batch = self._batch(real, real, latent)
        with autocast(self.precision, real.device):
            scalars = generator_step(self.objective, self.generator, self.critic, latent, batch, self.optimizers[0])
        return [scalars["generator_loss"]]

    def update_both(self, real: Tensor, latent: Tensor) -> list[Tensor]:
        """Both steps from where the networks are, as in PacGAN's code: no one's gradient sees the other's step."""
        batch = self._batch(real, real, latent)
        with autocast(self.precision, real.device):
            scalars = generator_gradients(
                self.objective, self.generator, self.critic, latent, batch, self.optimizers[0]
            )
        of_critic = self.update_critic(real, latent)
        apply_gradients(self.optimizers[0], real.device.type)
        return [*of_critic, scalars["generator_loss"]]

    def _batch(self, real: Tensor, fake: Tensor, latent: Tensor) -> Batch:
        step: Any = self.updates if self.updates_on_device is None else self.updates_on_device
        return Batch(real, fake, classes_asked(self.networks, latent), step, self.stream("objective"))

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """n real samples and n latents, from their streams; of conditional networks latent i has real i's class."""
        real, labels = self.draw_real(n, self.stream("data"))
        if self.recipe.dequantise == "uniform":
            real = dequantised(real, self.stream("data"))
        return real, self._draw_latent(n, labels)

    def draw_for_generator(self, real: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator's step takes: the critic's real samples, or as many as it has fakes; and latents.

        `latent` are the critic's, whose classes are asked for again with its real samples.
        """
        n = (self.recipe.generator_batch or self.recipe.batch) * self.networks.packing
        if n != len(real):
            return self.draw(n)
        return real, self._draw_latent(n, classes_asked(self.networks, latent))

    def draw_real(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """n real samples from this stream, and their labels where the networks are conditional."""
        if not self.networks.classes:
            return self.data.sample(n, rng), None
        assert isinstance(self.data, LabelledData), "conditional networks need data with labels"
        return self.data.labelled(n, rng)

    def _draw_latent(self, n: int, labels: Tensor | None) -> Tensor:
        return draw_latent(self.networks, n, self.stream("latent"), labels=labels)

    def stream(self, name: str) -> torch.Generator:
        """The named random stream, on the device of training; made at its first use."""
        if name not in self._streams:
            rng = torch.Generator(self.device)
            if name in self._stream_states:
                rng.set_state(self._stream_states.pop(name).cpu())
            else:
                rng.manual_seed(stream_seed(self.seed, name))
            self._streams[name] = rng
        return self._streams[name]

    def _set_rates(self) -> None:
        recipe = self.recipe
        if self.updates_on_device is not None:
            self.updates_on_device.fill_(self.updates)
        if recipe.ema is not None:
            self.newest.fill_(1 - recipe.average_decay(self.updates))
        if recipe.decay == "none":
            return
        for optimizer, lr in zip(self.optimizers, self._rates(), strict=True):
            rate, group = recipe.rate(lr, self.updates, self.steps), optimizer.param_groups[0]
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)  # where it lies: a captured iteration reads it there
            else:
                group["lr"] = rate

    def _rates(self) -> list[float]:
        """The learning rates at the start, an optimiser each."""
        critic = self.recipe.critic_lr or self.recipe.lr
        return [self.recipe.lr, critic] if self.trains_generator else [critic]

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

    def state(self) -> dict[str, Any]:
        """Counters, scalars and streams, for a checkpoint; only tensors and numbers, so `weights_only` loads it."""
        return {
            "updates": self.updates,
            "critic_seconds": self.critic_seconds,
            "timed_steps": self.timed_steps,
            "scalars": self.scalars.cpu(),
            "streams": self._stream_states | {name: rng.get_state() for name, rng in self._streams.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """The counterpart of `state`."""
        self.updates, self.scalars = state["updates"], state["scalars"]
        self.critic_seconds, self.timed_steps = state["critic_seconds"], state["timed_steps"]
        self._streams, self._stream_states = {}, dict(state["streams"])
