"""Checkpoints: a run that was stopped goes on bit by bit as if nothing had happened; a damaged one is passed over."""

import hashlib
import os
import pickle
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lipbench.bench.records.reader import RunRecord, read_samples
from lipbench.bench.records.schema import Cost
from lipbench.bench.run.checkpoint import Checkpointer, random_states, set_random_states
from lipbench.bench.run.context import RunContext

MakeRun = Callable[..., RunRecord]
InterruptAt = Callable[..., Any]
WritePlugin = Callable[..., Path]

# Draws from every global stream, in training mode only, against the contract: even that must go on as it was.
RANDOM = """def transform(self, x, batch):
    if torch.is_grad_enabled():
        x = x + 0.01 * torch.randn_like(x) + 0.01 * numpy.random.normal() + 0.01 * random.random()
    return x"""
# State in a buffer, and noise from the objective's own stream.
STATEFUL = """def __init__(self):
    super().__init__(loss="hinge")
    self.register_buffer("seen", torch.zeros(()))

def penalty(self, critic, batch):
    self.seen += 1
    noise = torch.randn(len(batch.real), 1, generator=batch.rng)
    return 0.1 * self.seen * critic(batch.real + noise).square().mean()"""
GAMES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "penalty, average, decay, norm": ("wgan-gp", {"norm": "batch"}, {"ema": 0.7, "decay": "linear"}),
    "power iteration": ("sn-gan", {}, {}),
    "clipping, RMSprop": ({"name": "wgan-clip", "clip": 0.05}, {"critic_norm": "batch"}, {"optimizer": "rmsprop"}),
    "packed, simultaneous": (
        "non-saturating",
        {"name": "pacgan-mlp", "critic_width": 8, "packing": 2},
        {"n_critic": 1, "updates": "simultaneous", "ema": 0.7},
    ),
    "conditional": ("sn-gan", {"norm": "batch", "classes": 8}, {"ema": 0.7, "generator_batch": 24}),
    "state in a buffer": ("my.py:Stateful", {}, {}),
    "global random numbers": ("my.py:Random", {"critic_norm": "layer"}, {}),
}


@pytest.fixture
def game(write_plugin: WritePlugin) -> Callable[[str], dict[str, Any]]:
    """What makes a tiny suite of that game."""
    classes = "".join(
        f'class {name}(Objective):\n    name, reference = "{name.lower()}", "a test"\n'
        + "".join(f"    {line}\n" for line in body.splitlines())
        for name, body in (("Random", RANDOM), ("Stateful", STATEFUL))
    )
    imports = "import random\nimport numpy\nimport torch\nfrom lipbench.objectives import Objective\n"
    write_plugin(head=imports + classes)

    def content(name: str) -> dict[str, Any]:
        objective, network, recipe = GAMES[name]
        return {
            "objectives": [objective],
            "architectures": [{"name": "mlp", "width": 8, "depth": 2} | network],
            "recipe": {"name": "r", "lr": 0.01, "n_critic": 2, "batch": 16} | recipe,
            "steps": 8,
            "evaluation": {"count": 3, "points": 50, "mode_points": 100},
        }

    return content


def checkpoints(context: RunContext) -> list[Path]:
    return sorted((context.folder / "runs").glob(".*.partial/resume/*.ckpt"))


def elsewhere(context: RunContext) -> RunContext:
    return RunContext(context.folder.parent / "undisturbed", checkpoint_seconds=1e9)


def taken(steps: list[int]) -> list[int]:
    """What has come into the list so far; it is empty then."""
    found = steps.copy()
    steps.clear()
    return found


def assert_same(a: RunRecord, b: RunRecord) -> None:
    """Everything that is not a time, nor how often the run was begun."""
    assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))
    for name in ("generator", "critic"):
        first, second = (load_file(r.folder / "checkpoint" / f"{name}.safetensors") for r in (a, b))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[k], second[k]) for k in first)
    arrays = [read_samples(r.folder / "samples.npz", "fake", "real", "steps", "snapshots") for r in (a, b)]
    assert all(np.array_equal(arrays[0][k], arrays[1][k]) for k in ("fake", "real", "steps", "snapshots"))
    assert replace(a.result, cost=Cost()) == replace(b.result, cost=Cost())


@pytest.mark.parametrize("name", GAMES)
def test_checkpoint_lets_a_run_go_on_as_if_it_had_never_stopped(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any, optimizer_steps: list[int], name: str
) -> None:
    """Stopped twice: before an evaluation, and right after one."""
    content = game(name)
    for step in (2, 5):
        with interrupt_at(step), pytest.raises(KeyboardInterrupt):
            make_run(careful, **content)
    stopped = make_run(careful, **content)
    assert stopped.status in ("completed", "diverged")  # some networks begin near a single point
    made = taken(optimizer_steps)
    assert_same(stopped, make_run(elsewhere(careful), **content))
    assert made == optimizer_steps  # none twice, none left out
    assert not list(stopped.folder.rglob("*.ckpt"))


