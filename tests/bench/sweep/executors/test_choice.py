"""From the command line to an executor, and what is said of options that make no sense."""

import math
import sys
from typing import Any

import pytest

from lipbench.bench.sweep.executors import EXECUTORS, Limits, LocalExecutor, Options, choose
from lipbench.objectives import BadInput


def test_choose_local_takes_jobs_devices_and_limits() -> None:
    choice = choose("local", Options(jobs=3, device="cpu", limits=Limits(1, 5.0)))
    assert isinstance(choice.executor, LocalExecutor)
    assert (choice.executor.slots, choice.executor.limits, choice.device, choice.threads) == (3, Limits(1, 5), "cpu", 1)
    assert choice.executor.where == "3 at a time"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"limits": Limits(retries=-1)}, "retries: -1: must be 0 or more"),
        *(
            ({"limits": Limits(seconds=x)}, f"time limit: {x:g}: must be more than 0 seconds, at most 1e+09")
            for x in (0, math.nan, 1e300, math.inf)
        ),
        *(
            ({"gpus_per_run": x}, f"GPUs for each run: {x:g}: must be a number, 0 or more")
            for x in (-0.5, math.nan, math.inf)
        ),
    ],
)
def test_choose_refuses_limits_that_nothing_can_keep(options: dict[str, Any], line: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose("local", Options(**options))
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("local", {"slurm": {"timeout_min": 3}}, "slurm: for the executor slurm; this is local"),
        ("slurm", {"jobs": 4}, "jobs: for the executor local; this is slurm"),
        ("local", {"address": "auto"}, "address: for the executor ray; this is local"),
        ("slurm", {"address": "auto"}, "address: for the executor ray; this is slurm"),
        ("ray", {"slurm": {"timeout_min": 3}}, "slurm: for the executor slurm; this is ray"),
        (
            "local",
            {"gpus_per_run": 0.5},
            "GPUs for each run: for the executor ray or slurm; this is local",
        ),
    ],
)
def test_choose_refuses_what_another_executor_takes(name: str, options: dict[str, Any], line: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose(name, Options(**options))
    assert str(caught.value) == line


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_choose_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=rf"executor {name}: .*; install it: pip install 'lipbench\[{name}\]'$"):
        choose(name, Options())


def test_choose_elsewhere_asks_for_a_gpu_only_with_gpus_per_run() -> None:
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'lipbench[slurm]'")
    assert choose("slurm", Options(slurm={"cluster": "local"})).device == "cpu"
    assert choose("slurm", Options(gpus_per_run=1)).device == "cuda:0"
    assert choose("slurm", Options(device="cuda:3")).device == "cuda:3"
    assert choose("slurm", Options(slurm={"cpus_per_task": 4})).threads == 4


@pytest.mark.parametrize("threads", ["x", 0, 1.5, True, None])
def test_choose_slurm_refuses_threads_that_are_no_number(threads: object) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'lipbench[slurm]'")
    with pytest.raises(BadInput, match=r"slurm: cpus_per_task=.*: must be a whole number, 1 or more"):
        choose("slurm", Options(slurm={"cpus_per_task": threads}))


def test_executors_are_those_of_the_command_line() -> None:
    from typing import get_args, get_type_hints

    from lipbench.bench.cli.commands import run

    assert set(get_args(get_type_hints(run)["executor"])) == set(EXECUTORS)
