"""What somebody's objective does to its process reaches no other run, and is said with its name."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from lipbench.bench.config.process_state import ProcessState
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.reader import RunRecord, read_runs
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors import Limits, LocalExecutor
from lipbench.bench.sweep.runner import Runner, sweep
from lipbench.objectives import BadInput

PLUGIN = """
import builtins, ctypes, gc, json, locale, logging, os, random, signal, subprocess, sys, threading, time, warnings
import numpy as np
import torch
from lipbench.objectives import BadInput, Objective

class Own(BaseException):
    def __str__(self):
        raise ValueError

class P(Objective):
    name = {name!r}
    reference = "a test"

    def penalty(self, critic, batch):
        if batch.step == 1:
            {how}
        return torch.zeros((), dtype=torch.float32, device="cpu")
"""
CHANGES = {  # what is done → what is said of it; Lightning itself puts back warnings, signals and anomaly detection
    "torch.set_default_dtype(torch.float64)": "torch's default dtype: torch.float32 → torch.float64",
    "torch.set_default_device('meta')": "torch's default device: 'cpu' → 'meta'",
    "P.kept = torch.inference_mode(); P.kept.__enter__()": "torch's inference mode: False → True",
    "torch.set_grad_enabled(False)": "torch's gradients are on: True → False",
    "torch.set_num_threads(2)": "torch's threads: 1 → 2",
    "torch.use_deterministic_algorithms(True)": "torch's deterministic algorithms",
    "torch.set_float32_matmul_precision('medium')": "torch's float32 precision: ('highest', False, 'ieee', ",
    "torch.backends.cudnn.enabled = False": "torch.backends.cudnn.enabled: True → False",
    "torch.backends.mkldnn.enabled = False": "torch.backends.mkldnn.enabled: True → False",
    "torch.set_autocast_enabled('cpu', True)": "torch's autocast: False → True",
    "torch.set_flush_denormal(True)": "torch flushes denormal numbers: False → True",
    "torch.nn.modules.module.register_module_forward_hook(lambda m, i, o: o * 2)": "torch's hooks of all modules",
    "torch.zeros = None": "torch.zeros: replaced",
    "torch.Tensor.backward = lambda *a, **k: None": "torch.Tensor.backward: replaced",
    "torch.nn.Linear.forward = lambda self, x: x": "torch.nn.modules.linear.Linear.forward: replaced",
    "torch.optim.Adam.step = lambda *a, **k: None": "torch.optim.adam.Adam.step: replaced",
    "np.mean = None": "numpy.mean: replaced",
    "json.dumps = None": "json.dumps: replaced",
    "builtins.print = None": "builtins.print: replaced",
    "import lipbench.models.iteration as it; it.CHUNK = 1": "lipbench.models.iteration.CHUNK: replaced",
    "np.seterr(all='raise')": "numpy's floating-point errors",
    "locale.setlocale(locale.LC_CTYPE, 'C')": "locale",
    "os.umask(0o777)": "umask: '022' → '777'",
    "os.chdir('/')": "working directory",
    "os.environ.clear()": "environment variables: ",
    "sys.path.clear()": "sys.path: ",
    "sys.setrecursionlimit(12345)": "recursion limit: 1000 → 12345",
    "gc.disable()": "garbage collection: True → False",
    "logging.disable(50)": "disabled logging: 0 → 50",
    "sys.stdout = None": "standard output",
    "threading.Thread(target=time.sleep, args=(10000,)).start()": "threads that go on",
    "sys.settrace(lambda *a: None)": "trace function",
}
ENDS = {  # what is done → how the run ends
    "os._exit(0)": "the worker process died: exit status 0",
    "ctypes.string_at(0)": "the worker process died: SIGSEGV",
    "os.kill(os.getpid(), signal.SIGKILL)": "the worker process died: SIGKILL",
    "os.killpg(0, signal.SIGKILL)": "the worker process died: SIGKILL",
    "os.kill(os.getppid(), signal.SIGKILL); time.sleep(1000)": "the worker process died: exit status 255",
    "sys.exit(0)": "SystemExit: 0",
    "raise KeyboardInterrupt": "the worker was told to stop",
    "raise Own": "Own: an error without a message that can be shown",
    "raise ValueError('\\udcff')": "ValueError: \\udcff",
    "raise ValueError('x' * 10**7)": "ValueError: xxx",
    "raise MemoryError": "out of memory",
    "raise BadInput('mine')": "BadInput: mine",
    "P.clip = object(); self.clip = P": "failed",
}
STUCK = {
    "while True: pass": "past its time limit",
    "signal.setitimer(signal.ITIMER_REAL, 0); time.sleep(10**6)": "past its time limit",
    "os.kill(os.getpid(), signal.SIGSTOP)": "past its time limit",
}
OWN = ["minimax", "wgan-gp"]
Quiet = partial(Runner, report=lambda folder, console: None)  # without tables and plots


@pytest.fixture
def swept(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path
) -> Callable[..., tuple[int, list[str]]]:
    """Sweeps lipbench's own objectives beside these bodies: the status, and the lines that were printed."""

    def make(bodies: list[str], executor: LocalExecutor, **content: Any) -> tuple[int, list[str]]:
        plugins = [f"p{i}.py:P" for i in range(len(bodies))]
        for i, body in enumerate(bodies):
            (tmp_path / f"p{i}.py").write_text(PLUGIN.format(name=f"p{i}", how=body), encoding="utf-8")
        printed = io.StringIO()
        suite = make_suite(objectives=[*plugins, *OWN], steps=3, **content)
        status = sweep(suite, Quiet(context, executor, Console(file=printed, width=10**6)))
        return status, printed.getvalue().splitlines()

    return make


