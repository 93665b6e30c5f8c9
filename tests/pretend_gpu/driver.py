"""The functions of torch.cuda that lipbench and Lightning call, for one GPU of nothing but pretended memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from lipbench.models import acceleration

from .graphs import Graph, capturing
from .memory import Watch
from .operations import Operations
from .streams import Stream

NAME = "Pretended GPU"
MEMORY = 2**33


class Queue:
    """Stands in for torch.cuda.Stream; all work is done in order, so nothing has to be waited for."""

    operations: ClassVar[Operations]

    def __init__(self, device: Any = None) -> None:
        self.device = torch.device(device)

    def is_capturing(self) -> bool:
        return self.operations.recording is not None

    def wait_stream(self, stream: "Queue") -> None:
        assert self.device == stream.device


@contextmanager
def on(queue: Queue) -> Iterator[None]:
    """Stands in for torch.cuda.stream."""
    yield


def pretend(patch: pytest.MonkeyPatch, watch: Watch, operations: Operations) -> None:
    """Replaces them; the patch puts them back."""

    @contextmanager
    def graph(graph: Graph, stream: Queue | None = None) -> Iterator[None]:
        with capturing(operations, graph):
            yield

    patch.setattr(Queue, "operations", operations, raising=False)
    main = Queue("cuda:0")
    instead: dict[str, Any] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda device: None,
        "default_generators": (Stream("cuda"),),
        "get_device_name": lambda device=None: NAME,
        "get_device_capability": lambda device=None: (9, 0),
        "get_device_properties": lambda device=None: SimpleNamespace(name=NAME, major=9, minor=0, total_memory=MEMORY),
        "mem_get_info": lambda device=None: (MEMORY, MEMORY),
        "memory_allocated": lambda device=None: 2**20,
        "max_memory_allocated": lambda device=None: 2**21,
        "reset_peak_memory_stats": lambda device=None: None,
        "empty_cache": lambda: None,
        "synchronize": lambda device=None: watch.note("synchronize"),
        "is_current_stream_capturing": main.is_capturing,
        "Stream": Queue,
        "stream": on,
        "current_stream": lambda device=None: main,
        "CUDAGraph": Graph,
        "graph": graph,
    }
    for name, stand_in in instead.items():
        patch.setattr(torch.cuda, name, stand_in)
    patch.setattr(torch.accelerator, "current_stream", lambda device=None: main)
    patch.setattr(acceleration, "REGISTERS", True)  # the pretended graph knows no other streams than it is told of
