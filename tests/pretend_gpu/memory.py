"""Which memory pretends to lie on a GPU: a mark on its storage. Every tensor is really the CPU's, so autograd's engine,
modules, optimisers and checkpoints work as ever; only what Python is told of a device differs.
"""

import threading
from typing import Any

import torch
from torch import Tensor

GPU = torch.device("cuda:0")
CPU = torch.device("cpu")
_MARK, _PINNED = "pretended_device", "pretended_pinned"
_real_device: Any = torch.Tensor.device  # as it is before anything pretends


class HostSync(RuntimeError):
    """The host would wait for the GPU where it must not."""


def standing_for(device: Any) -> torch.device:
    """The device that a device, its name or its number means; the only GPU has an index, as tensors say it."""
    device = torch.device(device)
    return GPU if device.type == "cuda" else device


def device_of(x: Tensor) -> torch.device:
    """Where the tensor pretends to lie."""
    real = _real_device.__get__(x)
    return getattr(x.untyped_storage(), _MARK, real) if real == CPU else real


def address(x: Tensor) -> int:
    """Of the tensor's memory, the same for its views."""
    return x.untyped_storage()._cdata


def put_(x: Tensor, device: torch.device) -> Tensor:
    """Moves the tensor's memory, with all that shares it, without copying."""
    setattr(x.untyped_storage(), _MARK, device)
    return x


def pin_(x: Tensor) -> Tensor:
    """The tensor's memory becomes page-locked, so that the host need not wait for a copy of it."""
    setattr(x.untyped_storage(), _PINNED, True)
    return x


def is_pinned(x: Tensor) -> bool:
    """Whether copies of it may go on beside the host's work."""
    return getattr(x.untyped_storage(), _PINNED, False)


class Watch:
    """Keeps what would make the host wait (`waits`), and refuses it in one thread while that is asked for."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self._refusing: int | None = None

    def note(self, what: str) -> None:
        """The host waits. Raises HostSync where that is refused."""
        if threading.get_ident() == self._refusing:
            raise HostSync(f"the host waits for the GPU: {what}")
        self.waits.append(what)

    def note_copy(self, source: Tensor, target: torch.device, non_blocking: bool) -> None:
        """A copy between devices; only one out of pinned memory need not be waited for."""
        origin = device_of(source)
        if origin != target and not (non_blocking and is_pinned(source)):
            self.note(f"copy from {origin} to {target}")

    def __enter__(self) -> None:
        self._refusing = threading.get_ident()

    def __exit__(self, *error: object) -> None:
        self._refusing = None
