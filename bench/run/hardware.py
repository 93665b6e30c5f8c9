"""The machine: which devices runs are made on, and what their numbers are measured on. Nothing here changes a run."""

import os
import platform
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ...objectives.errors import BadInput

VERSIONS = ("lipbench", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "POT", "numpy", "scipy")

MOST_JOBS = 1000  # processes of one machine


def find_devices(device: str) -> list[str]:
    """What `auto`, `cpu`, `cuda` (every GPU) or `cuda:N` stands for. Raises BadInput for what is not there."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    every = [f"cuda:{i}" for i in range(available)]
    if device == "auto":
        return every or ["cpu"]
    if device == "cpu":
        return ["cpu"]
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise BadInput(f"device '{device}': must be auto, cpu, cuda or cuda:N")
    if int(device.partition(":")[2] or 0) >= available:
        raise BadInput(f"device '{device}': {available or 'no'} GPUs can be used here")
    return every if device == "cuda" else [device]


def jobs_on(devices: Sequence[str], jobs: int | None) -> int:
    """As many as asked for; else one per GPU, or one per core on a CPU. Raises BadInput for no such number."""
    if jobs is not None and not 1 <= jobs <= MOST_JOBS:
        raise BadInput(f"jobs: {jobs}: must be 1 to {MOST_JOBS:,}")
    if jobs is not None:
        return jobs
    return usable_cores() if devices[0] == "cpu" else len(devices)


def threads_of(devices: Sequence[str], jobs: int) -> int:
    """Threads of a run: one where several share the cores, or the CPU trains; all beside a lone run on a GPU."""
    return 1 if jobs > 1 or devices[0] == "cpu" else os.cpu_count() or 1


def usable_cores() -> int:
    """Those that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(device: str) -> dict[str, Any]:
    """What the numbers of a sweep or a study were measured on; `cuda` is the current GPU."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device != "cpu" and torch.cuda.is_available() else device,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }


def processor() -> str:
    """The model; platform.processor() is empty on Debian, but the kernel knows it."""
    info = Path("/proc/cpuinfo")
    names = (
        [x.partition(":")[2].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def reset_peak_memory(device: str) -> None:
    """Starts the measurement of `peak_memory_mb` afresh, where the system can; a process may make many runs."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    elif os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: restarts the process's high-water mark


def peak_memory_mb(device: str) -> float:
    """Of the device on a GPU, of the whole process on a CPU (2^20 bytes)."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


class PeakMemory:
    """The most that a run takes of its device (MiB): in all, and on a GPU also apart from its evaluations."""

    def __init__(self, device: str) -> None:
        self.device, self._training, self._rest = device, 0.0, 0.0

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What is taken within is no part of the training."""
        if not self.device.startswith("cuda"):
            yield
            return
        self._training = max(self._training, peak_memory_mb(self.device))
        reset_peak_memory(self.device)
        try:
            yield
        finally:
            self._rest = max(self._rest, peak_memory_mb(self.device))
            reset_peak_memory(self.device)

    def figures(self) -> dict[str, float | None]:
        """`peak_memory_mb`, and `training_memory_mb`: None on a CPU, where the process's peak cannot be taken apart."""
        now = peak_memory_mb(self.device)
        if not self.device.startswith("cuda"):
            return {"peak_memory_mb": now, "training_memory_mb": None}
        training = max(self._training, now)
        return {"peak_memory_mb": max(training, self._rest), "training_memory_mb": training}


def device_name(device: str) -> str:
    """What `cpu` or `cuda:N` is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()})"


@cache
def versions() -> dict[str, str]:
    """Of the packages that a run's numbers may depend on, and of Python."""
    return {name: version(name) for name in VERSIONS} | {"python": platform.python_version()}
