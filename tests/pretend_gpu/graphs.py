"""A pretended CUDA graph: it records the operations of its capture, then runs them again on the same memory.

As in a real one, no line of Python runs in a replay, a capture changes nothing, and what was read on the host is fixed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from .memory import GPU, address, device_of
from .streams import is_on_gpu


@contextmanager
def below_autograd() -> Iterator[None]:
    """Operations as they are, unseen by anything that watches them."""
    with _disable_current_modes(), torch._C._AutoDispatchBelowAutograd():
        yield


class Recording:
    """The operations of a capture, and what they changed until it ended."""

    def __init__(self, streams: list[Any]) -> None:
        self.calls: list[tuple[Any, tuple, dict[str, Any], dict[int, Tensor]]] = []
        self._states = [(stream, stream.get_state()) for stream in streams]
        self._streams = {stream._cdata for stream in streams}
        self._fresh: set[int] = set()  # memory of the graph's own
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def run(self, func: Any, args: tuple, kwargs: dict[str, Any], inputs: list[Tensor]) -> Any:
        """The operation, kept for replays. Raises RuntimeError for what a capture would not repeat."""
        self._refuse(func, kwargs, inputs)
        with below_autograd():
            for x in inputs:
                self._keep(x)
            # Detached, so that a parameter whose memory is replaced later stays here what it was.
            fixed = tree_map(lambda x: x.detach() if isinstance(x, Tensor) else x, (args, kwargs))
        out = func(*args, **kwargs)
        old = {address(x) for x in inputs}
        fresh = {i: x for i, x in enumerate(tree_leaves(out)) if isinstance(x, Tensor) and address(x) not in old}
        self._fresh |= {address(x) for x in fresh.values()}
        with below_autograd():
            self.calls.append((func, *fixed, {i: x.detach() for i, x in fresh.items()}))
        return out

    def _refuse(self, func: Any, kwargs: dict[str, Any], inputs: list[Tensor]) -> None:
        if (stream := kwargs.get("generator")) is not None and stream._cdata not in self._streams:
            raise RuntimeError(f"{func}: a random stream that is not registered with the graph")
        if inputs and all(device_of(x) != GPU for x in inputs) and func is not torch.ops.aten.lift_fresh.default:
            raise RuntimeError(f"{func}: computed on the host once, when the graph is captured")

    def _keep(self, x: Tensor) -> None:
        if address(x) not in self._fresh and address(x) not in self._before:
            whole = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
            self._before[address(x)] = (whole, whole.clone())

    def undo(self) -> None:
        """Puts memory and streams back as they were: a capture computes nothing."""
        for now, before in self._before.values():
            now.copy_(before)
        for stream, state in self._states:
            stream.set_state(state)


class Graph:
    """Stands in for torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self.streams: list[Any] = []
        self.recording: Recording | None = None

    def register_generator_state(self, generator: Any) -> None:
        assert is_on_gpu(generator)
        self.streams.append(generator)

    def replay(self) -> None:
        assert self.recording is not None
        with below_autograd():
            for func, args, kwargs, fresh in self.recording.calls:
                found = tree_leaves(func(*args, **kwargs))
                for i, x in fresh.items():
                    x.copy_(found[i])


@contextmanager
def capturing(operations: Any, graph: Graph) -> Iterator[None]:
    """Records what is done within it."""
    graph.recording = operations.recording = Recording(graph.streams)
    try:
        with operations.watch:
            yield
    finally:
        operations.recording = None
        with below_autograd():
            graph.recording.undo()
