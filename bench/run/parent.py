"""Ends a worker with the process that started it. Imports nothing of lipbench: it is the first thing in a worker."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """From now on this process ends with the one that started it, however that ends: nobody would want its work."""
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
