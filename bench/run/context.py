"""Where and how runs are made. Nothing here changes what a run computes on one machine."""

from dataclasses import dataclass
from pathlib import Path

from ...objectives.errors import BadInput
from ..config.suite import Named
from .logger_entries import parse_logger


@dataclass(frozen=True)
class RunContext:
    """Made once for a sweep and handed down whole.

    Attributes:
        folder: of the results.
        device: `cpu` or `cuda:N`.
        threads: of torch, on the CPU.
        loggers: Lightning loggers kept beside the records, as `parse_logger` reads them.
        checkpoint_seconds: time between two checkpoints of a run.
        weights: file of the extractor inception; None: torch hub's cache.
        data: folder of the data sets kept in files; None: ~/.cache/lipbench.
        suite_folder: where plug-ins and pictures given by a relative path are looked for before the working directory.
        add: whether finished runs in the folder that are not asked for stay in its tables.

    Raises:
        BadInput: for a negative time between checkpoints, and loggers that are not known.
    """

    folder: Path
    device: str = "cpu"
    threads: int = 1
    loggers: tuple[Named, ...] = ()
    checkpoint_seconds: float = 60.0
    weights: Path | None = None
    data: Path | None = None
    suite_folder: Path = Path()
    add: bool = False

    def __post_init__(self) -> None:
        if not self.checkpoint_seconds >= 0:
            raise BadInput(f"seconds between checkpoints: {self.checkpoint_seconds:g}: must be 0 or more")
        for entry in self.loggers:
            parse_logger(entry)
