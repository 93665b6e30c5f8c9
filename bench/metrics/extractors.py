"""What a feature extractor is: a network, its weights, its resize. No metrics here, and no network.

Weights are recognised by their sha256, so that a name always means the same numbers.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from ...objectives.errors import BadInput


@dataclass(frozen=True)
class Extractor:
    """A frozen network that turns images into features and class logits, and what a protocol must say about it.

    Attributes:
        name: as listed in `catalog.EXTRACTORS`.
        sha256: of the weights file, hexadecimal; of a plug-in over the values in its state_dict.
        resize: how images are brought to the network's size, in words.
        feature_dim: D, the number of features.
        network: images -> (features, logits), in eval mode.
        classes: K, the number of logits, where it is known; 0: there are none.
        source: a hash of a plug-in's code; None if it is built in.
    """

    name: str
    sha256: str
    resize: str
    feature_dim: int
    network: nn.Module
    classes: int | None = None
    source: str | None = None

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and logits [N, K], float32, of float images [N, C, H, W] in [-1, 1] on the network's device.

        Full float32 everywhere: TF32 and autocast would move a Fréchet distance by more than its rounding.
        """
        with _full_precision(), torch.autocast(images.device.type, enabled=False):
            features, logits = self.network(images.float())
        return features, logits

    def to(self, device: torch.device | str) -> "Extractor":
        """The same extractor with its network on `device`: a copy, unless it lies there already."""
        if {tensor.device for tensor in self.network.parameters()} == {torch.device(device)}:
            return self
        return replace(self, network=deepcopy(self.network).to(device))


@contextmanager
def _full_precision() -> Iterator[None]:
    asked_for = torch.get_float32_matmul_precision()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(asked_for)


def verified_bytes(path: Path, expected: str, name: str) -> bytes:
    """The contents of `path`, the weights of extractor `name`; BadInput if it is missing or has another sha256."""
    if not path.is_file():
        raise BadInput(f"weights of extractor '{name}': no file {path}")
    contents = path.read_bytes()
    found = hashlib.sha256(contents).hexdigest()
    if found != expected:
        raise BadInput(f"weights of extractor '{name}': {path} has sha256 {found}, expected {expected}")
    return contents


def unpickled(contents: bytes) -> dict[str, Tensor]:
    """The tensors in a file that `torch.save` wrote, on the CPU."""
    return torch.load(BytesIO(contents), map_location="cpu", weights_only=True)


def frozen(network: nn.Module) -> nn.Module:
    """In eval mode, without gradients, channels last: twice as fast on a CPU."""
    return network.to(memory_format=torch.channels_last).requires_grad_(False).eval()