def own(records: list[RunRecord]) -> Iterator[tuple[Any, ...]]:
    for record in records:
        if record.objective in OWN:
            yield record.id, record.status, record.history.drop(columns="seconds").to_csv(), record.metrics


@pytest.fixture
def alone(make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What lipbench's own objectives come to without anything beside them."""
    where = RunContext(tmp_path / "alone", suite_folder=tmp_path)
    sweep(make_suite(objectives=OWN, steps=3), Quiet(where, LocalExecutor(1), Console(file=io.StringIO())))
    return list(own(read_runs(where.folder)))


def check(told: dict[str, str], lines: list[str], records: list[RunRecord]) -> None:
    said = {body: [line for line in lines if f" p{i} " in line] for i, body in enumerate(told)}
    missing = {body: said[body] for body, expected in told.items() if not any(expected in line for line in said[body])}
    assert not missing, "\n".join(f"{body}: {lines}" for body, lines in missing.items())
    assert len(records) == len(told) + len(OWN)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_objectives_of_others_do_reaches_nobody_else(
    swept: Callable[..., tuple[int, list[str]]], alone: list[Any], context: RunContext, jobs: int
) -> None:
    chosen = [
        "torch.set_default_dtype(torch.float64)",
        "torch.set_float32_matmul_precision('medium')",
        "torch.zeros = None",
        "json.dumps = None",
        "os._exit(0)",
        "raise ValueError('\\udcff')",
    ]
    told = {body: (CHANGES | ENDS)[body] for body in chosen}
    status, lines = swept(chosen, LocalExecutor(jobs))
    records = read_runs(context.folder)
    assert status == 1
    assert list(own(records)) == alone
    check(told, lines, records)


assert len({**CHANGES, **ENDS, **STUCK}) >= 40


@pytest.mark.slow
@pytest.mark.parametrize(("told", "limits"), [(CHANGES | ENDS, Limits()), (STUCK, Limits(seconds=100))])
def test_whatever_objectives_of_others_do_reaches_nobody_else(
    swept: Callable[..., tuple[int, list[str]]],
    alone: list[Any],
    context: RunContext,
    told: dict[str, str],
    limits: Limits,
) -> None:
    status, lines = swept(list(told), LocalExecutor(2, limits))
    records = read_runs(context.folder)
    assert status == 1
    assert list(own(records)) == alone
    check(told, lines, records)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("os._exit(0)", "ends its process: the worker process died: exit status 0"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ends its process: the worker process died: SIGSEGV"),
        ("raise Own", "Own: an error without a message"),
    ],
)
def test_an_objective_that_ends_the_process_that_imports_it_is_refused_by_name(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path, line: str, told: str
) -> None:
    (tmp_path / "my.py").write_text(f"{PLUGIN.format(name='mine', how='pass')}\n{line}\n", encoding="utf-8")
    suite = make_suite(objectives=["minimax", "my.py:P"])
    with pytest.raises(BadInput, match=f"my.py.*{told}"):
        sweep(suite, Quiet(context, LocalExecutor(1), Console(file=io.StringIO())))


