"""Watches a run from outside: evaluates it on schedule, judges divergence, keeps its history. Changes nothing in it."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ...models.dcgan import to_uint8
from ...models.gan import GAN
from ...models.iteration import CHUNK, Iteration, stream_seed
from ...models.networks import draw_latent
from ...models.real_data import LabelledData
from ...objectives.conditioning import bound
from ..data.dataset import Dataset
from ..metrics import stability
from ..metrics.catalog import FAMILIES
from ..metrics.divergence import Divergence
from ..metrics.settings import NOTHING, Brought, Evaluation
from .hardware import PeakMemory

PROBE = 256  # samples behind slopes, the critic's estimate and the spread; fewer where fewer reals are held out
SNAPSHOT = {True: 512, False: 64}  # samples kept for pictures: points, images
ROWS = 10  # at least, of images of a conditional generator


def evaluation_steps(steps: int, count: int) -> set[int]:
    """After which updates a run of `steps` is evaluated: 0, and `count` evenly spaced ones up to the last."""
    count = min(count, steps)
    return {round(steps * i / count) for i in range(count + 1)}


class Quality:
    """The metrics of one run, with protocol and floors: W1 and modes on points, on images what
    `protocols.image_metrics` says; `weights` are inception's. `modes` counts those of stacked MNIST. On a pair whose
    fakes are fixed they are the `critic`'s; elsewhere those that are `brought` stand beside.
    """

    def __init__(
        self,
        data: Dataset,
        evaluation: Evaluation,
        rng: torch.Generator,
        weights: Path | None = None,
        critic: nn.Module | None = None,
        brought: Brought = NOTHING,
        conditional: bool = False,
    ) -> None:
        self.modes = None
        self.measure: Any = None
        self.floors: dict[str, float] = {}
        if data.pair is not None:
            self.measure, self.floors = FAMILIES["pairs"](data, evaluation, rng, critic)
        elif data.is_points:
            self.measure, self.floors = FAMILIES["points"](data, evaluation, rng)
        elif evaluation.of_images:
            how = weights, brought.extractor, conditional
            self.measure, self.floors = FAMILIES["images"](data, evaluation, rng.device, *how)
        if brought.metrics and data.pair is None:
            family = FAMILIES["brought"]
            self.measure, floors = family(self.measure, data, evaluation, rng.device, brought.metrics)
            self.floors = self.floors | floors
        self.n_fake, self.protocol = self.measure.n_fake, self.measure.protocol
        if data.name in FAMILIES:
            self.modes = FAMILIES[data.name](self.n_fake, rng.device)
            self.protocol = self.protocol | self.modes.protocol

    def measured(self, fake: Tensor, labels: Tensor | None) -> dict[str, float]:
        """All metrics of fakes [≥ n_fake, …] and, of a conditional generator, the classes asked for [≥ n_fake]."""
        found = self.measure(fake[: self.n_fake], labels)
        return found if self.modes is None else found | self.modes(fake)


class Evaluator(pl.Callback):
    """Evaluates at step 0 and at `count` evenly spaced steps; fetches the scalars every CHUNK iterations.

    After the run: `history` (a row an evaluation), `divergence`, `snapshots`, `quality`, `train_seconds` (without
    evaluations), and `seconds_before`, the time that went into the run before it was last resumed.
    """

    def __init__(
        self,
        data: Dataset,
        evaluation: Evaluation,
        steps: int,
        weights: Path | None = None,
        memory: PeakMemory | None = None,
        brought: Brought = NOTHING,
    ) -> None:
        self.data, self.evaluation, self.steps, self.weights = data, evaluation, steps, weights
        self.brought = brought
        self.memory = memory or PeakMemory("cpu")
        self.schedule = evaluation_steps(steps, evaluation.count)
        self.history: list[dict[str, float]] = []
        self.snapshots: list[tuple[int, Tensor]] = []
        self.divergence = Divergence(steps)
        self.train_seconds = 0.0
        self.seconds_before = 0.0
        self.quality: Quality | None = None
        self.spread_of_real = 1.0
        self._since = self._start = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, GAN)
        pl_module.pauses.update(self.schedule, {1})
        iteration = pl_module.iteration
        rng = iteration.stream("evaluation")
        how = self.weights, iteration.critic, self.brought, iteration.networks.classes > 0
        self.quality = Quality(self.data, self.evaluation, rng, *how)
        fixed = torch.Generator(iteration.device).manual_seed(0)
        self.spread_of_real = stability.mean_distance(self.data.held_out_at_most(PROBE, fixed))
        if not self.history:
            self._judge(iteration)
            self._evaluate(iteration)
        self._since = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        iteration = iteration_of(pl_module)
        step = iteration.updates
        if step == 1 and iteration.trains_generator:
            self.divergence.gradient(1, stability.gradient_norm(iteration.generator) or 0.0)
        scheduled = step in self.schedule
        if not scheduled and step % CHUNK:
            return
        self.train_seconds += self._clock(iteration) - self._since
        self._judge(iteration)
        if scheduled or self.divergence.fatal:
            self._evaluate(iteration)
        trainer.should_stop = trainer.should_stop or self.divergence.fatal
        self._since = time.perf_counter()

    @torch.no_grad()
    def _judge(self, iteration: Iteration) -> None:
        """Fetches the scalars since the last look, and looks at the critic's output and the weights."""
        step = iteration.updates
        new = (step - 1) % CHUNK + 1 if step else 0
        self.divergence.losses(step, iteration.scalars[:new].isfinite().all(dim=1).tolist())
        real, labels = iteration.draw_real(PROBE, iteration.stream("evaluation"))
        with stability.evaluating(iteration.critic), bound(iteration.critic, labels):
            output = iteration.critic(real).abs().mean().item()
        weights = stability.weight_norm(iteration.critic) + stability.weight_norm(iteration.generator)
        self.divergence.output(step, output, weights)

    def _evaluate(self, iteration: Iteration) -> None:
        step, recipe = iteration.updates, iteration.recipe
        row: dict[str, float] = {
            "step": step,
            "critic_steps": step * recipe.n_critic,
            "images": step * recipe.n_critic * iteration.batch,
            "seconds": self.train_seconds,
        }
        with self.memory.apart(), stability.evaluating(iteration.generator, iteration.sampler, iteration.critic):
            row |= self._measure(iteration)
        self.history.append(row)

    def _measure(self, iteration: Iteration) -> dict[str, float]:
        assert self.quality is not None
        rng = iteration.stream("evaluation")
        with torch.no_grad():
            n = max(PROBE, self.quality.n_fake)
            asked = asked_classes(iteration, n, rng)
            fake = generate(iteration, n, rng, asked)
            self._snapshot(iteration)
        found = self.quality.measured(fake, asked)
        real, labels = self._held_out(iteration, rng)
        with torch.no_grad():
            probe = fake[: len(real)] if labels is None else generate(iteration, len(real), rng, labels)
        found |= _last_scalars(iteration)
        with bound(iteration.critic, labels):
            found |= stability.critic_slopes(iteration.critic, real, probe, rng)
            with torch.no_grad():
                estimate = (iteration.critic(real).mean() - iteration.critic(probe).mean()).item()
        with bound(iteration.critic, None if labels is None else labels[:1]):
            sigmas = stability.singular_values(iteration.critic, probe[:2])
        spread = {}
        if iteration.trains_generator:
            spread = {"sample_spread": stability.mean_distance(probe) / self.spread_of_real}
        found |= {"critic_estimate": estimate, **spread, "sigma_max": _largest(sigmas)}
        if (clip := getattr(iteration.objective, "clip", None)) is not None:
            found["clipped_share"] = stability.clipped_share(iteration.critic, clip)
        if spread and iteration.updates:
            norm = stability.gradient_norm(iteration.generator) or 0.0
            found["generator_grad_norm"] = norm
            self.divergence.gradient(iteration.updates, norm)
            self.divergence.spread(iteration.updates, spread["sample_spread"])
        return found

    def _held_out(self, iteration: Iteration, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        if iteration.networks.classes:
            return self.data.held_out_labelled(PROBE, rng)
        return self.data.held_out_at_most(PROBE, rng), None

    def _snapshot(self, iteration: Iteration) -> None:
        """Samples from latents that stay the same through the run; images of a conditional generator in rows of one
        class.
        """
        rng = torch.Generator(iteration.device).manual_seed(stream_seed(iteration.seed, "snapshot"))
        n, labels = SNAPSHOT[self.data.is_points], None
        if self.data.is_images and iteration.networks.classes:
            labels = rows_of_classes(iteration.networks.classes).to(iteration.device)
            n = len(labels)
        samples = iteration.sampler(draw_latent(iteration.networks, n, rng, labels=labels))
        kept = samples if self.data.is_points else to_uint8(samples)
        self.snapshots.append((iteration.updates, kept.cpu()))

    def _clock(self, iteration: Iteration) -> float:
        if iteration.device.type == "cuda":
            torch.cuda.synchronize(iteration.device)
        return time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: lists, numbers and tensors only."""
        now = time.perf_counter()
        return {
            "history": self.history,
            "snapshots": self.snapshots,
            "divergence": self.divergence.state(),
            "train_seconds": self.train_seconds + now - self._since,
            "seconds": self.seconds_before + now - self._start,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The counterpart of `state_dict`."""
        self.history, self.train_seconds = state_dict["history"], state_dict["train_seconds"]
        self.seconds_before = state_dict["seconds"]
        self.snapshots = [tuple(pair) for pair in state_dict["snapshots"]]
        self.divergence = Divergence(**state_dict["divergence"])


def rows_of_classes(classes: int) -> Tensor:
    """The classes of a square picture in which each row has one: of all, or of the first ROWS."""
    shown = min(classes, ROWS)
    side = shown * -(-ROWS // shown)
    return (torch.arange(side) * shown // side).repeat_interleave(side)


def asked_classes(iteration: Iteration, n: int, rng: torch.Generator) -> Tensor | None:
    """n classes to ask a conditional generator for, as frequent as in the training data; None for another one."""
    if not iteration.networks.classes:
        return None
    assert isinstance(iteration.data, LabelledData)
    return iteration.data.draw_labels(n, rng)


def generate(
    iteration: Iteration, n: int, rng: torch.Generator, labels: Tensor | None = None, batch: int = 1000
) -> Tensor:
    """[n, …] samples of the generator that is evaluated, from latents of this stream, so many at a time.

    `labels` [n] are the classes asked for, of a conditional generator.
    """
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    asked = [None] * len(sizes) if labels is None else labels.split(sizes)
    return torch.cat(
        [
            iteration.sampler(draw_latent(iteration.networks, size, rng, labels=part))
            for size, part in zip(sizes, asked, strict=True)
        ]
    )


def iteration_of(module: pl.LightningModule) -> Iteration:
    """What a Lightning module of ours trains."""
    assert isinstance(module, GAN)
    return module.iteration


def _largest(values: dict[str, float]) -> float:
    """NaN if one of them is (Python's max depends on their order then), or if there are none."""
    return float(np.max(list(values.values()))) if values else float("nan")


def _last_scalars(iteration: Iteration) -> dict[str, float]:
    if not iteration.updates:
        return {}
    critic_loss, penalty, generator_loss = iteration.scalars[(iteration.updates - 1) % CHUNK].tolist()
    of_generator = {"generator_loss": generator_loss} if iteration.trains_generator else {}
    return {"critic_loss": critic_loss, "penalty": penalty, **of_generator}
