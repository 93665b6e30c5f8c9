"""Independent cells of a study in processes of their own, one torch thread each. Knows no study."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from ....models.precision import repeatable_float32
from ...run.parent import end_with_parent

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
    with ProcessPoolExecutor(jobs, context, initializer=end_with_parent) as pool:
        futures = [pool.submit(_repeatable, function, cell) for cell in cells]
        return [future.result() for future in futures]


@contextmanager
def repeatable_torch() -> Iterator[None]:
    """One torch thread: the same sums in the same order on every machine, and small networks run faster so. On a GPU
    float32 is float32, and a convolution gives the same bits every time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with repeatable_float32():
            yield
    finally:
        torch.set_num_threads(before)


def _repeatable(function: Callable[..., T], cell: tuple) -> T:
    with repeatable_torch():
        return function(*cell)
