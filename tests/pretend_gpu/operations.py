"""What a GPU refuses of operations: mixed devices, the random stream of another, kernels that do not exist.

And which of them the host waits for. Below autograd, so that backward passes are seen too.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .graphs import Recording
from .memory import CPU, GPU, Watch, address, device_of, put_
from .streams import check_stream, is_on_gpu

COPIES = {"copy_", "_to_copy", "set_"}
INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_"}
WAITING = {
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "bincount", "_unique2"),
    *("unique_consecutive", "unique_dim", "repeat_interleave", "_linalg_eigh", "_linalg_eigvals", "linalg_eig"),
    *("_linalg_svd", "_linalg_check_errors"),
}


class Operations(TorchDispatchMode):
    """Lets every operation compute on the CPU's memory, after the checks that a GPU makes; marks what comes out."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        self.recording: Recording | None = None
        self._latest_on_gpu = False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        on_gpu = self._is_on_gpu(inputs, kwargs.get("generator"))
        if on_gpu:
            name = func.overloadpacket.__name__
            refuse_mixture(func, name, inputs, args)
            refuse_missing_kernel(func)
            check_stream(kwargs.get("generator"), GPU)
            self._note_waiting(name, args, kwargs)
        out = func(*args, **kwargs) if self.recording is None else self.recording.run(func, args, kwargs, inputs)
        return mark(out, inputs) if on_gpu else out

    def _is_on_gpu(self, inputs: list[Tensor], generator: Any) -> bool:
        """What takes no tensor only knows the CPU: a traced draw, and the zeros that a derivative makes of its own."""
        if inputs:
            self._latest_on_gpu = any(device_of(x) == GPU for x in inputs)
            return self._latest_on_gpu
        if generator is not None:
            return is_on_gpu(generator)
        return self._latest_on_gpu and torch._C._current_autograd_node() is not None

    def _note_waiting(self, name: str, args: tuple, kwargs: dict[str, Any]) -> None:
        if name in WAITING:
            self.watch.note(name)
        if name in INDEXED:
            self._note_indices(name, args)
        if name == "copy_":
            self.watch.note_copy(args[1], device_of(args[0]), (*args, False)[2])

    def _note_indices(self, name: str, args: tuple) -> None:
        indices = [x for x in args[1] if x is not None]
        by_mask = any(x.dtype in (torch.bool, torch.uint8) for x in indices)
        if by_mask and (name == "index" or args[2].numel() > 1):  # a single value is filled in without counting
            self.watch.note(f"{name} with a mask")
        for index in indices:
            self.watch.note_copy(index, GPU, False)


def refuse_mixture(func: Any, name: str, inputs: Iterable[Tensor], args: tuple) -> None:
    """CUDA takes from the CPU what it copies, indices, and single numbers in element-wise operations."""
    if name in COPIES:
        return
    if name in INDEXED:
        inputs = [args[0], *(x for x in args[2:3] if x.dim() or device_of(x) != CPU)]
    written = [x for x, about in zip(args, func._schema.arguments, strict=False) if _is_written(about)]
    spared = torch.Tag.pointwise in func.tags and all(device_of(x) == GPU for x in written)
    strangers = [x for x in inputs if device_of(x) == CPU and not (spared and x.dim() == 0)]
    if strangers:
        shapes = ", ".join(str(list(x.shape)) for x in strangers)
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({func}, "
            f"on the CPU: {shapes})"
        )


def _is_written(about: Any) -> bool:
    return about.alias_info is not None and about.alias_info.is_write and "List" not in str(about.type)


def refuse_missing_kernel(func: Any) -> None:
    """What exists for the CPU alone; only a build of torch for CUDA knows."""
    known = torch._C._dispatch_has_computed_kernel_for_dispatch_key
    if torch.backends.cuda.is_built() and not known(func.name(), "CUDA") and known(func.name(), "CPU"):
        raise NotImplementedError(f"Could not run '{func.name()}' with arguments from the 'CUDA' backend.")


def mark(out: Any, inputs: list[Tensor]) -> Any:
    """Fresh results of an operation on the GPU lie there."""
    old = {address(x) for x in inputs}
    for x in tree_leaves(out):
        if isinstance(x, Tensor) and address(x) not in old:
            put_(x, GPU)
    return out
