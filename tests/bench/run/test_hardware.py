"""Devices and jobs on a machine with so many GPUs, and what a run takes of one; the GPU's counter is played."""

import os

import numpy as np
import pytest
import torch

from lipbench.bench.run.hardware import PeakMemory, find_devices, jobs_on, reset_peak_memory, threads_of
from lipbench.objectives import BadInput


class Counter:
    """The peak of the second GPU since it was last reset (MiB), where so much is held all the time."""

    def __init__(self, held: float) -> None:
        self.held = self.peak = held

    def take(self, amount: float) -> None:
        self.peak = max(self.peak, self.held + amount)

    def reset(self, device: str) -> None:
        assert device == "cuda:1"
        self.peak = self.held


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    made = Counter(100.0)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: made.peak * 2**20)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", made.reset)
    return made


@pytest.mark.parametrize("training", [(7.0, 3.0), (3.0, 7.0)])
def test_peak_memory_of_the_training_leaves_evaluations_out(counter: Counter, training: tuple[float, float]) -> None:
    memory = PeakMemory("cuda:1")
    counter.take(training[0])
    with memory.apart():
        counter.take(50.0)
    counter.take(training[1])
    with pytest.raises(ZeroDivisionError), memory.apart():
        counter.take(60.0)
        raise ZeroDivisionError
    assert memory.figures() == {"peak_memory_mb": 160.0, "training_memory_mb": 107.0}


def test_peak_memory_of_all_is_the_trainings_where_that_takes_more(counter: Counter) -> None:
    memory = PeakMemory("cuda:1")
    with memory.apart():
        counter.take(5.0)
    counter.take(80.0)
    assert memory.figures() == {"peak_memory_mb": 180.0, "training_memory_mb": 180.0}


def test_peak_memory_on_a_cpu_is_the_processs_alone() -> None:
    reset_peak_memory("cpu")
    memory = PeakMemory("cpu")
    with memory.apart():
        taken = np.ones(40 * 2**17)  # 40 MiB that are written to
    figures = memory.figures()
    assert figures["training_memory_mb"] is None
    assert (figures["peak_memory_mb"] or 0) > taken.nbytes / 2**20


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two of them, as far as torch says."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    return monkeypatch


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auto", ["cuda:0", "cuda:1"]),
        ("cuda", ["cuda:0", "cuda:1"]),
        ("cuda:1", ["cuda:1"]),
        ("cpu", ["cpu"]),
    ],
)
def test_find_devices_takes_every_gpu_unless_one_is_named(asked: str, found: list[str]) -> None:
    assert find_devices(asked) == found


@pytest.mark.usefixtures("gpus")
def test_find_devices_refuses_a_gpu_that_is_not_there() -> None:
    with pytest.raises(BadInput, match="device 'cuda:2': 2 GPUs can be used here"):
        find_devices("cuda:2")


def test_find_devices_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_devices("auto") == ["cpu"]
    with pytest.raises(BadInput, match="device 'cuda': no GPUs can be used here"):
        find_devices("cuda")
    with pytest.raises(BadInput, match="device 'tpu': must be auto, cpu, cuda or cuda:N"):
        find_devices("tpu")


def test_jobs_are_one_per_core_on_a_cpu_and_one_per_gpu() -> None:
    assert jobs_on(["cpu"], None) == len(os.sched_getaffinity(0))
    assert jobs_on(["cuda:0", "cuda:1"], None) == 2
    assert jobs_on(["cuda:0"], 5) == jobs_on(["cpu"], 5) == 5
    with pytest.raises(BadInput, match="jobs: 0: must be 1 to 1,000"):
        jobs_on(["cpu"], 0)


def test_threads_are_all_only_beside_a_lone_run_on_a_gpu() -> None:
    assert threads_of(["cpu"], 1) == threads_of(["cpu"], 2) == threads_of(["cuda:0"], 2) == 1
    assert threads_of(["cuda:0"], 1) == os.cpu_count()
