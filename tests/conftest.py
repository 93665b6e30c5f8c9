"""What every test shares: one thread per process and no window. Nothing heavy, no fixture for one folder alone."""

import os

import torch


def pytest_configure() -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["LIPBENCH_CACHE"] = "off"  # nothing is written into the user's, nothing found there
