"""Independent cells of a study in processes of their own, one torch thread each. Knows no study."""

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import torch

from ..executors.worker import end_with_parent

T = TypeVar("T")


def each(function: Callable[..., T], cells: Iterable[tuple], jobs: int) -> list[T]:
    """`function(*cell)` for every cell, in order; with one job in this process, else in `jobs` fresh ones.

    Args:
        function: defined at the top of a module; its result depends on its arguments only.
        cells: tuples of arguments that can be sent to another process.
        jobs: processes.

    Raises:
        Exception: the first that a cell raises.
    """
    cells = list(cells)
    if jobs <= 1 or len(cells) <= 1:
        return [function(*cell) for cell in cells]
    # Forking a process in which torch has run threads can hang, so the workers start fresh.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_settle) as pool:
        futures = [pool.submit(function, *cell) for cell in cells]
        return [future.result() for future in futures]


def _settle() -> None:
    end_with_parent()
    torch.set_num_threads(1)
