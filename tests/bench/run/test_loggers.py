"""Loggers beside the records: each gets the specification, every evaluation and pictures, and none can end a run."""

import json
import os
import posixpath
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from lipbench.bench.config.plugins import SideEffect
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.loggers import check_loggers
from lipbench.objectives import BadInput

MakeRun = Callable[..., RunRecord]

OWN = """
import json
from pathlib import Path

from pytorch_lightning.loggers.logger import Logger


class Own(Logger):
    def __init__(self, save_dir, name, tag="none", breaks=False):
        self.path, self.tag, self.breaks, self.lines = Path(save_dir) / f"{tag}.jsonl", tag, breaks, []
        self.run = name

    @property
    def name(self):
        return self.run

    @property
    def version(self):
        return ""

    def log_hyperparams(self, params, *rest, **more):
        self.lines.append(["specification", params["run"], params["seed"]])

    def log_metrics(self, metrics, step=None):
        if self.breaks and step:
            raise ConnectionError("gone")
        self.lines.append(["metrics", step, metrics["w1"]])

    def log_image(self, key, images, step=None):
        self.lines.append(["picture", step, list(images[0].size)])

    def finalize(self, status):
        self.lines.append(["end", status])
        self.path.write_text("\\n".join(map(json.dumps, self.lines)))


class Not:
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_logger.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_logger", raising=False)
    return "own_logger:Own"


def test_somebodys_logger_gets_specification_metrics_and_pictures(
    make_run: MakeRun, context: RunContext, own: str
) -> None:
    entries = (f"{own}?tag=a", {"name": own, "tag": "b"})
    record = make_run(replace(context, loggers=entries))
    assert record.status == "completed", record.result.outcome.traceback
    first, second = (
        [json.loads(line) for line in (record.folder / f"{tag}.jsonl").read_text().splitlines()] for tag in "ab"
    )
    assert first == second
    assert first[0] == ["specification", record.id, 0] and first[-1] == ["end", "success"]
    steps = record.history["step"].tolist()
    assert [line[1] for line in first if line[0] == "metrics"] == steps
    assert [line[2] for line in first if line[0] == "metrics"] == record.history["w1"].tolist()
    assert [line[1:] for line in first if line[0] == "picture"] == [[step, [512, 512]] for step in steps]


def test_logger_that_breaks_is_told_of_and_ends_no_run(
    make_run: MakeRun, context: RunContext, own: str, tmp_path: Path
) -> None:
    plain = make_run(context)
    entries = ({"name": own, "breaks": True}, "csv")
    with pytest.warns(UserWarning, match="Own is left out from here: ConnectionError: gone"):
        record = make_run(replace(context, folder=tmp_path / "other", loggers=entries))
    assert record.history.drop(columns="seconds").equals(plain.history.drop(columns="seconds"))
    assert len(pd.read_csv(record.folder / "csv" / "metrics.csv")) == len(record.history)


MLFLOW = """
import json
from pytorch_lightning.loggers import MLFlowLogger
from lightning_fabric.utilities.logger import _flatten_dict


class Store(MLFlowLogger):  # what mlflow itself is asked to keep
    def __init__(self, save_dir):
        self.told, self.path = [], save_dir / "told.json"

    run_id = "0"
    experiment = property(lambda self: self)

    def log_hyperparams(self, params):
        self.told.extend(_flatten_dict(params))

    def log_metrics(self, metrics, step=None):
        self.told.extend(metrics)

    def log_image(self, *rest, **more): ...

    def finalize(self, status):
        self.path.write_text(json.dumps(self.told))
"""
SPREAD = """
from torchmetrics import Metric
class Spread(Metric):
    def __init__(self, power: float = 1.0): super().__init__()
    def update(self, samples, real): ...
    def compute(self): return {"mean": 1.0, "90 % / größter": 2.0}
"""


def test_mlflow_gets_names_that_it_takes(
    make_run: MakeRun, context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept_by_mlflow.py").write_text(MLFLOW, encoding="utf-8")
    (tmp_path / "my.py").write_text(SPREAD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    evaluation = {"count": 1, "points": 50, "metrics": [{"name": "my.py:Spread", "power": 2}]}
    record = make_run(replace(context, loggers=("kept_by_mlflow:Store",)), evaluation=evaluation)
    assert record.status == "completed", record.result.outcome.traceback
    told = set(json.loads((record.folder / "told.json").read_text()))
    assert {"w1", "Spread_power_2_.mean", "Spread_power_2_.90 _ _ gr__ter"} <= told
    assert {"seed", "recipe_spec/lr", "targets/metric Spread_power_2_"} <= told
    # mlflow/utils/validation.py: these characters, and a path that stays as it is
    odd = [name for name in told if not re.fullmatch(r"[/\w.\- ]{1,250}", name) or posixpath.normpath(name) != name]
    assert odd == []
    assert "Spread(power=2).mean" in record.courses


SPOILING = """
import random

import torch
from pytorch_lightning.loggers import CSVLogger


