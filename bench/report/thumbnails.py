"""Sample pictures for the page, encoded and downscaled: a strip of snapshots per objective, a thumbnail per run."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..records.reader import RunRecord, read_samples
from .blocks import Block
from .curves import Style, sample_runs
from .pairs import judges_critics
from .pictures import encode, grid, raster, side_of, view

FRAME, THUMBNAIL = 168, 96  # pixels
MOST_FRAMES = 12


@dataclass(frozen=True)
class Strip:
    """Square frames side by side in one picture, as a data URI, and the iteration of each frame."""

    objective: str
    seed: int | None
    uri: str
    steps: list[int]


def strips(block: Block, styles: Mapping[str, Style]) -> tuple[Strip | None, list[Strip]]:
    """The real data as one frame, and a strip for every objective that has samples; (None, []) where none has.

    So too on pairs, where the generator is given.
    """
    own_strips, real_strip = [], None
    for objective, run in ({} if judges_critics(block) else sample_runs(block)).items():
        if run is None or run.samples is None:
            continue
        arrays = read_samples(run.samples, "fake", "real", "steps", "snapshots")
        real = arrays.get("real", arrays["fake"])
        frames, steps = _frames(arrays, run)
        own_strips.append(Strip(objective, run.seed, _uri(frames, real, styles[objective].colour, FRAME), steps))
        real_strip = real_strip or Strip("real data", None, _uri([real], real, "#000000", FRAME), [])
    return real_strip, own_strips


def thumbnail(run: RunRecord, style: Style) -> str | None:
    """The run's last samples as a small data URI."""
    if run.samples is None:
        return None
    arrays = read_samples(run.samples, "fake", "real")
    return _uri([arrays["fake"]], arrays.get("real", arrays["fake"]), style.colour, THUMBNAIL)


def _frames(arrays: dict[str, np.ndarray], run: RunRecord) -> tuple[list[np.ndarray], list[int]]:
    """Snapshots and their iterations, thinned but for the first and the last; without any, the last samples."""
    if "snapshots" not in arrays or "steps" not in arrays or not len(arrays["snapshots"]):
        return [arrays["fake"]], [run.measurements.steps]
    n = min(len(arrays["snapshots"]), len(arrays["steps"]))
    chosen = np.unique(np.linspace(0, n - 1, min(n, MOST_FRAMES)).round().astype(int))
    return [arrays["snapshots"][i] for i in chosen], [int(arrays["steps"][i]) for i in chosen]


def _uri(frames: list[np.ndarray], real: np.ndarray, colour: str, size: int) -> str:
    if real.ndim == 2:
        window = view(real)
        picture = np.concatenate([raster(points, window, colour, size) for points in frames], axis=1)
        return data_uri(*encode(picture))
    pictures = [_fit(grid(images, _side(images, size)), size) for images in frames]
    return data_uri(*encode(np.concatenate(pictures, axis=1), colour_photo=pictures[0].ndim == 3))


def _side(images: np.ndarray, size: int) -> int:
    """Images per row, so that each keeps its own resolution where possible; never fewer than 3 or more than 8."""
    return side_of(images, int(np.clip(size // images.shape[-1], 3, 8)))


def _fit(picture: np.ndarray, size: int) -> np.ndarray:
    if picture.shape[0] <= size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))


def data_uri(media_type: str, content: bytes) -> str:
    """The content as a link that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
