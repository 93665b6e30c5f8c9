"""The extractor `mnist-cnn`: preprocessing, network and shipped weights of a classifier. No training, no metrics.

Changing anything here changes every FD(mnist-cnn) and IS(mnist-cnn): train the weights anew and update their sha256.
"""

from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F

from .extractors import Extractor, frozen, verified_bytes

WEIGHTS = Path(__file__).with_name("mnist_cnn.safetensors")
SHA256 = "248482c92a50540edb3927015e046aecb010bdb2af9ae498c5e52911f25a1572"
SIZE = 28
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
RESIZE = f"grey, bilinear with antialias to {SIZE}x{SIZE}"


def preprocess(images: Tensor) -> Tensor:
    """Make images grey (ITU-R BT.601 luma) and 28x28 (bilinear, antialias, half-pixel centres; 28x28 stays as it is).

    Args:
        images: [N, C, H, W] float in [-1, 1], C = 1 or 3, any H and W.

    Returns:
        [N, 1, 28, 28], same dtype and range.

    Raises:
        ValueError: another number of dimensions or of channels.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be [N, 1 or 3, H, W], got {list(images.shape)}")
    if images.shape[1] == 3:
        images = (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if images.shape[2:] == (SIZE, SIZE):
        return images
    return F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    # pooled first: batch norm and ReLU then cost a quarter
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class MnistCNN(nn.Module):
    """Three convolutions (16, 32, 64) with batch norm and pooling, a layer of 64 features, ten classes; 61k parameters.

    The features are the last hidden layer after its ReLU, as Inception's pool features are. In eval mode the batch norm
    uses its running statistics, so no image influences another. The shipped weights are right on 99.55 % of MNIST's
    test images (train_mnist_cnn.py made them; the file's metadata says with what).
    """

    feature_dim = 64

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(_block(1, 16), _block(16, 32), _block(32, 64))
        # batch norm here too, or some features die in training and carry nothing
        self.hidden = nn.Sequential(
            nn.Linear(64 * 3 * 3, self.feature_dim, bias=False), nn.BatchNorm1d(self.feature_dim), nn.ReLU()
        )
        self.classes = nn.Linear(self.feature_dim, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 64] and logits [N, 10] of images [N, C, H, W] in [-1, 1]; `preprocess` says what is allowed."""
        features = self.hidden(self.convolutions(preprocess(images)).flatten(1))
        return features, self.classes(features)


def mnist_cnn(weights: Path | None = None) -> Extractor:
    """The classifier with the shipped weights, or with a copy of them."""
    contents = verified_bytes(weights or WEIGHTS, SHA256, "mnist-cnn")
    with torch.device("meta"):  # draws nothing from the global random stream
        network = MnistCNN()
    network.load_state_dict(load(contents), assign=True)
    return Extractor("mnist-cnn", SHA256, RESIZE, MnistCNN.feature_dim, frozen(network))
