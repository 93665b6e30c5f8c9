"""What every test shares: threads and no window. Nothing heavy, no fixture for one folder alone.

LIPBENCH_TEST_THREADS is the number of threads a process, 1 by default; `make test-portable` asks for others.
"""

import os

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
