"""Mid-run checkpoints: written whole or not at all, verified by checksum, the one before kept. Loads weights only."""

import hashlib
import os
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Checkpointer(pl.Callback):
    """Writes a checkpoint when `seconds` have passed since the last, and finds the newest sound one.

    `folder` holds `<updates>.ckpt`, each beside its `.sha256`; the two newest are kept.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self._last = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        if time.monotonic() - self._last >= self.seconds and not trainer.should_stop:
            self.write(trainer, pl_module.updates)  # pyright: ignore[reportArgumentType]
            self._last = time.monotonic()

    def write(self, trainer: pl.Trainer, updates: int) -> Path:
        """Checksum last: a checkpoint without one was cut short."""
        self.folder.mkdir(exist_ok=True)
        path, temporary = self.folder / f"{updates:09d}.ckpt", self.folder / ".writing"
        trainer.save_checkpoint(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.replace(temporary, path)
        path.with_suffix(".sha256").write_text(digest)
        for old in sorted(self.folder.glob("*.ckpt"))[:-2]:
            old.unlink()
            old.with_suffix(".sha256").unlink(missing_ok=True)
        return path

    def latest(self) -> Path | None:
        """The newest checkpoint whose checksum is right; a warning names each damaged one that is passed over."""
        for path in sorted(self.folder.glob("*.ckpt"), reverse=True):
            if _sound(path):
                return path
            warnings.warn(f"damaged checkpoint {path}: going on from the one before", stacklevel=2)
        return None

    def clear(self) -> None:
        """Removes all: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sound(path: Path) -> bool:
    expected = path.with_suffix(".sha256")
    if not expected.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected.read_text()
