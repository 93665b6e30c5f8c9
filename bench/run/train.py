"""Builds the networks and the objective of a run and trains them. Writes no record."""

import logging
import random
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_utilities.core.rank_zero import rank_zero_only

from ...models.acceleration import refusal
from ...models.gan import GAN
from ...models.iteration import Iteration, stream_seed
from ...models.networks import Networks, Unsuited
from ...objectives.base import Objective
from ...objectives.conditioning import bound
from ..config.architectures import build_architecture
from ..config.entry_points import ARCHITECTURE, OBJECTIVE
from ..config.plugins import build_objective, check_same, find_objective
from ..config.spec import RunSpec
from ..data.dataset import Dataset
from .checkpoint import RESUME, Checkpointer
from .context import RunContext
from .evaluation import Evaluator
from .loggers import RunLogging


class Skipped(Exception):
    """A run makes no sense; the message says why."""


def build(spec: RunSpec, data: Dataset, suite_folder: Path) -> GAN:
    """The Lightning module of a run; initial weights depend on its seed alone.

    Raises:
        Skipped: where networks, objective and data do not go together.
        BadInput: where a plug-in is not what it was when the sweep began, or refuses its arguments.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(spec.seed, "weights"))
        networks, objective = build_parts(spec, data, suite_folder)
        iteration = Iteration(
            networks,
            objective,
            spec.recipe_spec,
            data,
            steps=spec.steps,
            seed=spec.seed,
            accelerate=spec.accelerate,
            precision=spec.precision,
        )
    return GAN(iteration)


def build_parts(spec: RunSpec, data: Dataset, suite_folder: Path) -> tuple[Networks, Objective]:
    """Networks and objective of a run; raises as `build`."""
    if spec.skip is not None:
        raise Skipped(spec.skip)
    try:
        networks = with_fixed_fakes(build_networks(spec, data.shape, suite_folder), data)
    except Unsuited as reason:
        raise Skipped(str(reason)) from reason
    objective = _build_objective(spec, suite_folder)
    with bound(networks.critic, torch.zeros(1, dtype=torch.int64) if networks.classes else None):
        reason = objective.skip_reason(networks.critic, data.shape)
    if reason is None:
        reason = refusal(spec.accelerate, objective, spec.recipe_spec, resident=data.feed is None)
    if reason is not None:
        raise Skipped(reason)
    return networks, objective


def build_networks(spec: RunSpec, shape: tuple[int, ...], suite_folder: Path) -> Networks:
    """The run's architecture for samples of this shape. Raises as `build_architecture`; BadInput for a changed file."""
    check_same(ARCHITECTURE, spec.architecture_target, spec.sources.get("architecture"), suite_folder)
    return build_architecture(spec.architecture_spec, spec.architecture_target, shape, suite_folder)


def with_fixed_fakes(networks: Networks, data: Dataset) -> Networks:
    """The networks, with the maker of the data's fakes for a generator where these are fixed."""
    if data.pair is None:
        return networks
    return replace(networks, generator=data.pair, latent_dim=data.shape[0], latent="uniform", classes=0)


def _build_objective(spec: RunSpec, suite_folder: Path) -> Objective:
    found = find_objective(spec.objective_target, suite_folder)
    check_same(OBJECTIVE, spec.objective_target, spec.source, suite_folder)
    return build_objective(found, spec.arguments, spec.objective)


def seed_globally(seed: int) -> None:
    """For plug-ins that draw from the global streams against the contract: they shall be repeatable at least."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def fit(module: GAN, evaluator: Evaluator, loggers: RunLogging, context: RunContext, folder: Path) -> None:
    """Trains, from the newest checkpoint in the run's folder if there is one; the module stays on its device."""
    checkpointer = Checkpointer(folder / RESUME, context.checkpoint_seconds)
    on_gpu = context.device.startswith("cuda")
    vars(rank_zero_only)["rank"] = 0  # whatever the environment said when Lightning was imported
    with _interruptible(), warnings.catch_warnings():
        # Advice on data loaders, on checkpoints of others, and that a logger starts afresh.
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        trainer = make_trainer(
            [evaluator, loggers, checkpointer],
            accelerator="gpu" if on_gpu else "cpu",
            devices=[int(context.device.partition(":")[2] or 0)] if on_gpu else 1,
            plugins=[LightningEnvironment()],  # a run is one process, whatever queue it was started from
        )
        with loggers:
            trainer.fit(module, ckpt_path=checkpointer.latest(), weights_only=True)
    module.to(context.device)  # Lightning leaves it on the CPU, and what follows draws and measures where it lies


def make_trainer(callbacks: Sequence[pl.Callback] = (), **settings: Any) -> pl.Trainer:
    """A trainer of one epoch that prints and writes nothing, with these callbacks alone.

    Lightning adds those that any installed package registers; they would change runs and stand in no record.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    trainer = pl.Trainer(
        callbacks=[*callbacks],
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.callbacks = [*callbacks]  # pyright: ignore[reportAttributeAccessIssue]  # which Lightning sets itself
    return trainer


@contextmanager
def _interruptible() -> Iterator[None]:
    """Puts the handler of Ctrl-C back, which Lightning leaves off after the first one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
