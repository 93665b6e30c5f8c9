"""Which pictures a sweep gets, and under which names; each is written as PNG."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure

from .blocks import Block, short_titles
from .canvas import RC
from .critics import singular_values_figure, weights_figure
from .curves import Style
from .figures import quality_figure, stability_figure
from .pictures import samples_figure

Draw = Callable[[Block, Mapping[str, Style]], Figure | None]
FIGURES: dict[str, Draw] = {
    "quality": quality_figure,
    "stability": stability_figure,
    "samples": samples_figure,
    "weights": weights_figure,
    "singular-values": singular_values_figure,
}


def slugs(blocks: Sequence[Block]) -> list[str]:
    """A file name per block: the dataset, with architecture and recipe where the dataset alone is ambiguous."""
    names = [title.replace(" · ", "-") for title in short_titles(blocks).values()]
    names = [re.sub(r"[^\w.+-]+", "_", name).strip("._") or "block" for name in names]
    return [name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names)]


def draw_plots(blocks: Sequence[Block], styles: Mapping[str, Style]) -> Iterator[tuple[str, bytes]]:
    """(file name, PNG) of every picture that the records hold the numbers for, one at a time."""
    for slug, block in zip(slugs(blocks), blocks, strict=True):
        for kind, draw in FIGURES.items():
            picture = _png(draw, block, styles)
            if picture is not None:
                yield f"{slug}-{kind}.png", picture


def _png(draw: Draw, block: Block, styles: Mapping[str, Style]) -> bytes | None:
    with matplotlib.rc_context(RC):
        figure = draw(block, styles)
        if figure is None:
            return None
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 2})
        return buffer.getvalue()
