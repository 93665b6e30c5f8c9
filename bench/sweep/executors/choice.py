"""From what was asked for to an executor. Those of other packages are imported when they are asked for."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ....objectives.errors import BadInput, unknown
from ...run.hardware import find_devices, jobs_on, threads_of
from .address import check_answers
from .base import UNLIMITED, Executor, Limits
from .local import LocalExecutor

LONGEST = 1e9  # seconds, some thirty years: a timer takes them


@dataclass(frozen=True)
class Options:
    """What was asked for; each executor takes what concerns it.

    Attributes:
        jobs: workers on this machine; None: as many as make sense.
        device: auto, cpu, cuda or cuda:N.
        limits: of every run.
        address: of a Ray cluster; None: one that is known, or a new one on this machine.
        gpus_per_run: share of a GPU (Ray) or number of GPUs (Slurm).
        slurm: parameters of submitit.
        detach: hand over what is to be made and return.
    """

    jobs: int | None = None
    device: str = "auto"
    limits: Limits = UNLIMITED
    address: str | None = None
    gpus_per_run: float = 0.0
    slurm: Mapping[str, Any] = field(default_factory=dict)
    detach: bool = False


@dataclass(frozen=True)
class Choice:
    """An executor, and the device and threads that its runs are to ask for."""

    executor: Executor
    device: str
    threads: int


def _local(options: Options) -> Choice:
    devices = find_devices(options.device)
    jobs = jobs_on(devices, options.jobs)
    return Choice(LocalExecutor(jobs, options.limits, devices), devices[0], threads_of(devices, jobs))


def _ray(options: Options) -> Choice:
    check_answers(options.address or os.environ.get("RAY_ADDRESS") or "")
    _need("ray", "ray")
    from .ray import RayExecutor

    return Choice(RayExecutor(options.limits, options.address, options.gpus_per_run), _elsewhere(options), 1)


def _slurm(options: Options) -> Choice:
    _need("submitit", "slurm")
    from .slurm import SlurmExecutor

    threads = options.slurm.get("cpus_per_task", 1)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise BadInput(f"slurm: cpus_per_task={threads}: must be a whole number, 1 or more")
    executor = SlurmExecutor(options.limits, options.gpus_per_run, options.slurm, options.detach)
    return Choice(executor, _elsewhere(options), threads)


def _elsewhere(options: Options) -> str:
    """The device on a machine that cannot be asked yet."""
    if options.device == "auto":
        return "cuda:0" if options.gpus_per_run else "cpu"
    return options.device


EXECUTORS: dict[str, Callable[[Options], Choice]] = {"local": _local, "ray": _ray, "slurm": _slurm}


def choose(name: str, options: Options) -> Choice:
    """The executor of that name. Raises BadInput for another, one whose package is not installed, and bad options."""
    if name not in EXECUTORS:
        raise unknown("executor", name, list(EXECUTORS))
    if options.limits.retries < 0:
        raise BadInput(f"retries: {options.limits.retries}: must be 0 or more")
    if options.limits.seconds is not None and not 0 < options.limits.seconds <= LONGEST:
        raise BadInput(f"time limit: {options.limits.seconds:g}: must be more than 0 seconds, at most {LONGEST:g}")
    if not 0 <= options.gpus_per_run < math.inf:
        raise BadInput(f"GPUs for each run: {options.gpus_per_run:g}: must be a number, 0 or more")
    _refuse_what_others_take(name, options)
    return EXECUTORS[name](options)


def _refuse_what_others_take(name: str, options: Options) -> None:
    for option, given, takers in (
        ("jobs", options.jobs is not None, ("local",)),
        ("address", options.address is not None, ("ray",)),
        ("slurm", bool(options.slurm), ("slurm",)),
        ("detach", options.detach, ("slurm",)),
        ("GPUs for each run", options.gpus_per_run > 0, ("ray", "slurm")),
    ):
        if given and name not in takers:
            raise BadInput(f"{option}: for the executor {' or '.join(takers)}; this is {name}")


def _need(module: str, extra: str) -> None:
    try:
        import_module(module)
    except ImportError as error:
        raise BadInput(f"executor {extra}: {error}; install it: pip install 'lipbench[{extra}]'") from error
