"""Feature extractors by name: which network, which weights, which resize. No metrics here.

Weights are recognised by their sha256, so that a name always means the same numbers.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn

from ...objectives.errors import BadInput, unknown
from . import efficientnet, inception
from .classifier import RESIZE, MnistCNN
from .efficientnet import EfficientNetLite0
from .inception import Inception

MNIST_CNN_WEIGHTS = Path(__file__).with_name("mnist_cnn.safetensors")
MNIST_CNN_SHA256 = "248482c92a50540edb3927015e046aecb010bdb2af9ae498c5e52911f25a1572"


@dataclass(frozen=True)
class Extractor:
    """A frozen network that turns images into features and class logits, and what a protocol must say about it.

    Attributes:
        name: as listed in `EXTRACTORS`.
        sha256: of the weights file, hexadecimal.
        resize: how images are brought to the network's size, in words.
        feature_dim: D, the number of features.
        network: images -> (features, logits), in eval mode.
    """

    name: str
    sha256: str
    resize: str
    feature_dim: int
    network: nn.Module

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and logits [N, K], float32, of float images [N, C, H, W] in [-1, 1] on the network's device.

        Full float32 everywhere: TF32 and autocast would move a Fréchet distance by more than its rounding.
        """
        with _full_precision(), torch.autocast(images.device.type, enabled=False):
            features, logits = self.network(images.float())
        return features, logits

    def to(self, device: torch.device | str) -> "Extractor":
        """The same extractor with a copy of its network on `device`."""
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


Loader = Callable[[Path | None], Extractor]


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verified_bytes(path: Path, expected: str, name: str) -> bytes:
    """The contents of `path`, the weights of extractor `name`; BadInput if it is missing or has another sha256."""
    if not path.is_file():
        raise BadInput(f"weights of extractor '{name}': no file {path}")
    contents = path.read_bytes()
    found = hashlib.sha256(contents).hexdigest()
    if found != expected:
        raise BadInput(f"weights of extractor '{name}': {path} has sha256 {found}, expected {expected}")
    return contents


def _mnist_cnn(weights: Path | None) -> Extractor:
    contents = verified_bytes(weights or MNIST_CNN_WEIGHTS, MNIST_CNN_SHA256, "mnist-cnn")
    with torch.device("meta"):  # draws nothing from the global random stream
        network = MnistCNN()
    network.load_state_dict(load(contents), assign=True)
    return Extractor("mnist-cnn", MNIST_CNN_SHA256, RESIZE, MnistCNN.feature_dim, frozen(network))


def _efficientnet(weights: Path | None) -> Extractor:
    contents = verified_bytes(weights or efficientnet.weights_path(), efficientnet.SHA256, "efficientnet-lite0")
    network = frozen(EfficientNetLite0(_unpickled(contents)))
    return Extractor(
        "efficientnet-lite0", efficientnet.SHA256, efficientnet.RESIZE, EfficientNetLite0.feature_dim, network
    )


def _inception(weights: Path | None) -> Extractor:
    contents = verified_bytes(weights or inception.weights_path(), inception.SHA256, "inception")
    network = frozen(Inception(_unpickled(contents)))
    return Extractor("inception", inception.SHA256, inception.RESIZE, Inception.feature_dim, network)


def _unpickled(contents: bytes) -> dict[str, Tensor]:
    return torch.load(BytesIO(contents), map_location="cpu", weights_only=True)


def frozen(network: nn.Module) -> nn.Module:
    """In eval mode, without gradients, channels last: twice as fast on a CPU."""
    return network.to(memory_format=torch.channels_last).requires_grad_(False).eval()


EXTRACTORS: dict[str, Loader] = {
    "mnist-cnn": _mnist_cnn,
    "efficientnet-lite0": _efficientnet,
    "inception": _inception,
}


def load_extractor(name: str, weights: Path | None = None) -> Extractor:
    """Load an extractor, on the CPU.

    Args:
        name: one of `EXTRACTORS`.
        weights: a copy of its weights file elsewhere; the file must be the same one, byte for byte.

    Raises:
        BadInput: unknown name; weights missing, not installed, or with another sha256.
    """
    if name not in EXTRACTORS:
        raise unknown("extractor", name, list(EXTRACTORS))
    return EXTRACTORS[name](weights)
