"""One run from its specification to its record: builds, trains, measures, writes. Knows nothing of other runs."""

import gc
import json
import logging
import platform
import random
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import save

from ...models.acceleration import check_capability, refusal
from ...models.catalog import ARCHITECTURES
from ...models.dcgan import to_uint8
from ...models.gan import GAN
from ...models.iteration import Iteration, stream_seed
from ...models.networks import Networks, Unsuited
from ...models.options import check_device
from ...models.precision import repeatable_float32
from ...objectives.base import Objective
from ...objectives.errors import BadInput
from ..config.plugins import build_objective, find_objective
from ..config.spec import SCHEMA_VERSION, RunSpec
from ..data.catalog import load, user_content
from ..data.dataset import Dataset
from ..data.prefetch import fits
from ..metrics import stability
from ..records.store import Store, disk_trouble, telling_disk_trouble, write_json, write_text
from ..records.summary import summarise
from ..report.samples import write_picture
from .checkpoint import Checkpointer, clear
from .context import RunContext
from .evaluation import SNAPSHOT, Evaluator
from .fresh import measure_again
from .machine import PeakMemory, device_name, reset_peak_memory, versions

RESUME = "resume"  # the folder of a run's checkpoints while it is under way
ATTEMPTS = "attempts"  # a file in there, a line for every time the run was begun
LOGGERS = {"csv": CSVLogger, "tensorboard": TensorBoardLogger}


def run(spec: RunSpec, context: RunContext) -> dict[str, Any]:
    """Makes a run, or goes on with an interrupted one, and puts its record in place. An error becomes the result.

    Returns:
        The content of result.json.

    Raises:
        BadInput: if the disk is full: the run goes on from its checkpoint another time.
        MemoryError: if memory runs out: it may go on from its checkpoint, once others have left some.
        KeyboardInterrupt: if the process is told to stop (SIGINT, SIGTERM), likewise.
    """
    with telling_disk_trouble(context.folder):
        return _run(spec, context)


def _run(spec: RunSpec, context: RunContext) -> dict[str, Any]:
    store = Store(context.folder)
    folder = store.partial(spec.id)
    _check_kind_of_device(folder, context)
    _count_attempt(folder)
    torch.set_num_threads(context.threads)
    start = time.perf_counter()
    made_on = {"device": device_name(context.device), "threads": context.threads}
    write_json(folder / "spec.json", spec.record() | made_on)
    try:
        result = _skip_or_train(spec, context, folder)
    except (Exception, SystemExit) as error:
        if disk_trouble(error):
            raise
        if _out_of_memory(error):
            raise MemoryError(f"out of memory: {' '.join(str(error).split())}") from error
        if isinstance(error, SIGTERMException) or isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error  # Lightning turns both signals into an exit
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        result = {"status": "failed", "reason": reason, "traceback": traceback.format_exc()}
    return _finish(store, spec, result, time.perf_counter() - start)


def _check_kind_of_device(folder: Path, context: RunContext) -> None:
    """A random stream of a GPU means nothing on a CPU, nor the other way round. Raises BadInput."""
    path = folder / "spec.json"
    if not path.exists() or not any((folder / RESUME).glob("*.ckpt")):
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8")).get("device")
    except ValueError:  # cut short: the checkpoints will tell
        return
    now = device_name(context.device)
    if before is not None and before.startswith("cpu") != now.startswith("cpu"):
        raise BadInput(
            f"{folder}: this run was begun on {before} and cannot go on on {now}: "
            "name that device with --device, or delete the folder to begin anew"
        )


def _out_of_memory(error: BaseException) -> bool:
    # On a CPU torch raises a RuntimeError that only its text tells from others.
    # So do the CUDA runtime and its libraries, beside torch's own allocator.
    # cuDNN finds no plan where no workspace fits any more.
    marks = ("DefaultCPUAllocator", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED", "unable to find an engine")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(mark in str(error) for mark in marks)


def _count_attempt(folder: Path) -> None:
    (folder / RESUME).mkdir(exist_ok=True)
    with (folder / RESUME / ATTEMPTS).open("a", encoding="utf-8") as file:
        file.write(f"{time.time()} {platform.node()}\n")


def attempts(folder: Path) -> list[tuple[float, str]]:
    """When (seconds since 1970) and where the unfinished run in this folder was begun, each time."""
    path = folder / RESUME / ATTEMPTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(float(line.split()[0]), line.partition(" ")[2]) for line in lines]


