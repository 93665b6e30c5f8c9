"""Images whose two distant patches are alike: only the relation between far places tells whether one is right.

Synthetic, drawn without end; nothing is read from files.
"""

from pathlib import Path

import torch
from torch import Tensor

from .dataset import Dataset

SIDE = 16
# Rows and columns of the two 4×4 patches; six columns of background lie between them.
PATCHES = ((slice(6, 10), slice(1, 5)), (slice(6, 10), slice(11, 15)))
LEVEL = 0.75  # of a bright patch; a dark one has −LEVEL, the background 0
NOISE = 0.05  # standard deviation; five of them lie between LEVEL and the end of the range, where pixels are cut off


def parity(_: Path | None = None) -> Dataset:
    """Grey 16×16 images with two 4×4 patches far apart, bright or dark at even odds, but always alike."""
    source = "synthetic: two distant patches of even parity, Gaussian noise"
    return Dataset("parity", (1, SIDE, SIDE), None, None, None, None, "mnist-cnn", source, stream=_draw)


def _draw(n: int, rng: torch.Generator) -> Tensor:
    """[n, 1, 16, 16] in [−1, 1]: one sign for both patches, and independent noise in every pixel."""
    sign = torch.randint(2, (n, 1, 1, 1), generator=rng, device=rng.device) * 2 - 1
    noise = torch.randn(n, 1, SIDE, SIDE, generator=rng, device=rng.device)
    return (LEVEL * sign * in_patches(rng.device) + NOISE * noise).clamp_(-1, 1)


def in_patches(device: torch.device | str = "cpu") -> Tensor:
    """1 where a patch is, else 0: [16, 16], float32."""
    mask = torch.zeros(SIDE, SIDE, device=device)
    for rows, columns in PATCHES:
        mask[rows, columns].fill_(1)
    return mask
