"""Random generators that say they are the GPU's, and what a GPU refuses of them."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from .memory import CPU, GPU, device_of, standing_for

_real: Any = torch.Generator


class Stream(_real):
    """Stands in for torch.Generator: the CPU's numbers, under the name of the device that was asked for."""

    _on_gpu: ClassVar[set[int]] = set()  # addresses: operations are handed another Python object for the same generator

    def __new__(cls, device: Any = "cpu") -> "Stream":
        self = super().__new__(cls)
        self._device = standing_for(device)
        (cls._on_gpu.add if self._device == GPU else cls._on_gpu.discard)(self._cdata)
        return self

    @property
    def device(self) -> torch.device:
        return self._device

    def get_state(self) -> Tensor:
        """The CPU's; that of a GPU's generator has another size, here by a byte at its end."""
        state = super().get_state()
        return torch.cat([state, state.new_zeros(1)]) if self._device == GPU else state

    def set_state(self, new_state: Tensor) -> "Stream":
        if device_of(new_state) != CPU:
            raise TypeError("RNG state must be a torch.ByteTensor")
        size = len(super().get_state())
        if len(new_state) != size + (self._device == GPU):
            raise RuntimeError("RNG state is wrong size")
        return super().set_state(new_state[:size].clone())


def is_on_gpu(generator: Any) -> bool:
    return generator._cdata in Stream._on_gpu


def check_stream(generator: Any, device: torch.device) -> None:
    """Raises RuntimeError for a generator of another device."""
    if generator is None or is_on_gpu(generator) == (device == GPU):
        return
    found = "cuda" if is_on_gpu(generator) else "cpu"
    raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{found}'")
