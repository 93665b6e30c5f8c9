"""Where runs are made: in processes of this machine, on Ray's nodes, in Slurm's queue. What a run is, is train.py's."""

from .base import Ended, Event, Executor, Limits, Retried, Started
from .choice import EXECUTORS, Choice, Options, choose
from .local import LocalExecutor

__all__ = [
    "EXECUTORS",
    "Choice",
    "Ended",
    "Event",
    "Executor",
    "Limits",
    "LocalExecutor",
    "Options",
    "Retried",
    "Started",
    "choose",
]
