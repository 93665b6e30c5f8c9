"""Torch's functions and methods that take or tell a device, as they are where a GPU is. Operations are elsewhere."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import _disable_current_modes

from .memory import CPU, GPU, Watch, address, device_of, is_pinned, pin_, put_, standing_for
from .streams import Stream, check_stream

LIKE = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like")
NEW = ("new_zeros", "new_ones", "new_full", "new_empty")
FROM_HOST = ("tensor", "as_tensor", "asarray", "new_tensor")  # their numbers come from the host's memory


def pretend(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    """Replaces them; the patch puts them back."""
    for name, made in vars(torch).copy().items():
        if name in LIKE or (callable(made) and made in _device_constructors()):
            patch.setattr(torch, name, placing(name, made, watch))
    for name in (*NEW, "new_tensor"):
        patch.setattr(Tensor, name, placing(name, getattr(Tensor, name), watch))
    for name, method in methods(watch).items():
        patch.setattr(Tensor, name, method)
    patch.setattr(torch.UntypedStorage, "clone", clone_of(torch.UntypedStorage.clone))
    patch.setattr(torch, "Generator", Stream)
    patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", grouping(torch._C._group_tensors_by_device_and_dtype))
    pretend_autocast(patch)


def placing(name: str, make: Callable[..., Any], watch: Watch) -> Callable[..., Tensor]:
    """A maker of tensors that takes `device="cuda"`."""

    @wraps(make)
    def call(*args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        given = args[0] if args and isinstance(args[0], Tensor) else None
        place = standing_for(device) if device is not None else CPU if given is None else device_of(given)
        if place.type == "meta":
            return make(*args, device=device, **kwargs)
        check_stream(kwargs.get("generator"), place)
        out = make(*args, **(kwargs if device is None else kwargs | {"device": "cpu"}))
        return arrived(out, place, watch, shared=name in FROM_HOST) if device_of(out).type != "meta" else out

    return call


def arrived(out: Tensor, place: torch.device, watch: Watch, shared: bool) -> Tensor:
    """What was made, on its device; a copy where its memory is the host's too."""
    if device_of(out) == place:
        return out
    if not shared:
        return put_(out, place)
    watch.note_copy(out, place, False)
    return put_(out.clone(), place)


def methods(watch: Watch) -> dict[str, Any]:
    """Those of a tensor."""
    to, numpy, tolist = Tensor.to, Tensor.numpy, Tensor.tolist

    @wraps(to)
    def moved(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        place, args, kwargs = asked_for(args, kwargs)
        out = to(self, *args, **kwargs)
        origin = device_of(self)
        if place is None or place == origin or "meta" in (place.type, origin.type):
            return out
        watch.note_copy(self, place, kwargs.get("non_blocking", False))
        return put_(out.clone() if address(out) == address(self) else out, place)

    @wraps(numpy)
    def as_numpy(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if device_of(self) == GPU:
            hint = "Use Tensor.cpu() to copy the tensor to host memory first."
            raise TypeError(f"can't convert cuda:0 device type tensor to numpy. {hint}")
        return numpy(self, *args, **kwargs)

    @wraps(tolist)
    def as_list(self: Tensor) -> Any:
        if device_of(self) == GPU:
            watch.note("tolist")
        return tolist(self)

    return {
        "to": moved,
        "cpu": lambda self: self.to("cpu"),
        "numpy": as_numpy,
        "tolist": as_list,
        "pin_memory": lambda self: pin_(self.clone()),
        "is_pinned": is_pinned,
        "device": property(device_of),
        "is_cuda": property(lambda self: device_of(self) == GPU),
        "is_cpu": property(lambda self: device_of(self) == CPU),
    }


def asked_for(args: tuple, kwargs: dict[str, Any]) -> tuple[torch.device | None, tuple, dict[str, Any]]:
    """The device that arguments of `Tensor.to` ask for, and what the CPU is told instead."""
    given = list(args)
    first = given[0] if given else kwargs.get("device", kwargs.get("other"))
    if isinstance(first, Tensor):
        return device_of(first), (first.dtype, *args[1:]), {k: v for k, v in kwargs.items() if k != "other"}
    if first is None or isinstance(first, torch.dtype):
        return None, args, kwargs
    place = standing_for(first)
    told = "cpu" if place == GPU else place
    return (place, (told, *args[1:]), kwargs) if given else (place, args, kwargs | {"device": told})


def clone_of(clone: Callable[..., Any]) -> Callable[..., Any]:
    """Copies of memory stay on its device."""

    def call(self: Any) -> Any:
        with _disable_current_modes():
            copy = clone(self)
        vars(copy).update(vars(self))
        return copy

    return call


def grouping(group: Callable[..., Any]) -> Callable[..., Any]:
    """Tensors grouped by device, for optimisers."""

    def call(tensors: Any, with_indices: bool = False) -> Any:
        found = group(tensors, with_indices)
        return {(device_of(lists[0][0]), dtype): (lists, indices) for (_, dtype), (lists, indices) in found.items()}

    return call


def pretend_autocast(patch: pytest.MonkeyPatch) -> None:
    """Autocasting of the GPU is the CPU's, as its memory is."""
    real, enabled, available = torch.autocast, torch.is_autocast_enabled, torch.amp.is_autocast_available

    class Autocast(real):
        def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
            super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    patch.setattr(torch, "autocast", Autocast)
    patch.setattr(torch, "is_autocast_enabled", lambda *of: enabled(*("cpu" if x == "cuda" else x for x in of)))
    patch.setattr(torch.amp, "is_autocast_available", lambda of: available("cpu" if of == "cuda" else of))
