"""Devices and jobs: what the command line's words stand for on a machine with so many GPUs."""

import os

import pytest
import torch

from lipbench.bench.run.devices import find_devices, jobs_on, threads_of
from lipbench.objectives import BadInput


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
    with pytest.raises(BadInput, match="--device cuda:2: 2 GPUs can be used here"):
        find_devices("cuda:2")


def test_find_devices_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_devices("auto") == ["cpu"]
    with pytest.raises(BadInput, match="--device cuda: no GPUs can be used here"):
        find_devices("cuda")
    with pytest.raises(BadInput, match="--device tpu: must be auto, cpu, cuda or cuda:N"):
        find_devices("tpu")


def test_jobs_are_one_per_core_on_a_cpu_and_one_per_gpu() -> None:
    assert jobs_on(["cpu"], None) == len(os.sched_getaffinity(0))
    assert jobs_on(["cuda:0", "cuda:1"], None) == 2
    assert jobs_on(["cuda:0"], 5) == jobs_on(["cpu"], 5) == 5
    with pytest.raises(BadInput, match="--jobs 0: must be 1 or more"):
        jobs_on(["cpu"], 0)


def test_threads_are_all_only_beside_a_lone_run_on_a_gpu() -> None:
    assert threads_of(["cpu"], 1) == threads_of(["cpu"], 2) == threads_of(["cuda:0"], 2) == 1
    assert threads_of(["cuda:0"], 1) == os.cpu_count()