def test_checkpoint_after_the_last_step_leaves_only_the_record_to_be_written(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any, optimizer_steps: list[int]
) -> None:
    content = game("power iteration")
    with interrupt_at(8), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    stopped = make_run(careful, **content)
    made = taken(optimizer_steps)
    assert_same(stopped, make_run(elsewhere(careful), **content))
    assert made == optimizer_steps


def test_checkpoint_brings_back_the_time_that_went_into_a_run(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any
) -> None:
    """An hour, as far as the checkpoint knows, lies before the stop."""
    content = game("power iteration")
    with interrupt_at(4), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    newest = checkpoints(careful)[-1]
    checkpoint = torch.load(newest, weights_only=True)
    assert checkpoint["callbacks"]["Evaluator"]["seconds"] > checkpoint["callbacks"]["Evaluator"]["train_seconds"] > 0
    checkpoint["callbacks"]["Evaluator"] |= {"seconds": 3600.0, "train_seconds": 800.0}
    torch.save(checkpoint, newest)
    newest.with_suffix(".sha256").write_text(hashlib.sha256(newest.read_bytes()).hexdigest())
    result = make_run(careful, **content).result
    assert 3600 < result.cost.seconds < 3700
    assert 100 < (result.cost.seconds_per_iteration or 0) < 110


@pytest.mark.parametrize(
    ("loss", "outcome"),
    [
        ("batch.fake.square().mean() * (1.0 if batch.step < 35 else 1e-12)", ("diverged", "frozen")),
        (
            "batch.fake.var() if batch.step < 30 else (batch.fake.var(dim=0) - 1).square().sum()",
            ("completed", "collapsed"),
        ),
    ],
    ids=["the first gradient", "a collapse that has passed"],
)
def test_checkpoint_brings_back_what_was_known_of_divergence(
    make_run: MakeRun,
    careful: RunContext,
    interrupt_at: InterruptAt,
    write_plugin: WritePlugin,
    loss: str,
    outcome: tuple[str, str],
) -> None:
    """What the outcome depends on lies before the stop."""
    write_plugin(f"def generator_loss(self, critic, batch):\n    return {loss}")
    content = {"objectives": ["my.py:Mine"], "recipe": {"name": "r", "lr": 0.1, "batch": 64}, "steps": 60}
    content |= {"evaluation": {"count": 12, "points": 50, "mode_points": 100}}
    with interrupt_at(40), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    assert checkpoints(careful)[-1].stem == "000000040"
    context = replace(careful, checkpoint_seconds=1e9)
    stopped = make_run(context, **content)
    assert (stopped.status, stopped.result.outcome.reason) == outcome
    assert_same(stopped, make_run(elsewhere(context), **content))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one bit": _flip,
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no checksum": lambda path: path.with_suffix(".sha256").unlink(),
    "half a checksum": lambda path: path.with_suffix(".sha256").write_text("abc"),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_checkpoint_that_is_damaged_is_told_and_the_one_before_is_taken(
    make_run: MakeRun,
    careful: RunContext,
    interrupt_at: InterruptAt,
    game: Any,
    optimizer_steps: list[int],
    damage: str,
) -> None:
    content = game("penalty, average, decay, norm")
    with interrupt_at(5), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    before, newest = checkpoints(careful)
    assert (before.stem, newest.stem) == ("000000004", "000000005")
    DAMAGE[damage](newest)
    with pytest.warns(UserWarning, match=f"damaged checkpoint {newest}: going on from the one before"):
        resumed = make_run(careful, **content)
    made = taken(optimizer_steps)
    assert_same(resumed, make_run(elsewhere(careful), **content))
    update = len(optimizer_steps) // 8
    assert made == optimizer_steps[: 5 * update] + optimizer_steps[4 * update :]  # the fifth twice