def test_what_importing_an_objective_changes_is_put_back_and_said(
    swept: Callable[..., tuple[int, list[str]]], alone: list[Any], context: RunContext, tmp_path: Path
) -> None:
    before = ProcessState.now()
    status, lines = swept(["pass\n    torch.set_default_dtype(torch.float64)\n    torch.ones = os.environ['A'] = 'b'"
                           "\n    def other(self):\n        pass"], LocalExecutor(1))  # fmt: skip
    assert status == 0
    assert list(own(read_runs(context.folder))) == alone
    told = [line for line in lines if "p0.py: importing or building it changes" in line]
    assert len(told) == 1 and all(w in told[0] for w in ("torch.ones", "default dtype", "environment variables: A"))
    assert [change for change in before.changes() if "threads" not in change] == []  # those of the process pools
    assert "A" not in os.environ


def test_a_run_of_lipbenchs_own_leaves_its_process_as_it_was(make_run: Callable[..., RunRecord]) -> None:
    make_run()
    before = ProcessState.now()
    assert make_run(objectives=["wgan-clip"]).status == "completed"
    assert before.changes() == []


def test_a_thread_that_ends_meanwhile_is_nobodys_change_and_one_that_stays_is() -> None:
    waits = threading.Event()
    ending = threading.Thread(target=waits.wait)
    ending.start()
    before = ProcessState.now(code=False)
    waits.set()
    ending.join()
    assert before.changes() == []
    stays, goes_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (stays.set(), goes_on.wait()))
    thread.start()
    stays.wait()
    try:
        assert [change.partition(":")[0] for change in before.changes()] == ["threads that go on"]
    finally:
        goes_on.set()
        thread.join()


DATA = """
import os, sys
import torch

def rings():
    torch.set_default_dtype(torch.float64)
    os.environ["RINGS"] = "1"
    {line}
    points = torch.rand(300, 2, dtype=torch.float32, generator=torch.Generator().manual_seed(0))
    return points[:200], points[200:]
"""


def test_what_a_data_set_of_others_changes_is_put_back_and_said(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path
) -> None:
    (tmp_path / "my.py").write_text(DATA.format(line="pass"), encoding="utf-8")
    printed = io.StringIO()
    suite = make_suite(objectives=["minimax"], datasets=["my.py:rings", "8gaussians"], steps=3)
    assert sweep(suite, Quiet(context, LocalExecutor(1), Console(file=printed, width=10**6))) == 0
    told = [line for line in printed.getvalue().splitlines() if "my.py:rings: importing or building it" in line]
    assert len(told) == 1 and all(words in told[0] for words in ("default dtype", "environment variables: RINGS"))
    assert torch.get_default_dtype() == torch.float32 and "RINGS" not in os.environ


@pytest.mark.parametrize(
    ("line", "told"), [("os._exit(0)", "ends its process: .* exit status 0"), ("sys.exit(0)", "SystemExit: 0")]
)
def test_a_data_set_that_ends_the_process_that_asks_for_it_is_refused_by_name(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path, line: str, told: str
) -> None:
    (tmp_path / "my.py").write_text(DATA.format(line=line), encoding="utf-8")
    suite = make_suite(objectives=["minimax"], datasets=["my.py:rings"])
    with pytest.raises(BadInput, match=f"my.py:rings.*{told}"):
        sweep(suite, Quiet(context, LocalExecutor(1), Console(file=io.StringIO())))


