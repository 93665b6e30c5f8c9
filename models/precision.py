"""In what precision the networks compute: float32, or TF32 or bfloat16 by choice. Losses and penalties stay float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def tensor_float32(on: bool) -> Iterator[None]:
    """Whether matrix products and convolutions of float32 on a GPU may be made in TF32; as it was before, afterwards.

    Torch's own default is yes for convolutions and no for matrix products. Without a GPU nothing changes.
    """
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = on
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def repeatable_float32() -> Iterator[None]:
    """On a GPU float32 is float32, and a convolution gives the same bits every time; as it was before, afterwards."""
    cudnn: Any = torch.backends.cudnn
    before, cudnn.deterministic = cudnn.deterministic, True
    try:
        with tensor_float32(False):
            yield
    finally:
        cudnn.deterministic = before


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which one step of the game runs; its weights' casts are forgotten with it, as they change."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
