"""In what precision the networks compute: float32, or TF32 or bfloat16 by choice. Losses and penalties stay float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

# Torch keeps a precision for each library and kind of operation, and, from before, one for all matrix products and a
# switch for cuDNN. Where somebody has set both ways of saying so, reading the old ones raises RuntimeError.
backends: Any = torch.backends
KEPT = (
    backends.cuda.matmul,
    backends.mkldnn.matmul,
    backends.mkldnn.conv,
    backends.cudnn.conv,
    backends.cudnn.rnn,
)


def float32_settings() -> tuple[str | bool, ...]:
    """How float32 is computed by now: for all matrix products, by cuDNN, and for each of KEPT."""
    found: list[str | bool] = []
    for read in (torch.get_float32_matmul_precision, lambda: backends.cudnn.allow_tf32):
        try:
            found.append(read())
        except RuntimeError:
            found.append("mixed")
    return (*found, *("ieee" if kept.fp32_precision == "none" else kept.fp32_precision for kept in KEPT))


def set_float32(settings: tuple[str | bool, ...]) -> None:
    """Puts back what `float32_settings` has read."""
    products, convolutions, *others = settings
    if products != "mixed":
        torch.set_float32_matmul_precision(str(products))
    if convolutions != "mixed":
        backends.cudnn.allow_tf32 = convolutions
    for kept, precision in zip(KEPT, others, strict=True):
        kept.fp32_precision = precision


@contextmanager
def tensor_float32(on: bool) -> Iterator[None]:
    """Whether matrix products and convolutions of float32 on a GPU may be made in TF32; as it was before, afterwards.

    Torch's own default is yes for convolutions and no for matrix products. Without a GPU nothing changes.
    """
    before = float32_settings()
    set_float32(("high", True, *["tf32"] * len(KEPT)) if on else ("highest", False, *["ieee"] * len(KEPT)))
    try:
        yield
    finally:
        set_float32(before)


@contextmanager
def repeatable_float32() -> Iterator[None]:
    """On a GPU float32 is float32, and a convolution gives the same bits every time; as it was before, afterwards."""
    before, backends.cudnn.deterministic = backends.cudnn.deterministic, True
    try:
        with tensor_float32(False):
            yield
    finally:
        backends.cudnn.deterministic = before


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which one step of the game runs; its weights' casts are forgotten with it, as they change."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
