"""A GAN whose convolutions see only their neighbourhood, and with `attention` the whole image as well.

Noise enters at every place, and the critic's logit is the mean of scores of patches (Isola et al. 2017, PatchGAN).
"""

import torch
from torch import Tensor, nn

from ..objectives.checks import positive_integer
from ..objectives.errors import BadInput
from .attention import SelfAttention
from .networks import Networks, square

SIDES = (8, 16, 28, 32)


class UntiedBias(nn.Module):
    """Adds a bias of its own to every unit, at first 0: it tells a convolution where it is."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, side, side))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] → the same shape."""
        return x + self.bias


def _conv(inputs: int, outputs: int, size: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _attend(attention: bool, channels: int) -> list[nn.Module]:
    return [SelfAttention(channels)] if attention else []


class LocalGenerator(nn.Module):
    """Latents [B, noise · (S/2)²] to images [B, C, S, S] in [−1, 1].

    Without attention a pixel depends on the noise within two cells of its own in the grid of S/2 × S/2.
    """

    def __init__(self, colours: int, side: int, channels: int, noise: int, attention: bool) -> None:
        super().__init__()
        grid = side // 2
        self.layers = nn.Sequential(
            nn.Unflatten(1, (noise, grid, grid)),
            *(_conv(noise, channels, 3), UntiedBias(channels, grid), nn.ReLU()),
            *(_conv(channels, channels, 1), UntiedBias(channels, grid), nn.ReLU()),
            *_attend(attention, channels),
            nn.Upsample(scale_factor=2),
            *(_conv(channels, channels, 3), UntiedBias(channels, side), nn.ReLU()),
            *(_conv(channels, colours, 1, bias=True), nn.Tanh()),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """[B, noise · (S/2)²] → [B, C, S, S]."""
        return self.layers(latent)


class LocalCritic(nn.Module):
    """Images [B, C, S, S] to logits [B], the mean of (S/2)² scores; without attention each sees 6×6 pixels."""

    def __init__(self, colours: int, side: int, channels: int, attention: bool) -> None:
        super().__init__()
        self.scores = nn.Sequential(
            *(_conv(colours, channels, 3), UntiedBias(channels, side), nn.LeakyReLU(0.2)),
            *(_conv(channels, channels, 4, 2), UntiedBias(channels, side // 2), nn.LeakyReLU(0.2)),
            *_attend(attention, channels),
            *(_conv(channels, channels, 1, bias=True), nn.LeakyReLU(0.2)),
            _conv(channels, 1, 1, bias=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] → [B]."""
        return self.scores(x).mean(dim=(1, 2, 3))


def local_cnn(shape: tuple[int, ...], *, channels: int = 16, noise: int = 4, attention: bool = False) -> Networks:
    """Convolutions that see only their neighbourhood, a PatchGAN critic; `attention` adds one block of SAGAN's to both.

    Args:
        shape: (1 or 3, 8 | 16 | 28 | 32, the same).
        channels: of every feature map.
        noise: normal latents in each cell of the generator's grid, of half the image's side.
        attention: whether generator and critic have a `SelfAttention` at half the image's side.

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("local-cnn", shape, SIDES)
    positive_integer("channels", channels)
    positive_integer("noise", noise)
    if not isinstance(attention, bool):
        raise BadInput(f"attention={attention}: must be true or false")
    return Networks(
        LocalGenerator(colours, side, channels, noise, attention),
        LocalCritic(colours, side, channels, attention),
        noise * (side // 2) ** 2,
    )
