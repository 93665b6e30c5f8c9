"""Which pictures a sweep gets, and under which names; each is written as PNG, PDF or SVG."""

import io
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from .blocks import Block, short_titles
from .canvas import RC
from .critics import singular_values_figure, weights_figure
from .curves import Style
from .figures import quality_figure, stability_figure
from .marginals import marginals_figure
from .pairs import BY_DIMENSION, dimension_figure, fields_figure
from .pictures import samples_figure

FEW_BLOCKS = 4  # are drawn in this process
SLUG_BYTES = 120  # of a block's name in a file's; file systems take 255 in all
Draw = Callable[[Block, Mapping[str, Style]], Figure | None]
FIGURES: dict[str, Draw] = {
    "quality": quality_figure,
    "stability": stability_figure,
    "samples": samples_figure,
    "marginals": marginals_figure,
    "weights": weights_figure,
    "singular-values": singular_values_figure,
}
OF_PAIRS: dict[str, Draw] = {"fields": fields_figure}  # in the plane alone


def slugs(blocks: Sequence[Block]) -> list[str]:
    """A file name per block, each another: the dataset, with architecture and recipe where that alone is ambiguous."""
    names = [title.replace(" · ", "-") for title in short_titles(blocks).values()]
    names = [re.sub(r"[^\w.+-]+", "_", name).strip("._") or "block" for name in names]
    found: list[str] = []
    for i, name in enumerate(names):
        slug = name.encode()[:SLUG_BYTES].decode(errors="ignore")
        while slug in found:
            slug = f"{slug}-{i}"
        found.append(slug)
    return found


def draw_plots(blocks: Sequence[Block], styles: Mapping[str, Style], form: str = "png") -> Iterator[tuple[str, bytes]]:
    """(file name, content) of every picture that the records hold the numbers for: of each block, then of all.

    `form` is png, pdf or svg.

    Many blocks are shared among the processor's cores.
    """
    yield from _draw_blocks(blocks, styles, form)
    overview = _saved(dimension_figure, blocks, styles, form)
    if overview is not None:
        yield Path(BY_DIMENSION).with_suffix(f".{form}").name, overview


def _draw_blocks(blocks: Sequence[Block], styles: Mapping[str, Style], form: str) -> Iterator[tuple[str, bytes]]:
    tasks, workers = list(zip(slugs(blocks), blocks, strict=True)), _workers(len(blocks))
    if workers == 1:
        for task in tasks:
            yield from _draw_block(task, styles, form)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        for found in pool.map(partial(_draw_block, styles=styles, form=form), tasks):
            yield from found


def _workers(blocks: int) -> int:
    """Processes to draw in. Only forks are worth it (a fresh process imports for longer than it draws), and only where
    they are safe: on Linux, from a process without other threads.
    """
    if blocks < FEW_BLOCKS or not sys.platform.startswith("linux") or threading.active_count() > 1:
        return 1
    return min(blocks, len(os.sched_getaffinity(0)))


def _draw_block(task: tuple[str, Block], styles: Mapping[str, Style], form: str) -> list[tuple[str, bytes]]:
    slug, block = task
    drawn = ((kind, _saved(draw, block, styles, form)) for kind, draw in (FIGURES | OF_PAIRS).items())
    return [(f"{slug}-{kind}.{form}", content) for kind, content in drawn if content is not None]


def _saved(
    draw: Callable[[Any, Mapping[str, Style]], Figure | None], what: Any, styles: Mapping[str, Style], form: str
) -> bytes | None:
    with matplotlib.rc_context(RC):
        figure = draw(what, styles)
        if figure is None:
            return None
        buffer = io.BytesIO()
        if form == "png":
            figure.savefig(buffer, format=form, pil_kwargs={"compress_level": 2})
        else:  # without the time, so that equal records give equal files
            figure.savefig(buffer, format=form, metadata={"CreationDate" if form == "pdf" else "Date": None})
        return buffer.getvalue()
