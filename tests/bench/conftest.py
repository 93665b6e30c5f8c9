"""What the tests of runs and sweeps share: plug-in files, tiny suites, and a context to make runs in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_run
from lipbench.bench.run.checkpoint import Checkpointer
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.execution import run

from .synthetic_records import make_sweep, sweep  # noqa: F401  fixtures

HEAD = """
import torch
from lipbench.objectives import Batch, Objective

class Mine(Objective):
    name = "mine"
    reference = "a test"
"""


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[..., Path]:
    """Writes my.py with the class `Mine`, whose body is given; `head` replaces everything before it."""

    def write(body: str = "", name: str = "my.py", head: str = HEAD) -> Path:
        path = tmp_path / name
        path.write_text(head + "".join(f"    {line}\n" for line in body.splitlines()), encoding="utf-8")
        return path

    return write


SMALL: dict[str, Any] = {
    "name": "small",
    "objectives": ["wgan-gp"],
    "datasets": ["8gaussians"],
    "architectures": [{"name": "mlp", "width": 8, "depth": 2}],
    "recipe": {"name": "fast", "lr": 0.01, "n_critic": 2, "batch": 16},
    "steps": 6,
    "seeds": [0],
    "evaluation": {"count": 2, "points": 50, "mode_points": 100, "images": 100},
}


@pytest.fixture
def make_suite() -> Callable[..., Suite]:
    """A suite of runs that take a moment each; keyword arguments replace its keys."""

    def make(**content: Any) -> Suite:
        return Suite.model_validate(SMALL | content)

    return make


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    """A results folder beside the plug-ins; no checkpoint is written."""
    return RunContext(tmp_path / "out", checkpoint_seconds=1e9, suite_folder=tmp_path)


@pytest.fixture
def careful(context: RunContext) -> RunContext:
    """The same with a checkpoint after every iteration."""
    return replace(context, checkpoint_seconds=0)


@pytest.fixture
def make_run(make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path) -> Callable[..., RunRecord]:
    """Makes the one run of a tiny suite, in a folder `out` beside its plug-ins, and reads its record."""

    def make(where: RunContext = context, /, **content: Any) -> RunRecord:
        here = replace(where, suite_folder=tmp_path)
        (spec,) = expand(make_suite(**content), here)
        run(spec, here)
        return read_run(where.folder / "runs" / spec.id)

    return make


@pytest.fixture
def optimizer_steps() -> Iterator[list[int]]:
    """Grows by one with each step of an optimiser in this process: how many steps that optimiser has made."""
    made: list[int] = []

    def note(optimizer: Optimizer, *_: Any) -> None:
        made.append(int(next(iter(optimizer.state.values()))["step"]))

    handle = register_optimizer_step_post_hook(note)
    yield made
    handle.remove()


@pytest.fixture
def interrupt_at() -> Callable[[int], AbstractContextManager[None]]:
    """Within it, Ctrl-C is pressed once a run has made that many generator updates and its checkpoint is written."""

    @contextmanager
    def interrupt(step: int) -> Iterator[None]:
        written = Checkpointer.on_train_batch_end

        def press(self: Checkpointer, trainer: Any, module: Any, *rest: Any, **more: Any) -> None:
            written(self, trainer, module, *rest, **more)
            if module.iteration.updates == step:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpointer, "on_train_batch_end", press)
            yield

    return interrupt