def record_failure(spec: RunSpec, context: RunContext, reason: str) -> dict[str, Any]:
    """The record of a run whose process could not write one; its checkpoints go. Returns the content of result.json."""
    store = Store(context.folder)
    folder = store.partial(spec.id)
    write_json(folder / "spec.json", spec.record() | {"device": None, "threads": context.threads})
    seconds = sum(time.time() - began for began, _ in attempts(folder)[-1:])
    return _finish(store, spec, {"status": "failed", "reason": reason}, seconds)


def _finish(store: Store, spec: RunSpec, result: dict[str, Any], seconds: float) -> dict[str, Any]:
    about = {"run": spec.id, "schema_version": SCHEMA_VERSION, "versions": versions()}
    result = _EMPTY | result | about | {"seconds": seconds + result.get("seconds", 0.0)}
    folder = store.partial(spec.id)
    result |= {"attempts": len(attempts(folder))}
    write_json(folder / "result.json", result)
    clear(store.finish(spec.id) / RESUME)  # last: until the record is in its place, the checkpoints are all there is
    return result


_EMPTY: dict[str, Any] = {
    "diverged_at": None,
    "recovered": False,
    "steps": None,
    "metrics": None,
    "floors": None,
    "protocol": None,
    "data": None,
    "evaluation_noise": None,
    "bias": None,
    "traceback": None,
    "seconds_per_iteration": None,
    "preparation_seconds": None,
    "seconds_per_critic_step": None,
    "peak_memory_mb": None,
    "training_memory_mb": None,
}


def build(spec: RunSpec, data: Dataset, suite_folder: Path) -> GAN:
    """The Lightning module of a run; initial weights depend on its seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(spec.seed, "weights"))
        iteration = Iteration(
            build_networks(spec, data.shape),
            _objective(spec, suite_folder),
            spec.recipe_spec,
            data,
            steps=spec.steps,
            seed=spec.seed,
            accelerate=spec.accelerate,
            precision=spec.precision,
        )
    return GAN(iteration)


def build_networks(spec: RunSpec, shape: tuple[int, ...]) -> Networks:
    """The run's architecture for samples of this shape. Raises BadInput for a setting that is not allowed."""
    settings = {k: v for k, v in spec.architecture_spec.items() if k != "name"}
    return ARCHITECTURES[spec.architecture_spec["name"]](shape, **settings)


def _objective(spec: RunSpec, suite_folder: Path) -> Objective:
    found = find_objective(spec.objective_target, suite_folder)
    if found.source != spec.source:
        raise BadInput(f"{spec.objective_target}: the file has changed since the sweep began; run the suite again")
    return build_objective(found, spec.arguments, spec.objective)


def skip_reason(spec: RunSpec, data: Dataset, suite_folder: Path) -> str | None:
    """Why this run makes no sense, or None."""
    if spec.skip is not None:
        return spec.skip
    try:
        networks = build_networks(spec, data.shape)
    except Unsuited as reason:
        return str(reason)
    objective = _objective(spec, suite_folder)
    reason = objective.skip_reason(networks.critic, data.shape)
    return reason or refusal(spec.accelerate, objective, spec.recipe_spec, resident=data.feed is None)


def _skip_or_train(spec: RunSpec, context: RunContext, folder: Path) -> dict[str, Any]:
    if context.device != "cpu":
        gc.collect()  # module and trainer of the run before refer to each other, and hold the device's memory
    if user_content(spec.dataset, context.data, context.suite_folder) != spec.content:
        raise BadInput(f"{spec.dataset}: the pictures have changed since the sweep began; run the suite again")
    data = load(spec.dataset, context.data, context.suite_folder).to(context.device)
    _wait_for_room(spec, data, context)
    reason = skip_reason(spec, data, context.suite_folder)
    if reason is not None:
        return {"status": "skipped", "reason": reason}
    check_device(spec.accelerate, spec.precision, context.device)
    check_capability(spec.precision, context.device)
    reset_peak_memory(context.device)
    _seed_globally(stream_seed(spec.seed, "global"))
    module = build(spec, data, context.suite_folder)
    evaluator = Evaluator(data, spec.evaluation, spec.steps, context.weights, PeakMemory(context.device))
    with repeatable_float32():
        _fit(module, evaluator, context, folder)
        _write_history(folder, evaluator)
        _write_samples(folder, module.iteration, evaluator, data)
        _write_weights(folder, module.iteration)
        return _result(spec, module, evaluator)


