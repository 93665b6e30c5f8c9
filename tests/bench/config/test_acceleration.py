"""`accelerate: auto`: which runs are compiled, and that this is decided by nothing that is no part of a run."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lipbench.bench.config.acceleration import COLD, SAVED, TIMES, pays
from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import LocalExecutor
from lipbench.bench.sweep.preflight import check_suite
from lipbench.bench.sweep.runner import Runner, sweep
from lipbench.models.recipe import Recipe
from lipbench.objectives import BUILTINS

MakeSuite = Callable[..., Suite]
LONG = 10**7  # iterations, of which compiling any network pays
RECIPE = {"name": "fast", "lr": 0.01, "n_critic": 2, "batch": 16}


@pytest.fixture
def specs_of(make_suite: MakeSuite, context: RunContext) -> Callable[..., list[RunSpec]]:
    def make(device: str = "cpu", /, **content: Any) -> list[RunSpec]:
        return expand(make_suite(**{"accelerate": "auto", "steps": LONG} | content), replace(context, device=device))

    return make


@pytest.mark.parametrize("n_critic", [1, 2, 5, 100])
def test_auto_compiles_from_the_length_on_that_saves_so_many_times_what_compiling_takes(n_critic: int) -> None:
    long = [steps for steps in range(0, 200_000, 10) if pays(steps, Recipe(n_critic=n_critic))]
    assert long == list(range(long[0], 200_000, 10))
    saved = SAVED * (n_critic + 1)  # of an iteration: so many updates of the critic, and one of the generator
    assert TIMES <= long[0] * saved / COLD < TIMES + 10 * saved / COLD + 1e-9


def test_auto_is_resolved_before_there_is_an_identity(specs_of: Callable[..., list[RunSpec]]) -> None:
    """A run is the one that is asked for by the explicit choice, whatever its choice is."""
    content: dict[str, Any] = {
        "objectives": sorted(BUILTINS),
        "datasets": ["8gaussians", "digits"],
        "architectures": {"digits": ["dcgan"]},
        "recipe": "matched",
    }
    for steps in (10, LONG):
        decided = specs_of(steps=steps, **content)
        explicit = {how: specs_of(steps=steps, accelerate=how, **content) for how in ("none", "compile")}
        assert decided == [explicit[spec.accelerate][i] for i, spec in enumerate(decided)]
        assert {spec.accelerate for spec in decided} == ({"none"} if steps == 10 else {"none", "compile"})


def test_auto_does_not_depend_on_what_else_is_asked_for(specs_of: Callable[..., list[RunSpec]]) -> None:
    few, more = specs_of(seeds=[3]), specs_of(seeds=[0, 3], objectives=["minimax", "wgan-gp"])
    assert {spec.id for spec in few} < {spec.id for spec in more}


ELSEWHERE: dict[str, dict[str, Any]] = {
    "an objective that needs the host": {"objectives": [{"name": "wgan-gp", "at": "ot_line"}]},
    "another one": {"objectives": ["orthogonal"]},
    "updates that cannot be compiled": {"recipe": RECIPE | {"n_critic": 1, "updates": "simultaneous"}},
    "an optimiser that cannot be": {"recipe": RECIPE | {"optimizer": "rmsprop", "decay": "linear"}},
    "images": {"datasets": ["digits"]},
    "wide networks": {"architectures": [{"name": "mlp", "width": 129}]},
    "convolutions": {"datasets": ["digits"], "architectures": ["dcgan"]},
    "another precision": {"precision": "bf16"},
    "a short run": {"steps": 100},
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_auto_compiles_nothing_of_which_it_is_not_known_that_it_pays(
    specs_of: Callable[..., list[RunSpec]], what: str
) -> None:
    assert [spec.accelerate for spec in specs_of()] == ["compile"]
    assert [spec.accelerate for spec in specs_of(**ELSEWHERE[what])] == ["none"]


def test_auto_compiles_neither_code_of_others_nor_on_a_gpu(
    specs_of: Callable[..., list[RunSpec]], write_plugin: Callable[..., Path]
) -> None:
    write_plugin()
    assert [spec.accelerate for spec in specs_of(objectives=["my.py:Mine", "minimax"])] == ["none", "compile"]
    assert [spec.accelerate for spec in specs_of("cuda:0")] == ["none"]


def test_auto_is_told_before_the_first_run(make_suite: MakeSuite, context: RunContext) -> None:
    printed = io.StringIO()
    suite = make_suite(accelerate="auto", steps=LONG, objectives=["wgan-gp", "orthogonal"], seeds=[0, 1])
    check_suite(suite, expand(suite, context), context, Console(file=printed, width=200))
    (line,) = printed.getvalue().splitlines()
    assert line.startswith("accelerate: auto: 2 of 4 runs are compiled (wgan-gp on 8gaussians)")


def test_auto_finds_the_run_of_the_explicit_choice(make_suite: MakeSuite, context: RunContext) -> None:
    printed = io.StringIO()
    runner = Runner(context, LocalExecutor(), Console(file=printed, width=200), report=lambda folder, console: None)
    assert sweep(make_suite(accelerate="none"), runner) == 0
    assert "accelerate" not in printed.getvalue()
    assert sweep(make_suite(accelerate="auto"), runner) == 0
    assert "accelerate: auto: 0 of 1 runs are compiled;" in printed.getvalue()
    assert "1 runs, 0 to make" in printed.getvalue()
