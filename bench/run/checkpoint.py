"""Mid-run checkpoints: written whole or not at all, verified by checksum, the one before kept. Loads weights only."""

import os
import platform
import random
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from ...models.gan import GAN
from ..records.checksums import sha256_of

RESUME = "resume"  # the folder of a run's checkpoints while it is under way
ATTEMPTS = "attempts"  # a file in there, a line for every time the run was begun


class Checkpointer(pl.Callback):
    """Writes a checkpoint when `seconds` have passed since the last, and finds the newest sound one.

    `folder` holds `<updates>.ckpt`, each beside its `.sha256`; the two newest are kept. Beside what the module keeps, a
    checkpoint holds the global random states, for plug-ins that draw from them against the contract.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self._last = time.monotonic()
        self._random: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, GAN)
        pl_module.patience = min(self.seconds, pl_module.patience)
        if self._random is not None:  # as late as can be: what was built since the checkpoint was loaded may have drawn
            set_random_states(self._random)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        if time.monotonic() - self._last >= self.seconds and not trainer.should_stop:
            self.write(trainer, pl_module.iteration.updates)  # pyright: ignore[reportArgumentType,reportAttributeAccessIssue]
            self._last = time.monotonic()

    def write(self, trainer: pl.Trainer, updates: int) -> Path:
        """Checksum last: a checkpoint without one was cut short."""
        self.folder.mkdir(exist_ok=True)
        path, temporary = self.folder / f"{updates:09d}.ckpt", self.folder / ".writing"
        trainer.save_checkpoint(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        digest = sha256_of(temporary)
        os.replace(temporary, path)
        path.with_suffix(".sha256").write_text(digest)
        for old in sorted(self.folder.glob("*.ckpt"))[:-2]:
            _remove(old)
        return path

    def latest(self) -> Path | None:
        """The newest checkpoint whose checksum is right; damaged ones are removed, and a warning names each."""
        for path in sorted(self.folder.glob("*.ckpt"), reverse=True):
            if _sound(path):
                return path
            warnings.warn(f"damaged checkpoint {path}: going on from the one before, or from the start", stacklevel=2)
            _remove(path)  # or it would count as the newest, and crowd out those that are written now
        return None

    def state_dict(self) -> dict[str, Any]:
        """The global random states."""
        return random_states()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The counterpart of `state_dict`; takes effect when training starts."""
        self._random = state_dict


def clear(folder: Path) -> None:
    """Removes all checkpoints in the folder: the run is over, or cannot go on from them."""
    shutil.rmtree(folder, ignore_errors=True)


def resumes_at(folder: Path) -> int:
    """The generator updates after which the run in this folder goes on: of its newest checkpoint, 0 without one."""
    return max((int(path.stem) for path in (folder / RESUME).glob("*.ckpt")), default=0)


def count_attempt(folder: Path) -> None:
    """Notes that the run in this folder is begun, or gone on with, here and now."""
    (folder / RESUME).mkdir(exist_ok=True)
    with (folder / RESUME / ATTEMPTS).open("a", encoding="utf-8") as file:
        file.write(f"{time.time()} {platform.node()}\n")


def attempts(folder: Path) -> list[tuple[float, str]]:
    """When (seconds since 1970) and where the unfinished run in this folder was begun, each time."""
    path = folder / RESUME / ATTEMPTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(float(line.split()[0]), line.partition(" ")[2]) for line in lines]


def random_states() -> dict[str, Any]:
    """The global ones of Python, numpy, torch and its GPUs, in types that `weights_only` loads."""
    numpy: Any = np.random.get_state(legacy=False)
    return {
        "python": random.getstate(),
        "numpy": numpy | {"state": numpy["state"] | {"key": numpy["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """The counterpart of `random_states`; of a machine with more GPUs, those that are here take theirs."""
    numpy = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state(numpy | {"state": numpy["state"] | {"key": np.array(numpy["state"]["key"], dtype=np.uint32)}})
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"]:
        here = states["cuda"][: torch.cuda.device_count()]
        torch.cuda.set_rng_state_all([state.cpu() for state in here])


def _remove(path: Path) -> None:
    path.unlink()
    path.with_suffix(".sha256").unlink(missing_ok=True)


def _sound(path: Path) -> bool:
    expected = path.with_suffix(".sha256")
    return expected.is_file() and sha256_of(path) == expected.read_text()
