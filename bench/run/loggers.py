"""Lightning loggers kept beside the records. They change no number, and their trouble ends no run.

Lightning is not told of them: a run is evaluated by lipbench, and what a logger gets is what the records get.
"""

import inspect
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning import loggers as lightning
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger
from pytorch_lightning.utilities.seed import isolate_rng

from ...objectives.errors import BadInput, error_line, naming
from ..config.plugins import SideEffect, leaving_no_trace
from ..config.suite import Named
from ..report.samples import picture
from .evaluation import SNAPSHOT, Evaluator, iteration_of
from .logger_entries import LOGGERS, parse_logger

TRACKING = os.environ.get("MLFLOW_TRACKING_URI")  # the user's: mlflow sets it to what it was given last


class RunLogging(pl.Callback):
    """Hands loggers the run's specification, and of every evaluation the metrics and a picture of samples.

    After the evaluator among the callbacks: what that has just added is passed on. A resumed run tells all again.

    Args:
        entries: see `parse_logger`.
        record: the content of spec.json.
        folder: of the run, where loggers write that write files.
        evaluator: has the history and the samples.
    """

    def __init__(self, entries: tuple[Named, ...], record: dict[str, Any], folder: Path, evaluator: Evaluator) -> None:
        self.record, self.evaluator, self.told = record, evaluator, 0
        self.made: list[Logger] = []
        for entry in entries:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SideEffect)  # was told when the sweep began
                    self.made.append(make_logger(entry, folder, record["run"]))
            except BadInput as error:  # it could be made when the sweep began
                warnings.warn(f"left out: {error}", stacklevel=2)
        self.loggers = list(self.made)
        self.real: np.ndarray | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data = self.evaluator.data
        if self.loggers and data.is_points:
            rng = torch.Generator(iteration_of(pl_module).device).manual_seed(0)
            self.real = data.held_out_at_most(SNAPSHOT[True], rng).cpu().numpy()
        self._each(lambda logger: logger.log_hyperparams(_named(logger, self.record)))
        self._tell()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        self._tell()

    def __enter__(self) -> None:
        """Within it the run is trained; what leaves it ends every logger's run."""

    def __exit__(self, kind: object, *rest: object) -> None:
        self._each(lambda logger: logger.finalize("success" if kind is None else "failed"))
        for logger in self.made:
            with suppress(Exception), _guarded(logger):  # others have no experiment, or one that needs no end
                logger.experiment.finish()  # pyright: ignore[reportAttributeAccessIssue]  wandb would add the next run to it

    def _tell(self) -> None:
        while self.loggers and self.told < len(self.evaluator.history):
            row, (_, samples) = self.evaluator.history[self.told], self.evaluator.snapshots[self.told]
            self._each(partial(_log, row=row, drawn=picture(samples.numpy(), self.real)))
            self.told += 1

    def _each(self, call: Callable[[Logger], object]) -> None:
        """Calls each logger; one that raises is told of and dropped."""
        for logger in list(self.loggers):
            try:
                with _guarded(logger):
                    call(logger)
            except Exception as error:
                self.loggers.remove(logger)
                warnings.warn(f"{type(logger).__name__} is left out from here: {error_line(error)}", stacklevel=2)


@contextmanager
def _guarded(logger: Logger) -> Iterator[None]:
    """Puts back random states, and whatever else a call of somebody's own logger changes, of which it warns."""
    kind = type(logger)
    known = kind.__module__.startswith("pytorch_lightning.")
    guard = (
        nullcontext() if known else leaving_no_trace(f"{kind.__module__}:{kind.__qualname__}", doing="logging with it")
    )
    with isolate_rng(include_cuda=False), guard:
        yield


def _log(logger: Logger, row: dict[str, float], drawn: Image.Image) -> None:
    step = int(row["step"])
    logger.log_metrics(_named(logger, row), step)
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image("samples", np.asarray(drawn.convert("RGB")), step, dataformats="HWC")
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id or "", drawn, artifact_file=f"samples/{step:09d}.png")
    elif hasattr(logger, "log_image"):
        logger.log_image("samples", [drawn], step)  # pyright: ignore[reportAttributeAccessIssue]
    logger.save()


def _named(logger: Logger, values: dict[str, Any]) -> dict[str, Any]:
    """The values by names that the logger takes."""
    return with_mlflow_names(values) if isinstance(logger, MLFlowLogger) else values


def with_mlflow_names(values: dict[str, Any]) -> dict[str, Any]:
    """The same by names that mlflow takes, within mappings too: `Gap(power=2).mean` as `Gap_power_2_.mean`.

    These are letters, digits, spaces and _ . - up to 250 (mlflow's utils/validation.py). For another one mlflow refuses
    all parameters of a run, and Lightning leaves what is not allowed out of a metric's name, with a warning each time.
    """
    named = {re.sub(r"[^\w. -]", "_", str(name), flags=re.ASCII)[:250]: value for name, value in values.items()}
    return {name: with_mlflow_names(value) if isinstance(value, dict) else value for name, value in named.items()}


def make_logger(entry: Named, folder: Path, run: str) -> Logger:
    """The logger of a run; writes nothing yet.

    Args:
        entry: see `parse_logger`; its arguments come before those that are chosen here.
        folder: the run's.
        run: its id.

    Raises:
        BadInput: for a class that cannot be imported or is no Lightning logger, and for arguments that it refuses.
    """
    target, given = parse_logger(entry)
    chosen = _chosen(target, folder, run)
    try:
        with nullcontext() if target in LOGGERS else leaving_no_trace(target, code=False):
            logger = _class_of(target)(**chosen | given)
    except ModuleNotFoundError as error:
        extra = "lipbench[tensorboard]" if target == "tensorboard" else target
        raise BadInput(f"logger '{target}': not installed; install it: pip install '{extra}'") from error
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises is the user's one line
        raise error if isinstance(error, BadInput) else BadInput(f"logger '{target}': {error_line(error)}") from error
    return logger


def _chosen(target: str, folder: Path, run: str) -> dict[str, Any]:
    """Where a logger writes and what it calls the run. Somebody's own class gets what its signature has of it."""
    results = folder.parents[1].absolute()
    local = {"save_dir": folder, "name": target, "version": ""}
    known: dict[str, dict[str, Any]] = {
        "csv": local,
        "tensorboard": local | {"default_hp_metric": False},
        "wandb": {"save_dir": folder, "name": run, "project": "lipbench"},
        "mlflow": {
            "run_name": run,
            "experiment_name": "lipbench",
            "tracking_uri": TRACKING or f"sqlite:///{results / 'mlflow.db'}",
            "artifact_location": str(results / "mlruns"),
        },
    }
    if target in known:
        return known[target]
    parameters = inspect.signature(_class_of(target)).parameters
    return {key: value for key, value in {"save_dir": folder, "name": run}.items() if key in parameters}


def _class_of(target: str) -> type[Logger]:
    module, _, name = target.partition(":")
    with naming(f"logger '{target}' cannot be imported", anything=True):
        if target in LOGGERS:
            return getattr(lightning, LOGGERS[target])
        with leaving_no_trace(target):
            found = getattr(import_module(module), name)
    if not (inspect.isclass(found) and issubclass(found, Logger)):
        raise BadInput(f"{target}: not a class derived from pytorch_lightning.loggers.Logger")
    return found


def check_loggers(entries: tuple[Named, ...]) -> None:
    """Raises BadInput as `make_logger`, before any run is made."""
    with TemporaryDirectory() as folder:
        for entry in entries:
            make_logger(entry, Path(folder) / "runs" / "run", "run")
