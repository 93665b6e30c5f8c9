"""Figures with several rows of panels, in the studies' style. No measurements here."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def grid(
    title: str, rows: int, columns: int, width: float = 3.0, height: float = 2.8, *, lines: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with rows × columns panels, row by row, and its title in words; `lines` draws a faint grid in each."""
    figure = Figure(figsize=(width * columns, height * rows + 0.3), dpi=130, layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.set_axisbelow(True)
        if lines:
            axis.grid(alpha=0.25, linewidth=0.6)
    return figure, axes
