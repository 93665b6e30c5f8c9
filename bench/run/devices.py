"""Which devices of this machine runs are made on, and how many at once. Measures nothing."""

import os
import re
from collections.abc import Sequence

import torch

from ...objectives.errors import BadInput


def find_devices(device: str) -> list[str]:
    """What `auto`, `cpu`, `cuda` (every GPU) or `cuda:N` stands for. Raises BadInput for what is not there."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    every = [f"cuda:{i}" for i in range(available)]
    if device == "auto":
        return every or ["cpu"]
    if device == "cpu":
        return ["cpu"]
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise BadInput(f"--device {device}: must be auto, cpu, cuda or cuda:N")
    if int(device.partition(":")[2] or 0) >= available:
        raise BadInput(f"--device {device}: {available or 'no'} GPUs can be used here")
    return every if device == "cuda" else [device]


def jobs_on(devices: Sequence[str], jobs: int | None) -> int:
    """As many as asked for; else one per GPU, or one per core on a CPU. Raises BadInput for fewer than one."""
    if jobs is not None and jobs < 1:
        raise BadInput(f"--jobs {jobs}: must be 1 or more")
    return jobs or (_cores() if devices[0] == "cpu" else len(devices))


def threads_of(devices: Sequence[str], jobs: int) -> int:
    """Threads of a run: one where several share the cores, or the CPU trains; all beside a lone run on a GPU."""
    return 1 if jobs > 1 or devices[0] == "cpu" else os.cpu_count() or 1


def _cores() -> int:
    """Those that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
