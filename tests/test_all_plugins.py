"""A suite with an objective, a critic, data, a metric and an extractor of others at once, as users run it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import load_suite
from lipbench.bench.records.reader import RunRecord, read_runs
from lipbench.bench.run.context import RunContext

FILES = {
    "objective.py": """
from lipbench.objectives import Objective
class Mine(Objective):
    name = "mine"
    reference = "a test"
    def penalty(self, critic, batch):
        return critic(batch.real).square().mean()
""",
    "critic.py": """
import math
from torch import nn
class Wide(nn.Sequential):
    def __init__(self, shape, width: int = 16):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(shape), width), nn.Tanh())
        self.extend([nn.Linear(width, 1), nn.Flatten(0)])
""",
    "data.py": """
import torch
def stripes(n: int = 300):
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2 * n, 1, 1, 8, generator=rng).round().expand(-1, 1, 8, 8).mul(255).to(torch.uint8)
    images = (images * torch.rand(2 * n, 1, 8, 8, generator=rng)).to(torch.uint8)
    return images[:n], images[n:]
""",
    "metric.py": """
import torch
from torchmetrics import Metric
class Gap(Metric):
    higher_is_better = False
    def __init__(self):
        super().__init__()
        self.add_state("sums", torch.zeros(2, dtype=torch.float64))
        self.add_state("counts", torch.zeros(2, dtype=torch.float64))
    def update(self, samples, real):
        self.sums[int(real)] += samples.double().mean(dim=tuple(range(1, samples.dim()))).sum()
        self.counts[int(real)] += len(samples)
    def compute(self):
        means = self.sums / self.counts
        return (means[0] - means[1]).abs()
""",
    "extractor.py": """
from torch import nn
class Rows(nn.Module):
    def forward(self, images):
        return images.mean(dim=(1, 3))
""",
}
SUITE = """
objectives: ["objective.py:Mine", wgan-gp]
datasets: ["data.py:stripes", 8gaussians]
architectures: {"data.py:stripes": [mlp, {name: "critic.py:Wide", generator: mlp}], 8gaussians: mlp}
recipe: {name: fast, lr: 0.01, n_critic: 1, batch: 16}
steps: 6
seeds: 1
evaluation: {count: 2, points: 50, mode_points: 100, images: 100, repeats: 1, metrics: [fd, kid, "metric.py:Gap"],
             extractor: "extractor.py:Rows"}
"""
PATIENCE = 1800  # seconds, where other programs leave little of the machine
EDITS: dict[str, tuple[str, str, Callable[[str], bool]]] = {  # an edit of each file, and which runs it repeats
    "objective.py": (".square()", ".abs()", lambda run: " mine " in run),
    "critic.py": ("nn.Tanh()", "nn.ReLU()", lambda run: "Wide" in run),
    "data.py": (".round()", ".round().sqrt()", lambda run: "stripes" in run),
    "metric.py": (".abs()", ".abs().sqrt()", lambda run: True),
    "extractor.py": (".mean(dim=(1, 3))", ".mean(dim=1).mean(dim=2)", lambda run: "stripes" in run),
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "five.yaml").write_text(SUITE, encoding="utf-8")
    return tmp_path / "five.yaml"


def ids(suite: Path) -> dict[str, str]:
    loaded, folder = load_suite(str(suite))
    specs = expand(loaded, RunContext(folder / "out", suite_folder=folder))
    return {f"{spec.dataset} {spec.objective} {spec.architecture}": spec.id for spec in specs}


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_of_a_file_repeats_only_what_depends_on_it(suite: Path, file: str) -> None:
    path, (old, new, who) = suite.parent / file, EDITS[file]
    before = ids(suite)
    assert len(before) == 6
    path.write_text(f"# a comment\n{FILES[file]}", encoding="utf-8")
    assert ids(suite) == before
    path.write_text(FILES[file].replace(old, new), encoding="utf-8")
    assert {run for run, found in ids(suite).items() if found != before[run]} == {run for run in before if who(run)}


def started(suite: Path, out: Path, seconds: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lipbench.bench.cli", "run", str(suite), "--out", str(out), "--jobs", "1"]
    command += ["--checkpoint-seconds", str(seconds)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def printed_by(process: "subprocess.Popen[str]") -> str:
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed + errors
    return printed


def begun(out: Path) -> bool:
    """Whether a run that is not finished has a checkpoint."""
    return any(not (path.parents[1] / "result.json").exists() for path in out.glob("runs/*/*/*.ckpt"))


def kill_in_a_run(process: "subprocess.Popen[str]", out: Path, finished: int) -> None:
    """Once so many runs are finished and the next one has a checkpoint."""
    until = time.monotonic() + PATIENCE
    while len(list(out.glob("runs/*/result.json"))) < finished or not begun(out):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def numbers(record: RunRecord) -> tuple[object, ...]:
    weights = [(record.folder / f"checkpoint/{part}.safetensors").read_bytes() for part in ("generator", "critic")]
    found = record.measurements
    history = record.history.drop(columns="seconds")
    return record.id, record.status, history.to_csv(), found.metrics, found.floors, found.protocol, weights


@pytest.mark.slow
def test_a_suite_of_plug_ins_is_killed_goes_on_bit_for_bit_and_reports(suite: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    printed_by(started(suite, whole, seconds=60))
    kill_in_a_run(started(suite, parts), parts, 1)
    assert "goes on from step" in (printed := printed_by(started(suite, parts)))
    assert re.search(r"6 completed \([1-5] of them from before\)", printed)
    one, other = read_runs(whole), read_runs(parts)
    assert len(one) == len(other) == 6
    for a, b in zip(one, other, strict=True):
        assert numbers(a) == numbers(b)
        with np.load(a.folder / "samples.npz") as x, np.load(b.folder / "samples.npz") as y:
            assert all(np.array_equal(x[name], y[name]) for name in x.files)
    table = pd.read_csv(parts / "summary.csv")
    assert {"fd_median", "fd_floor", "kid_median", "Gap_median", "Gap_floor"} <= set(table.columns)
    page = (parts / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("mine", "Wide(generator=mlp)", "data.py:stripes", "Gap ↓", "FD(Rows) ↓"))
    assert "6 runs, 0 to make" in printed_by(started(suite, parts))