def _wait_for_room(spec: RunSpec, data: Dataset, context: RunContext) -> None:
    """A graph needs its data on the GPU: raises MemoryError where they would fit, were it not for others on it."""
    if spec.accelerate != "graph" or data.feed is None:
        return
    if fits(data.feed.table.nbytes, context.device, alone=True):
        raise MemoryError(f"out of memory: the data fit on {context.device}, but others fill it now")


def _seed_globally(seed: int) -> None:
    """For plug-ins that draw from the global streams against the contract: they shall be repeatable at least."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _fit(module: GAN, evaluator: Evaluator, context: RunContext, folder: Path) -> None:
    checkpointer = Checkpointer(folder / RESUME, context.checkpoint_seconds)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with _interruptible(), warnings.catch_warnings():
        # Advice on data loaders, on checkpoints of others, and that a logger starts afresh.
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        trainer = pl.Trainer(
            accelerator="gpu" if context.device.startswith("cuda") else "cpu",
            devices=[int(context.device.partition(":")[2] or 0)] if context.device.startswith("cuda") else 1,
            max_epochs=1,
            logger=[_logger(name, folder) for name in context.loggers],
            callbacks=[evaluator, checkpointer],
            plugins=[LightningEnvironment()],  # a run is one process, whatever queue it was started from
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, Ticks(module), ckpt_path=checkpointer.latest(), weights_only=True)
    module.to(context.device)  # Lightning leaves it on the CPU, and what follows draws and measures where it lies


@contextmanager
def _interruptible() -> Iterator[None]:
    """Puts the handler of Ctrl-C back, which Lightning leaves off after the first one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


class Ticks:
    """Stands in for a data loader: one tick for every iteration that is left."""

    def __init__(self, module: GAN) -> None:
        self.module = module

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.module.iteration.updates, self.module.iteration.steps))


def _logger(name: str, folder: Path) -> Logger:
    return LOGGERS[name](folder, name=name, version="")


def _result(spec: RunSpec, module: GAN, evaluator: Evaluator) -> dict[str, Any]:
    assert evaluator.quality is not None
    iteration, preparation_seconds = module.iteration, module.loop.preparation_seconds
    with evaluator.memory.apart():
        again = measure_again(iteration, evaluator.quality, spec.evaluation["repeats"])
    x = evaluator.data.held_out_at_most(2, torch.Generator(iteration.device).manual_seed(0))
    return evaluator.divergence.verdict() | {
        "steps": iteration.updates,
        "seconds": evaluator.seconds_before,
        "metrics": summarise(pd.DataFrame(evaluator.history), spec.steps),
        "floors": evaluator.quality.floors,
        "protocol": evaluator.quality.protocol,
        "data": evaluator.data.source,
        **again,
        "seconds_per_iteration": (evaluator.train_seconds - preparation_seconds) / max(1, iteration.updates),
        "preparation_seconds": preparation_seconds,
        "seconds_per_critic_step": iteration.critic_seconds / iteration.timed_steps if iteration.timed_steps else None,
        **evaluator.memory.figures(),
        "layers": {
            "singular_values": stability.singular_values(iteration.critic, x),
            "weight_histogram": stability.weight_histograms(iteration.critic, x),
            "clip": getattr(iteration.objective, "clip", None),
        },
    }


def _write_history(folder: Path, evaluator: Evaluator) -> None:
    write_text(folder / "history.csv", pd.DataFrame(evaluator.history).to_csv(index=False))


def _write_samples(folder: Path, iteration: Iteration, evaluator: Evaluator, data: Dataset) -> None:
    rng = torch.Generator(iteration.device).manual_seed(stream_seed(iteration.seed, "pictures"))
    real = data.held_out_at_most(SNAPSHOT[data.is_points], rng)
    arrays = {
        "real": (real if data.is_points else to_uint8(real)).cpu().numpy(),
        "fake": evaluator.snapshots[-1][1].numpy(),
        "steps": np.array([step for step, _ in evaluator.snapshots]),
        "snapshots": np.stack([samples.numpy() for _, samples in evaluator.snapshots]),
    }
    np.savez_compressed(folder / "samples.npz", **arrays)  # pyright: ignore[reportArgumentType]
    write_picture(folder / "samples.png", arrays["real"], arrays["fake"])


def _write_weights(folder: Path, iteration: Iteration) -> None:
    (folder / "checkpoint").mkdir(exist_ok=True)
    for name, network in (("generator", iteration.sampler), ("critic", iteration.critic)):
        state = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
        # Not save_file: a full disk is to raise an OSError.
        (folder / "checkpoint" / f"{name}.safetensors").write_bytes(save(state))
