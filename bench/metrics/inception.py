"""Inception-v3 as the FID takes it: the network and the resize of torch-fidelity, from weights that are at hand.

Nothing is downloaded unless `download` is called: a missing file is one line that says where to get it and to put it.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from ...objectives.errors import BadInput, Missing, error_line
from .extractors import Extractor, frozen, unpickled, verified_bytes
from .folding import fold_batch_norms

SIZE = 299
MEGABYTES = 91
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FILE = "weights-inception-2015-12-05-6726825d.pth"
SAME_FILE = ("pt_inception-2015-12-05-6726825d.pth",)  # the same bytes, as pytorch-fid calls them
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
RESIZE = f"bilinear as TensorFlow 1 (no antialias, corners at 0) to {SIZE}x{SIZE}, (value - 128) / 128, grey repeated"
PAIRS = (("conv", "bn"),)


def weights_path() -> Path:
    """The weights file in torch hub's cache; BadInput, which says where to get it, if it is not there."""
    found = _found()
    if found is None:
        raise Missing(
            f"extractor 'inception' needs the file {FILE} ({MEGABYTES} MB, from {URL}): put it into {_folder()}; "
            "nothing is downloaded without being asked for",
            "weights",
            "download",
        )
    return found


def download(sha256: str = SHA256) -> None:
    """Fetches the weights file to where `weights_path` looks, unless it is there.

    Raises BadInput if that fails, or brings a file with another sha256.
    """
    if _found() is not None:
        return
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL, str(folder / FILE), hash_prefix=sha256)
    except (OSError, RuntimeError) as error:  # of the connection or the disk; of a file with another sha256
        told = f"download of {MEGABYTES} MB from {URL} to {folder} failed ({error_line(error)})"
        raise BadInput(f"weights of extractor 'inception': {told}") from error


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _found() -> Path | None:
    paths = (_folder() / name for name in (FILE, *SAME_FILE))
    return next((path for path in paths if path.is_file()), None)


class Inception(nn.Module):
    """Inception-v3 of 2015-12-05 (Szegedy et al., arXiv:1512.00567), the TensorFlow graph behind FID and IS, eval mode.

    The features are the 2,048 outputs of its last average pooling; the logits are the 1,008 of its last layer without
    the bias ("logits_unbiased"), as the Inception Score takes them.
    """

    feature_dim = 2048

    def __init__(self, weights: dict[str, Tensor], *, fold: bool = True) -> None:
        super().__init__()
        with torch.device("meta"):  # draws nothing from the global random stream
            body, fc = layers(), nn.Linear(2048, 1008)
        body.load_state_dict({k: v for k, v in weights.items() if not k.startswith("fc.")}, assign=True)
        fc.load_state_dict({k.removeprefix("fc."): v for k, v in weights.items() if k.startswith("fc.")}, assign=True)
        body.eval()
        self.body = fold_batch_norms(body, PAIRS) if fold else body
        self.fc = fc

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 2048] and logits [N, 1008] of images [N, 1 or 3, H, W] in [-1, 1]."""
        features = self.body(preprocess(images)).flatten(1)
        return features, features @ self.fc.weight.T


def preprocess(images: Tensor) -> Tensor:
    """Images [N, 1 or 3, H, W] in [-1, 1] as torch-fidelity brings them to the network: [N, 3, 299, 299].

    Raises:
        ValueError: another number of dimensions or of channels.
    """
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be [N, 1 or 3, H, W], got {list(images.shape)}")
    pixels = (images + 1) * 127.5
    resized = interpolate_bilinear_2d_like_tensorflow1x(pixels, size=(SIZE, SIZE), align_corners=False)
    return ((resized - 128) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def layers() -> nn.Sequential:
    """The layers up to the pooled features, under the names that the weights file has."""
    from torch_fidelity import feature_extractor_inceptionv3 as parts

    conv = parts.BasicConv2d
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=conv(3, 32, kernel_size=3, stride=2),
            Conv2d_2a_3x3=conv(32, 32, kernel_size=3),
            Conv2d_2b_3x3=conv(32, 64, kernel_size=3, padding=1),
            MaxPool_1=nn.MaxPool2d(kernel_size=3, stride=2),
            Conv2d_3b_1x1=conv(64, 80, kernel_size=1),
            Conv2d_4a_3x3=conv(80, 192, kernel_size=3),
            MaxPool_2=nn.MaxPool2d(kernel_size=3, stride=2),
            Mixed_5b=parts.InceptionA(192, pool_features=32),
            Mixed_5c=parts.InceptionA(256, pool_features=64),
            Mixed_5d=parts.InceptionA(288, pool_features=64),
            Mixed_6a=parts.InceptionB(288),
            Mixed_6b=parts.InceptionC(768, channels_7x7=128),
            Mixed_6c=parts.InceptionC(768, channels_7x7=160),
            Mixed_6d=parts.InceptionC(768, channels_7x7=160),
            Mixed_6e=parts.InceptionC(768, channels_7x7=192),
            Mixed_7a=parts.InceptionD(768),
            Mixed_7b=parts.InceptionE_1(1280),
            Mixed_7c=parts.InceptionE_2(2048),
            AvgPool=nn.AdaptiveAvgPool2d(1),
        )
    )


def inception(weights: Path | None = None) -> Extractor:
    """The extractor with the weights in torch hub's cache, or with a copy of them."""
    contents = verified_bytes(weights or weights_path(), SHA256, "inception")
    return Extractor("inception", SHA256, RESIZE, Inception.feature_dim, frozen(Inception(unpickled(contents))))
