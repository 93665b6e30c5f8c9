"""The one Lightning module: hands Lightning the networks, the optimisers, the state for checkpoints, and iterates."""

import os
from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer

from .acceleration import TrainingLoop
from .iteration import Iteration

# Lightning sets this when it is imported, so that processes may fork after they asked for GPUs. Adam asks at each of
# its steps; where there is no GPU, that search costs 8 % of an iteration of small networks. lipbench spawns, not forks.
os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


class GAN(pl.LightningModule):
    """Trains a generator against a critic; one `training_step` is n_critic critic steps and one generator step.

    The iteration counts generator updates itself: Lightning counts optimiser steps.
    """

    def __init__(self, iteration: Iteration) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.iteration, self.loop = iteration, TrainingLoop(iteration)
        for name, module in iteration.parts.items():
            self.add_module(name, module)

    def configure_optimizers(self) -> list[Optimizer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The critic's last."""
        return list(self.iteration.make_optimizers())

    def on_train_start(self) -> None:
        """Networks and optimisers are on the device, and a checkpoint is loaded."""
        self.iteration.begin()

    def on_train_end(self) -> None:
        """The captured iteration goes, and its memory with it."""
        self.loop.release()

    def training_step(self, *args: Any) -> None:
        """One full iteration; Lightning's batch is only a tick, the samples come from the data stream."""
        self.loop.run(1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters and streams beside what Lightning keeps."""
        checkpoint["game"] = self.iteration.state() | {"preparation_seconds": self.loop.preparation_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The counterpart of `on_save_checkpoint`."""
        self.iteration.load_state(checkpoint["game"])
        self.loop.preparation_seconds = checkpoint["game"]["preparation_seconds"]
