"""The picture of one run's samples: points over the real density, images in a grid. Reads no record."""

from pathlib import Path

import numpy as np
from PIL import Image

from .palette import BLUE
from .pictures import grid, raster, view

SIDE = 512  # pixels


def picture(samples: np.ndarray, real: np.ndarray | None = None) -> Image.Image:
    """Points [n, d] over the density of `real` (or of themselves), or uint8 images [n, C, H, W] in a square grid."""
    if samples.ndim == 2:
        return Image.fromarray(raster(samples, view(samples if real is None else real), BLUE, SIDE))
    tiled = Image.fromarray(grid(samples, max(1, int(len(samples) ** 0.5))))
    factor = max(1, SIDE // tiled.width)
    return tiled.resize((tiled.width * factor, tiled.height * factor), Image.Resampling.NEAREST)


def write_picture(path: Path, real: np.ndarray, fake: np.ndarray) -> None:
    """Writes the picture of `fake`; nothing is drawn over reals that are no points."""
    picture(fake, real if real.ndim == 2 else None).save(path)