MEASURES = """
import os
import torch
from torchmetrics import Metric

class Gap(Metric):
    def update(self, samples, real):
        os.environ["GAP"] = "1"
        {line}
    def compute(self):
        return torch.zeros(())

class Net(torch.nn.Module):
    def forward(self, images):
        {line}
        return images.flatten(1)[:, :3]
"""
MEASURED = {"count": 1, "points": 50, "images": 100, "mode_points": 100, "repeats": 0}


def test_a_metric_of_others_is_tried_out_in_another_process_and_what_it_changes_is_said(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path
) -> None:
    (tmp_path / "my.py").write_text(MEASURES.format(line="pass"), encoding="utf-8")
    printed = io.StringIO()
    suite = make_suite(objectives=["minimax"], steps=3, evaluation=MEASURED | {"metrics": ["my.py:Gap"]})
    assert sweep(suite, Quiet(context, LocalExecutor(1), Console(file=printed, width=10**6))) == 0
    lines = [line for line in printed.getvalue().splitlines() if "minimax" in line and "my.py:Gap changed" in line]
    assert len(lines) == 1 and "environment variables: GAP" in lines[0]
    assert "GAP" not in os.environ


@pytest.mark.parametrize("name", ["Gap", "Net"])
@pytest.mark.parametrize(
    ("line", "told"), [("os._exit(0)", "ends its process: .* exit status 0"), ("raise KeyError('k')", "KeyError: 'k'")]
)
def test_a_metric_or_an_extractor_that_ends_its_process_is_refused_by_name(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path, name: str, line: str, told: str
) -> None:
    (tmp_path / "my.py").write_text(MEASURES.format(line=line), encoding="utf-8")
    asked = {"metrics": ["fd", "my.py:Gap"]} if name == "Gap" else {"metrics": ["fd"], "extractor": "my.py:Net"}
    suite = make_suite(objectives=["minimax"], datasets=["digits"], evaluation=MEASURED | asked)
    with pytest.raises(BadInput, match=f"{name}.*{told}"):
        sweep(suite, Quiet(context, LocalExecutor(1), Console(file=io.StringIO())))
    assert not list(tmp_path.glob("out/runs/*/*"))


def test_what_importing_and_building_a_logger_of_others_changes_is_put_back_and_said(
    make_suite: Callable[..., Suite], context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "spoiling_logger.py").write_text(
        "import torch\nfrom pytorch_lightning.loggers import CSVLogger\ntorch.set_default_dtype(torch.float64)\n"
        "class Own(CSVLogger):\n    def __init__(self, save_dir):\n        super().__init__(save_dir)\n"
        "        torch.set_grad_enabled(False)\n",
        encoding="utf-8",
    )
    printed = io.StringIO()
    where = replace(context, loggers=("spoiling_logger:Own",))
    suite = make_suite(objectives=["minimax"], steps=3)
    assert sweep(suite, Quiet(where, LocalExecutor(1), Console(file=printed, width=10**6))) == 0
    told = [line for line in printed.getvalue().splitlines() if line.startswith("spoiling_logger:Own: importing")]
    assert len(told) == 2 and "default dtype" in told[0] and "gradients" in told[1]
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)


def test_a_sweep_whose_every_run_is_skipped_is_refused_before_it_starts(
    make_suite: Callable[..., Suite], context: RunContext
) -> None:
    suite = make_suite(objectives=["minimax", "wgan-gp"], architectures=["dcgan"])
    with pytest.raises(BadInput, match=r"nothing to run, all 2 runs are skipped: .*dcgan"):
        sweep(suite, Quiet(context, LocalExecutor(1), Console(file=io.StringIO())))
    assert not context.folder.exists()