def test_checkpoints_that_are_all_damaged_leave_the_start_and_make_room_for_new_ones(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any, optimizer_steps: list[int]
) -> None:
    content = game("power iteration")
    with interrupt_at(5), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    for path in checkpoints(careful):
        _flip(path)
    with pytest.warns(UserWarning, match="damaged checkpoint") as told, interrupt_at(2):  # noqa: SIM117
        with pytest.raises(KeyboardInterrupt):
            make_run(careful, **content)
    assert len(told) == 2
    assert [path.stem for path in checkpoints(careful)] == ["000000001", "000000002"]
    resumed = make_run(careful, **content)
    made = taken(optimizer_steps)
    assert_same(resumed, make_run(elsewhere(careful), **content))
    assert made == optimizer_steps[: 5 * len(optimizer_steps) // 8] + optimizer_steps


def test_checkpoint_that_was_cut_short_while_it_was_written_is_not_looked_at(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any, optimizer_steps: list[int]
) -> None:
    content = game("power iteration")
    with interrupt_at(3), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    (checkpoints(careful)[0].parent / ".writing").write_bytes(b"half")
    make_run(careful, **content)
    made = taken(optimizer_steps)
    make_run(elsewhere(careful), **content)
    assert made == optimizer_steps


def test_checkpoint_holds_weights_and_plain_values_only(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any
) -> None:
    with interrupt_at(5), pytest.raises(KeyboardInterrupt):
        make_run(careful, **game("penalty, average, decay, norm"))
    content = torch.load(checkpoints(careful)[-1], weights_only=True)
    assert content["game"]["updates"] == 5
    assert content["game"]["streams"].keys() == {"data", "latent", "objective", "evaluation"}
    assert {name.partition(".")[0] for name in content["state_dict"]} == {"generator", "critic", "average"}
    assert len(content["optimizer_states"]) == 2


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_checkpoint_is_never_unpickled_beyond_weights(
    make_run: MakeRun, careful: RunContext, interrupt_at: InterruptAt, game: Any, tmp_path: Path
) -> None:
    """Even with the right checksum."""
    content, sprung = game("power iteration"), tmp_path / "sprung"
    with interrupt_at(3), pytest.raises(KeyboardInterrupt):
        make_run(careful, **content)
    newest = checkpoints(careful)[-1]
    torch.save({"state_dict": Trap(sprung)}, newest)
    newest.with_suffix(".sha256").write_text(hashlib.sha256(newest.read_bytes()).hexdigest())
    record = make_run(careful, **content)
    assert record.status == "failed"
    assert pickle.UnpicklingError.__name__ in str(record.result.outcome.reason)
    assert not sprung.exists()


class Module:
    """Stands for a game: only its counter is looked at."""

    def __init__(self) -> None:
        self.iteration = SimpleNamespace(updates=0)


class Saver:
    """Stands for a trainer: what it saves is what it was given."""

    should_stop = False

    def save_checkpoint(self, path: Path) -> None:
        path.write_bytes(os.urandom(100))


def test_checkpointer_keeps_the_two_newest(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "resume", 0)
    assert checkpointer.latest() is None
    for updates in (5, 10, 200, 1000):
        path = checkpointer.write(Saver(), updates)  # pyright: ignore[reportArgumentType]
        assert checkpointer.latest() == path
    names = ["000000200.ckpt", "000000200.sha256", "000001000.ckpt", "000001000.sha256"]
    assert sorted(p.name for p in (tmp_path / "resume").iterdir()) == names


def test_checkpointer_waits_for_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    checkpointer, saver, module = Checkpointer(tmp_path / "resume", 60), Saver(), Module()
    seen = []
    for at in (130.0, 159.0, 161.0, 180.0, 220.0, 222.0):
        now = at
        module.iteration.updates += 1
        checkpointer.on_train_batch_end(saver, module)  # pyright: ignore[reportArgumentType]
        seen.append(len(list(tmp_path.rglob("*.ckpt"))))
    assert seen == [0, 0, 1, 1, 1, 2]


def test_checkpointer_writes_nothing_once_a_run_is_to_stop(tmp_path: Path) -> None:
    saver, module = Saver(), Module()
    saver.should_stop = True
    Checkpointer(tmp_path / "resume", 0).on_train_batch_end(saver, module)  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "resume").exists()


def testrandom_states_come_back_through_a_file(tmp_path: Path) -> None:
    def draw() -> tuple[Any, ...]:
        return random.random(), random.gauss(0, 1), np.random.normal(), np.random.rand(), torch.rand(3).tolist()

    draw()
    torch.save(random_states(), tmp_path / "states")
    expected = draw()
    draw()
    set_random_states(torch.load(tmp_path / "states", weights_only=True))
    assert draw() == expected


def testrandom_states_of_more_gpus_than_are_here_come_back_for_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    states, restored = random_states(), list[torch.Tensor]()
    states["cuda"] = [torch.tensor([gpu], dtype=torch.uint8) for gpu in range(4)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.extend)
    set_random_states(states)
    assert [int(state) for state in restored] == [0, 1]


def test_checkpoint_of_a_healthy_run_raises_no_warning(make_run: MakeRun, careful: RunContext, game: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_run(careful, **game("power iteration"))