class Spoiling(CSVLogger):
    def log_metrics(self, metrics, step=None):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(3)
        random.seed(3)
        super().log_metrics(metrics, step)

    def finalize(self, status):
        torch.Tensor.square = lambda x: x
"""


def test_what_somebodys_logger_changes_during_a_run_is_put_back_and_said(
    make_run: MakeRun, context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_plugin: Any
) -> None:
    (tmp_path / "changing_logger.py").write_text(SPOILING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    drawing = "def penalty(self, critic, batch):\n    return torch.rand(()) * critic(batch.real).square().mean()"
    objectives = [f"{write_plugin(drawing)}:Mine"]  # draws from the global stream, against the contract
    plain = make_run(context, objectives=objectives)
    square = torch.Tensor.square
    with pytest.warns(SideEffect) as caught:
        spoilt = make_run(
            replace(context, folder=tmp_path / "other", loggers=("changing_logger:Spoiling",)), objectives=objectives
        )
    lines = [str(warning.message) for warning in caught]
    assert all(line.startswith("changing_logger:Spoiling: logging with it changes") for line in lines)
    for words in ("default dtype", "gradients", "Tensor.square"):
        assert any(words in line for line in lines), words
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)
    assert torch.Tensor.square is square
    assert spoilt.status == "completed" and not spoilt.result.changed
    assert spoilt.history.drop(columns="seconds").equals(plain.history.drop(columns="seconds"))


def test_csv_and_tensorboard_hold_the_specification_and_pictures(make_run: MakeRun, context: RunContext) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = make_run(replace(context, loggers=("csv", "tensorboard")))
    written = yaml.safe_load((record.folder / "csv" / "hparams.yaml").read_text())
    assert written["run"] == record.id and written["recipe_spec"]["lr"] == 0.01
    events = EventAccumulator(str(record.folder / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Images("samples")] == record.history["step"].tolist()
    assert [event.value for event in events.Scalars("w1")] == pytest.approx(record.history["w1"].tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("paper", "unknown logger 'paper'.*csv.*pkg.mod:Class"),
        ("csv?nme=x", "nme"),
        ("csv?name", "KEY=VALUE"),
        ("no_such_module:Logger", "cannot be imported"),
        ("json:Nothing", "cannot be imported"),
        ("own_logger:Not", "not a class derived from"),
        ({"tag": "a"}, "unknown logger"),
    ],
)
def test_logger_that_cannot_be_used_is_told_in_a_line(own: str, tmp_path: Path, entry: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told) as error:
        check_loggers(RunContext(tmp_path / "out", loggers=(entry,)).loggers)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


ONLINE = """
import sys
from pathlib import Path
from lipbench.bench import run_suite

suite = {
    "objectives": ["wgan-gp"], "datasets": ["8gaussians"], "architectures": [{"name": "mlp", "width": 8}],
    "recipe": "matched", "steps": 4, "seeds": 2,
    "evaluation": {"count": 2, "points": 50, "mode_points": 100, "metrics": [{"name": "my.py:Spread", "power": 2}]},
}
results = run_suite(suite, out="out", jobs=1, loggers=[sys.argv[1]])
assert {record.status for record in results.records} == {"completed"}
"""


def offline(name: str, arguments: str, folder: Path) -> None:
    """Runs a tiny suite of two seeds with that logger, without network, in a process of its own."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "GIT_PYTHON_REFRESH": "quiet"}
    (folder / "my.py").write_text(SPREAD, encoding="utf-8")
    command = [sys.executable, "-c", ONLINE, f"{name}?{arguments}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out" not in done.stderr and "Replacing" not in done.stderr, done.stderr


@pytest.mark.slow
def test_wandb_keeps_each_run_offline(tmp_path: Path) -> None:
    offline("wandb", "offline=true&project=trial", tmp_path)
    runs = list(tmp_path.glob("out/runs/*/wandb/offline-run-*/run-*.wandb"))
    assert len(runs) == 2
    assert all(len(list(run.parent.glob("files/media/images/samples*"))) == 3 for run in runs)


@pytest.mark.slow
def test_mlflow_keeps_each_run_in_one_store(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="mlflow is not installed, or its skinny part alone")
    offline("mlflow", "experiment_name=trial", tmp_path)
    assert not (tmp_path / "mlruns").exists() and not (tmp_path / "mlflow.db").exists()
    with closing(sqlite3.connect(tmp_path / "out" / "mlflow.db")) as store:
        seeds = store.execute("SELECT value FROM params WHERE key = 'seed'").fetchall()
        steps = store.execute("SELECT step FROM metrics WHERE key = 'w1'").fetchall()
        brought = store.execute("SELECT step FROM metrics WHERE key = 'Spread_power_2_.mean'").fetchall()
    assert sorted(seeds) == [("0",), ("1",)]
    assert sorted(steps) == sorted(brought) == [(0,), (0,), (2,), (2,), (4,), (4,)]
    assert len(list((tmp_path / "out" / "mlruns").glob("*/artifacts/samples/*.png"))) == 6
