"""Whole runs on the pretended GPU: their records say what those of the CPU say, also after an interruption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_run, read_samples
from lipbench.bench.records.schema import RunResult
from lipbench.bench.run.checkpoint import Checkpointer
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.execution import run
from lipbench.bench.run.sampling import sample_run
from lipbench.bench.sweep.executors import LocalExecutor, RunFinished

SUITE: dict[str, Any] = {
    "name": "small",
    "objectives": ["wgan-gp"],
    "datasets": ["8gaussians"],
    "architectures": [{"name": "mlp", "width": 8, "depth": 2}],
    "recipe": {"name": "r", "lr": 0.01, "n_critic": 2, "batch": 16, "ema": 0.9, "decay": "linear"},
    "steps": 6,
    "seeds": [0],
    "evaluation": {"count": 2, "points": 50, "mode_points": 100, "images": 100, "repeats": 2},
}
KINDS: dict[str, dict[str, Any]] = {
    "points": {},
    "a stream of points": {"datasets": ["swissroll"], "objectives": ["sn-gan"]},
    "clipped, in bf16": {"objectives": ["wgan-clip"], "precision": "bf16"},
    "images": {"datasets": ["digits"], "objectives": ["sn-gan"], "architectures": [{"name": "dcgan", "channels": 4}]},
    "classes of images": {
        "datasets": ["digits"],
        "architectures": [{"name": "dcgan", "channels": 4, "classes": "auto"}],
        "evaluation": SUITE["evaluation"] | {"metrics": ["fd", "class_accuracy", "intra_fd", "class_kl"]},
    },
}


def spec_of(tmp_path: Path, **content: Any) -> RunSpec:
    (spec,) = expand(Suite.model_validate(SUITE | content), RunContext(tmp_path, suite_folder=tmp_path))
    return spec


def record_of(spec: RunSpec, context: RunContext) -> RunRecord:
    outcome = run(spec, context).outcome
    assert outcome.traceback is None, outcome.traceback
    return read_run(context.folder / "runs" / spec.id)


def same(a: RunRecord, b: RunRecord) -> None:
    """All but times, memory and device."""
    pd.testing.assert_frame_equal(a.history.drop(columns="seconds"), b.history.drop(columns="seconds"))
    assert replace(a.measurements, data="") == replace(b.measurements, data="")
    for name in ("generator", "critic"):
        first, second = (load_file(x.folder / "checkpoint" / f"{name}.safetensors") for x in (a, b))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    pictures = [read_samples(x.folder / "samples.npz", "real", "fake", "snapshots") for x in (a, b)]
    assert all(np.array_equal(pictures[0][key], pictures[1][key]) for key in pictures[0])


@pytest.fixture
def here(tmp_path: Path) -> RunContext:
    return RunContext(tmp_path / "cpu", checkpoint_seconds=1e9)


@pytest.fixture
def there(tmp_path: Path) -> RunContext:
    return RunContext(tmp_path / "gpu", "cuda:0", checkpoint_seconds=1e9)


@pytest.mark.parametrize("kind", KINDS)
def test_run_has_the_record_of_the_cpu(
    gpu: Any, tmp_path: Path, here: RunContext, there: RunContext, kind: str
) -> None:
    spec = spec_of(tmp_path, **KINDS[kind])
    found = record_of(spec, there)
    same(record_of(spec, here), found)
    assert found.spec["device"] == "Pretended GPU"
    assert found.result.cost.peak_memory_mb == found.result.cost.training_memory_mb == 2


def test_run_sets_the_memory_of_every_evaluation_apart(
    gpu: Any, tmp_path: Path, there: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", counted.append)
    record = record_of(spec_of(tmp_path), there)
    evaluations = len(record.history) + 1  # the last one is of the repeats at the end
    assert counted == ["cuda:0"] * (1 + 2 * evaluations)  # at the start, and before and after each


@pytest.mark.parametrize("whole", [10**9, 1000])
def test_run_as_a_graph_waits_for_room_that_others_take(
    gpu: Any, tmp_path: Path, there: RunContext, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    """Too large for the GPU is a reason to skip it; a GPU that is full for now is not."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, whole))
    spec = spec_of(tmp_path, **KINDS["images"], accelerate="graph")
    if whole > 1000:
        with pytest.raises(MemoryError, match="out of memory: the data fit on cuda:0, but others fill it now"):
            run(spec, there)
    else:
        assert "the data do not fit" in str(run(spec, there).outcome.reason)


class Pressed(Checkpointer):
    """Ctrl-C after the third update, once its checkpoint is written."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        super().on_train_batch_end(trainer, pl_module, *args, **kwargs)
        if pl_module.iteration.updates == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("accelerate", "optimizer"), [("none", "adam"), ("graph", "adam"), ("graph", "rmsprop")])
def test_run_goes_on_from_its_checkpoint(
    gpu: Any, tmp_path: Path, there: RunContext, monkeypatch: pytest.MonkeyPatch, accelerate: str, optimizer: str
) -> None:
    spec = spec_of(tmp_path, accelerate=accelerate, recipe=SUITE["recipe"] | {"optimizer": optimizer})
    careful = replace(there, folder=tmp_path / "interrupted", checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
        patch.setattr("lipbench.bench.run.train.Checkpointer", Pressed)
        run(spec, careful)
    found = record_of(spec, careful)
    assert found.result.cost.attempts == 2
    assert ((found.result.cost.preparation_seconds or 0) > 0) == (accelerate == "graph")
    same(record_of(spec, there), found)


def test_run_is_sampled(gpu: Any, tmp_path: Path, there: RunContext) -> None:
    """Its weights lie in the host's memory again."""
    found = record_of(spec_of(tmp_path, **KINDS["images"]), there)
    drawn = torch.load(sample_run(found.folder, 5, tmp_path / "x.pt", 0), weights_only=True)
    assert drawn.shape == (5, 1, 8, 8)
    assert sample_run(found.folder, 5, tmp_path / "x.png", 0).is_file()


def test_local_executor_leaves_this_process_after_a_run_that_failed_on_a_gpu(
    gpu: Any, tmp_path: Path, there: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its CUDA context may be gone for good. In the worker, where nobody pretends, there is no GPU at all."""

    def lost(*_: Any) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lost)
    specs = expand(Suite.model_validate(SUITE | {"seeds": 2}), RunContext(tmp_path, suite_folder=tmp_path))
    ended = [event for event in LocalExecutor(1).execute(specs, there) if isinstance(event, RunFinished)]
    first, second = (event.outcome for event in ended)
    assert isinstance(first, RunResult) and "device-side assert" in str(first.outcome.reason)
    assert "device-side assert" not in str(second)
