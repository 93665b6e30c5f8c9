"""What every test shares: threads, no window, and the command line. Nothing heavy, no fixture for one folder alone.

LIPBENCH_TEST_THREADS is the number of threads a process, 1 by default; `make test-portable` asks for others.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

THREADS = os.environ.get("LIPBENCH_TEST_THREADS", "1")


def pytest_configure() -> None:
    os.environ["OMP_NUM_THREADS"] = THREADS  # of processes that tests start
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["LIPBENCH_CACHE"] = "off"  # nothing is written into the user's, nothing found there


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA GPU that torch can use")
    torch.set_num_threads(int(THREADS))  # for each test again, since runs set their own number


@pytest.fixture
def lipbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Runs a command line in tmp_path that ends with 0: what it printed.

    In this process: one of its own takes eight seconds of a processor to import, and to prepare its workers.
    """
    from lipbench.bench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = capsys.readouterr()
        assert left.value.code == 0, out + err
        return out

    return run
