"""`accelerate` and `precision` from a suite to a run's record: identity, refusals, skips."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lipbench.bench import cli
from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite, load_suite
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.execution import run
from lipbench.bench.sweep.executors import LocalExecutor
from lipbench.bench.sweep.runner import Runner, sweep
from lipbench.objectives import BadInput

MakeSuite = Callable[..., Suite]


def test_options_are_part_of_the_identity_only_where_they_are_not_the_default(make_suite: MakeSuite) -> None:
    (plain,) = expand(make_suite(), RunContext(Path()))
    (spelt,) = expand(make_suite(accelerate="none", precision="32"), RunContext(Path()))
    assert plain.id == spelt.id
    assert not {"accelerate", "precision"} & set(plain.identity)
    others = [replace(plain, accelerate="graph"), replace(plain, precision="bf16"), replace(plain, precision="tf32")]
    assert len({spec.id for spec in (plain, *others)}) == 4


def test_options_are_recorded(make_suite: MakeSuite) -> None:
    (plain,) = expand(make_suite(), RunContext(Path()))
    (other,) = expand(make_suite(accelerate="compile", precision="bf16"), RunContext(Path()))
    found = [(spec.record()["accelerate"], spec.record()["precision"]) for spec in (plain, other)]
    assert found == [("none", "32"), ("compile", "bf16")]


def write(path: Path, **keys: Any) -> str:
    path.write_text(json.dumps({"objectives": ["wgan-gp"], "datasets": ["8gaussians"], "steps": 2} | keys))
    return str(path)


def test_options_of_a_suite_file_may_be_numbers_and_are_checked(tmp_path: Path) -> None:
    assert load_suite(write(tmp_path / "a.yaml", precision=32))[0].precision == "32"
    with pytest.raises(BadInput, match=r"a\.yaml: 'accelerate'.*known: auto, compile, graph, none"):
        load_suite(write(tmp_path / "a.yaml", accelerate="cuda"))
    with pytest.raises(BadInput, match=r"a\.yaml: 'precision'.*known: 32, bf16, tf32"):
        load_suite(write(tmp_path / "a.yaml", precision=16))


@pytest.mark.parametrize("option", [["--accelerate", "graph"], ["--precision", "tf32"]])
def test_options_that_need_a_gpu_are_refused_on_a_cpu_before_any_run(
    tmp_path: Path, capsys: Any, option: list[str]
) -> None:
    suite, out = write(tmp_path / "a.yaml"), tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", suite, "--out", str(out), "--device", "cpu", "--jobs", "1", *option])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told == f"lipbench: {option[0][2:]} '{option[1]}': needs a CUDA GPU, and the device is cpu\n"
    assert not out.exists()


def test_options_skip_objectives_that_are_not_capturable(make_suite: MakeSuite, tmp_path: Path) -> None:
    suite = make_suite(objectives=[{"name": "wgan-gp", "at": "ot_line"}], accelerate="compile")
    with pytest.raises(BadInput, match="wgan-gp needs the host in its steps"):  # nothing else is left to be made
        sweep(suite, Runner(RunContext(tmp_path / "alone"), LocalExecutor(), Console(quiet=True)))
    beside = make_suite(objectives=[{"name": "wgan-gp", "at": "ot_line"}, "minimax"], accelerate="compile")
    specs = expand(beside, RunContext(Path()))
    outcome = run(specs[0], RunContext(tmp_path)).outcome
    assert outcome.status == "skipped"
    assert str(outcome.reason).startswith("wgan-gp needs the host in its steps")


def test_options_bf16_makes_a_run_that_says_so(make_suite: MakeSuite, tmp_path: Path) -> None:
    (spec,) = expand(make_suite(precision="bf16"), RunContext(Path()))
    assert run(spec, RunContext(tmp_path)).outcome.status in ("completed", "diverged")
    assert json.loads((tmp_path / "runs" / spec.id / "spec.json").read_text())["precision"] == "bf16"


def test_options_a_run_that_cannot_be_compiled_fails_and_falls_back_to_nothing(
    make_suite: MakeSuite, write_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_plugin(
        "def transform(self, x, batch):\n    return x * (1 if float(x.mean()) > 0 else 2)".replace(
            "\n    ", "\n        "
        )
    )
    (spec,) = expand(make_suite(objectives=[f"{path}:Mine"], accelerate="compile"), RunContext(tmp_path))
    outcome = run(spec, RunContext(tmp_path / "out")).outcome
    assert outcome.status == "failed"
    assert "accelerate: compile: an iteration of mine cannot be captured: " in str(outcome.reason)


@pytest.mark.slow
def test_options_compiled_run_is_evaluated_like_an_eager_one(make_suite: MakeSuite, tmp_path: Path) -> None:
    """Six iterations of training hardly part them, so their metrics agree to a few digits."""
    found = []
    for accelerate in ("none", "compile"):
        (spec,) = expand(make_suite(accelerate=accelerate), RunContext(Path()))
        found.append(run(spec, RunContext(tmp_path / accelerate)).to_json())
    eager, compiled = found
    assert eager["preparation_seconds"] == 0 < compiled["preparation_seconds"]
    for metric in ("w1", "critic_loss", "generator_grad_norm"):
        assert compiled["metrics"][metric]["final"] == pytest.approx(eager["metrics"][metric]["final"], rel=1e-3)
