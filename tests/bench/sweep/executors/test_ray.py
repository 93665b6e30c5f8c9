"""Ray on this machine: two nodes, one of which is lost while it works, and processes that die or linger."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("ray", reason="ray is not installed: pip install 'lipbench[ray]'")

import ray
from ray.cluster_utils import Cluster

from lipbench.bench.config.spec import RunSpec
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.records.store import Store
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import Limits, RunFinished, RunRetried, RunStarted
from lipbench.bench.sweep.executors.address import check_answers
from lipbench.bench.sweep.executors.ray import RayExecutor
from lipbench.objectives import BadInput

Made = Callable[..., dict[str, RunRecord]]
Plan = Callable[..., list[RunSpec]]
DiesOnce = Callable[[str], str]
Same = Callable[[RunRecord, RunRecord], None]
pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and processes for the interpreter's end.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # by default anything else on the machine comes before the workers


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes with a core each; this process is the driver, on the first."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield made, second
    finally:
        ray.shutdown()
        made.shutdown()


def test_ray_makes_the_run_of_a_lost_node_again(
    plan: Plan, context: RunContext, cluster: Any, read: Any, made: Made, assert_same_course: Same
) -> None:
    """From its checkpoint, on the node that is left; and no attempt is charged for it."""
    nodes, second = cluster
    check_answers(nodes.address)
    content = {"objectives": ["minimax", "wgan-gp"], "steps": 300}
    specs, careful = plan(**content), replace(context, checkpoint_seconds=0.2)
    events = []
    for event in RayExecutor(Limits(), None, 0).execute(specs, careful):
        events.append(event)
        if [type(e) for e in events] == [RunStarted, RunStarted]:
            wait_for_checkpoints(careful, specs)
            nodes.remove_node(second, allow_graceful=False)
    again = [e for e in events if isinstance(e, RunRetried)]
    assert [e.cause for e in again] == ["its node was lost"]
    assert {e.spec.id for e in events if isinstance(e, RunFinished)} == {spec.id for spec in specs}
    undisturbed = made(1, replace(context, folder=context.folder.parent / "undisturbed"), **content)
    for record in read(careful, specs):
        assert record.result.cost.attempts == 1 + (record.id == again[0].spec.id)
        assert_same_course(record, undisturbed[record.objective])


def wait_for_checkpoints(context: RunContext, specs: list[RunSpec]) -> None:
    store = Store(context.folder)
    until = time.monotonic() + 600  # where other programs leave little of the machine
    while not all(list(store.unfinished(spec.id).glob("resume/*.sha256")) for spec in specs):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_ray_tries_again_what_dies_and_kills_what_is_past_its_time(
    made: Made, dies_once: DiesOnce, careful: RunContext, cluster: Any, assert_same_course: Same
) -> None:
    content = {"objectives": [dies_once("os.kill(os.getpid(), signal.SIGKILL)"), "wgan-gp"], "steps": 8}
    records = made(RayExecutor(Limits(retries=1), None, 0), careful, **content)
    assert {name: r.result.cost.attempts for name, r in records.items()} == {"mine": 2, "wgan-gp": 1}
    undisturbed = made(1, replace(careful, folder=careful.folder.parent / "undisturbed"), **content)
    for name, record in records.items():
        assert_same_course(record, undisturbed[name])
    slow = {"objectives": [dies_once("time.sleep(1000)")], "steps": 9}
    (careful.folder.parent / "died").unlink()
    result = made(RayExecutor(Limits(seconds=5), None, 0), careful, **slow)["mine"].result
    assert (result.outcome.status, result.outcome.reason) == ("failed", "past its time limit of 5 s")


def test_ray_says_how_a_worker_died_and_stops_where_one_refuses_its_run(
    made: Made,
    dies_once: DiesOnce,
    plan: Plan,
    context: RunContext,
    cluster: Any,
    begun_on_another_device: Callable[[RunSpec], None],
) -> None:
    content = {"objectives": [dies_once("os.kill(os.getpid(), signal.SIGKILL)"), "wgan-gp"], "steps": 8}
    records = made(RayExecutor(Limits(), None, 0), context, **content)
    assert records["mine"].result.outcome.reason == "the worker process died"
    assert records["wgan-gp"].status == "completed"
    (spec,) = plan()
    begun_on_another_device(spec)
    with pytest.raises(BadInput, match="this run was begun on NVIDIA"):
        list(RayExecutor(Limits(), None, 0).execute([spec], context))


def test_ray_that_is_not_there_is_told_in_one_line(
    plan: Plan, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        assert options["address"] == "10.0.0.1:6379"
        raise ConnectionError("Failed to connect\nto the cluster")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(BadInput) as caught:
        list(RayExecutor(Limits(), "10.0.0.1:6379", 0).execute(plan(), context))
    assert str(caught.value) == "address 10.0.0.1:6379: no Ray cluster: Failed to connect to the cluster"
