"""The one Lightning module: hands Lightning the networks, the optimisers, the state for checkpoints, and iterates."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer

from .acceleration import TrainingLoop
from .iteration import CHUNK, Iteration

# Lightning sets this when it is imported, so that processes may fork after they asked for GPUs. Adam asks at each of
# its steps; where there is no GPU, that search costs 8 % of an iteration of small networks. lipbench spawns, not forks.
os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


class GAN(pl.LightningModule):
    """Trains a generator against a critic; one `training_step` is as many full iterations as no callback looks at.

    An iteration is n_critic critic steps and one generator step. It counts generator updates itself: Lightning counts
    optimiser steps.

    Attributes:
        pauses: the updates after which a training step ends, so that callbacks are called; they add theirs to it.
        patience: the seconds after which it ends anyway, for checkpoints and signals.
    """

    def __init__(self, iteration: Iteration) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.iteration, self.loop = iteration, TrainingLoop(iteration)
        self.pauses: set[int] = set()
        self.patience = 0.5
        for name, module in iteration.parts.items():
            self.add_module(name, module)

    def configure_optimizers(self) -> list[Optimizer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The critic's last."""
        return list(self.iteration.make_optimizers())

    def train_dataloader(self) -> Iterator[int]:
        """A tick for every training step, from where a checkpoint was loaded; samples come from the data stream."""
        while self.iteration.updates < self.iteration.steps:
            yield self.iteration.updates

    def on_train_start(self) -> None:
        """Networks and optimisers are on the device, and a checkpoint is loaded."""
        self.iteration.begin()

    def on_train_end(self) -> None:
        """The captured iteration goes, and its memory with it."""
        self.loop.release()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        """Ends the training after the last update, where Lightning has fetched a tick too many already."""
        return -1 if self.iteration.updates >= self.iteration.steps else None

    def training_step(self, *args: Any) -> None:
        """Full iterations up to a pause, a fetch of the scalars, the last update, or until patience ends."""
        until = time.monotonic() + self.patience
        while True:
            self.loop.run(1)
            updates = self.iteration.updates
            pause = updates in self.pauses or updates % CHUNK == 0 or updates >= self.iteration.steps
            if pause or time.monotonic() >= until:
                return

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters and streams beside what Lightning keeps."""
        checkpoint["game"] = self.iteration.state() | {"preparation_seconds": self.loop.preparation_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The counterpart of `on_save_checkpoint`."""
        self.iteration.load_state(checkpoint["game"])
        self.loop.preparation_seconds = checkpoint["game"]["preparation_seconds"]
