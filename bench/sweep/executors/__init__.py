"""Where runs are made: in processes of this machine, on Ray's nodes, in Slurm's queue. What a run is, is train.py's."""

from .base import Event, Executor, Limits, RunFinished, RunQueued, RunRetried, RunStarted
from .choice import EXECUTORS, Choice, Options, choose
from .local import LocalExecutor

__all__ = [
    "EXECUTORS",
    "Choice",
    "Event",
    "Executor",
    "Limits",
    "LocalExecutor",
    "Options",
    "RunFinished",
    "RunQueued",
    "RunRetried",
    "RunStarted",
    "choose",
]
