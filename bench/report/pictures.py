"""Samples as pictures: a Figure that sets objectives side by side, and small rasters for the page.

Points stand over the density of the real sample in the record, by their two coordinates or two principal components;
images stand in a grid, in their own order.
"""

import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage

from ..records.reader import RunRecord, read_samples
from .blocks import Block, has_few_modes, is_conditional
from .canvas import Panel, canvas
from .curves import Style, sample_runs
from .pairs import judges_critics

MOST_UNCONDITIONAL = 64  # images that a run keeps of an evaluation
PANEL = 2.4  # inches, with the gap beside it
_GAP = 0.06  # of a panel
_ROW = 1.04  # height of a row without its titles, in panels
_TOP = 1.01  # upper edge of the first row below its titles, from its lower left corner
_LINE = 0.07  # height of a line of a title, in panels
_LETTERS = 28  # of a line of a title: as wide as a panel
_BINS = 200
_MARGIN = 0.25  # of the real sample's extent, on each side
_HEAD: dict[str, Any] = {"ha": "center", "va": "top"}  # with its own line spacing, first lines of titles stand in one
_GOLDEN = (5**0.5 - 1) / 2
Plane = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class View:
    """The window on a plane of points: what the real sample covers and a margin, and the real density in it.

    `plane` takes points [n, d] to it, and `caption` says what it is ("" for their coordinates).
    """

    low: np.ndarray
    high: np.ndarray
    density: np.ndarray
    plane: Plane
    caption: str = ""

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which points are finite and in the window."""
        return np.all((points >= self.low) & (points <= self.high), axis=1)


def view(real: np.ndarray) -> View:
    """The window on real points [n, d]; density [rows from the bottom, columns], smoothed, its maximum 1."""
    plane, caption = _plane_of(real)
    real = plane(real)
    low, high = real.min(axis=0), real.max(axis=0)
    centre, half = (low + high) / 2, max((high - low).max() / 2, 1e-12) * (1 + _MARGIN)
    low, high = centre - half, centre + half
    counts, _, _ = np.histogram2d(real[:, 0], real[:, 1], bins=_BINS, range=list(zip(low, high, strict=True)))
    density = ndimage.gaussian_filter(counts.T, 1.0)  # narrow: blobs no wider than the data
    return View(low, high, density / max(density.max(), 1e-12), plane, caption)


def _plane_of(real: np.ndarray) -> tuple[Plane, str]:
    """How points are shown: by two coordinates, one over evenly spread heights, or two components.

    Principal components are those of the real sample; of each the largest entry is positive.
    """
    if real.shape[1] == 1:
        low, high = real.min(), real.max()
        return lambda x: np.column_stack(
            [x, low + (high - low) * (np.arange(len(x)) * _GOLDEN % 1)]
        ), "the height means nothing"
    if real.shape[1] == 2:
        return lambda x: x[:, :2], ""
    centre = real.mean(axis=0)
    axes = np.linalg.svd(real - centre, full_matrices=False)[2][:2]
    axes = axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]

    def project(x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):  # of a diverged run
            return (x - centre) @ axes.T

    return project, "first two principal components of the real data"


def samples_figure(block: Block, styles: Mapping[str, Style]) -> Figure | None:
    """Real data first, then the last samples of each objective at one seed; None if there are no samples.

    None on pairs too, where the generator is given and every objective has the same samples.

    All panels share one axes, in units of a panel: an axes for each would take most of the time.
    """
    shown = sample_runs(block)
    samples = {o: read_samples(r.samples, "fake", "real") for o, r in shown.items() if r is not None and r.samples}
    real = next((s["real"] for s in samples.values() if "real" in s), None)
    if real is None or judges_critics(block):
        return None
    window = view(real) if real.ndim == 2 else None
    real = real if window is None else window.plane(real)
    panels: list[tuple[str, np.ndarray | None, str]] = [(_title("real data"), real, "#000000")]
    for objective, run in shown.items():
        fake = samples[objective]["fake"] if run else None
        if fake is not None and window is not None:
            fake = window.plane(fake)
        panels.append((_title(objective, _state(run), _outside(fake, window)), fake, styles[objective].colour))
    columns = min(len(panels), 5)
    rows = -(-len(panels) // columns)
    titles = _LINE * max(title.count("\n") + 1 for title, _, _ in panels)
    row = _ROW + titles
    size = Panel(PANEL * columns, PANEL * rows * row, 0.1, 0.1, 0.0, 0.1)
    caption = window.caption if window else "generated: each row a class" * is_conditional(block)
    figure, (ax,) = canvas(1, 1, size, f"{block.title}: last samples{caption and f' ({caption})'}")
    ax.set_axis_off()
    for i, (title, drawn, colour) in enumerate(panels):
        corner = i % columns, -(i // columns) * row
        ax.text(corner[0] + (1 - _GAP) / 2, corner[1] + _TOP + titles - 0.01, title, **_HEAD)
        _panel(ax, corner, drawn, window, colour)
    room, top = _slack(figure, columns) + _GAP / 2, _TOP + titles
    ax.set(xlim=(-room, columns - _GAP + room), ylim=(top - rows * row, top))
    return figure


def side_of(images: np.ndarray, usual: int) -> int:
    """How many images a row has: a conditional run keeps more, a square whose rows have one class each."""
    return isqrt(len(images)) if len(images) > MOST_UNCONDITIONAL else usual


def grid(images: np.ndarray, side: int) -> np.ndarray:
    """The first side² of uint8 images [n, C, H, W] in rows: [H·side, W·side] grey or [H·side, W·side, 3]."""
    n, c, h, w = images.shape
    tiles = np.zeros((side * side, c, h, w), np.uint8)
    tiles[: min(n, side * side)] = images[: side * side]
    picture = tiles.reshape(side, side, c, h, w).transpose(0, 3, 1, 4, 2).reshape(side * h, side * w, c)
    return picture[:, :, 0] if c == 1 else picture[:, :, :3]


def raster(points: np.ndarray, window: View, colour: str, size: int) -> np.ndarray:
    """Points [n, d] as dots over the real density, [size, size, 3] uint8: a hundred times faster than a Figure."""
    zoom = np.arange(size) * _BINS // size
    shade = 255 - 110 * window.density[::-1][np.ix_(zoom, zoom)]
    picture = np.repeat(shade[:, :, None], 3, axis=2).astype(np.uint8)
    points = window.plane(points)
    inside = points[window.inside(points)]
    x, y = (((inside - window.low) / (window.high - window.low)) * (size - 2)).astype(int).T
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        picture[size - 2 - y + dy, x + dx] = rgb
    return picture


def encode(picture: np.ndarray, colour_photo: bool = False) -> tuple[str, bytes]:
    """(media type, bytes): PNG with few colours where they suffice, JPEG for RGB images, which PNG keeps too large."""
    buffer, image = io.BytesIO(), Image.fromarray(picture)
    if colour_photo:
        image.save(buffer, "JPEG", quality=80)
        return "image/jpeg", buffer.getvalue()
    if image.mode == "RGB":
        image = image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    image.save(buffer, "PNG")
    return "image/png", buffer.getvalue()


def _state(run: RunRecord | None) -> str:
    if run is None:
        return "no samples"
    if run.status == "completed":
        return f"seed {run.seed}, {'few modes' if has_few_modes(run) else 'completed'}"
    spread = run.courses.get("sample_spread", np.zeros(1))  # NaN where the samples are
    told = "" if np.isfinite(spread[-1:]).all() else ": the samples are no numbers"
    return f"seed {run.seed}, diverged at {run.diverged_at}{told}"


def _outside(samples: np.ndarray | None, window: View | None) -> str:
    """How many points of the plane the window does not show; nothing where it shows all."""
    if samples is None or window is None:
        return ""
    outside = len(samples) - int(window.inside(samples).sum())
    return f"{outside} of {len(samples)} outside" if outside else ""


def _title(*texts: str) -> str:
    """Each text on lines of its own, none wider than a panel."""
    return "\n".join(line for text in texts for line in textwrap.wrap(text, _LETTERS, break_on_hyphens=False))


def _slack(figure: Figure, columns: int) -> float:
    """Half of the width, in panels, that a figure has beyond its panels because its title is longer than they are."""
    return max(0.0, (figure.get_figwidth() - 0.2) / PANEL - columns) / 2


def _panel(ax: Axes, corner: tuple[float, float], samples: np.ndarray | None, window: View | None, colour: str) -> None:
    """Draws one panel into the square at `corner` (lower left): images, or points of the window's plane."""
    x, y, side = *corner, 1 - _GAP
    if samples is None:
        ax.text(x + side / 2, y + side / 2, "no samples", ha="center", va="center", color="#777777")
    elif window is not None:
        _points(ax, (x, y), samples, window, colour)
    else:
        extent = (x, x + side, y, y + side)
        ax.imshow(
            grid(samples, side_of(samples, 8)),
            cmap="gray",
            vmin=0,
            vmax=255,
            interpolation="nearest",
            extent=extent,
            aspect="auto",
        )


def _points(ax: Axes, corner: tuple[float, float], points: np.ndarray, window: View, colour: str) -> None:
    x, y, side = *corner, 1 - _GAP
    extent = (x, x + side, y, y + side)
    ax.imshow(window.density, origin="lower", extent=extent, aspect="auto", cmap="Greys", vmin=0, vmax=1.6)
    places = (points[window.inside(points)][:2000] - window.low) / (window.high - window.low) * side + np.array([x, y])
    ax.scatter(*places.T, s=2.5, color=colour, alpha=0.5, linewidths=0)
