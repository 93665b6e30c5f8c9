"""The samples of several runs over time, side by side, as an animated GIF. Trains nothing, measures nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist

from ...records.reader import RunRecord, read_samples
from ...report.palette import BLUE, GREY
from .style import panels

PER_SECOND = 6


def animate(runs: Mapping[str, RunRecord], title: str, out: Path, reach: float = 1.6) -> None:
    """Writes the GIF: one panel a run (2-D points), one frame a snapshot, real points in grey behind them.

    Args:
        runs: the panels' titles and the runs behind them, all evaluated at the same steps.
        title: above the panels; the step is added to it.
        out: the file.
        reach: the panels show [−reach, reach]² of the data's plane.
    """
    arrays = {name: _snapshots(run) for name, run in runs.items()}
    figure, axes = panels(title, columns=len(runs), width=2.7, height=2.9)
    figure.set_dpi(80)
    clouds = []
    for axis, (name, found) in zip(axes, arrays.items(), strict=True):
        axis.scatter(*found["real"].T, s=5, color=GREY, alpha=0.4, linewidths=0)
        clouds.append(axis.scatter([], [], s=6, color=BLUE, alpha=0.7, linewidths=0))
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
        axis.set_title(name, fontsize=9.5)
    steps = [int(step) for step in next(iter(arrays.values()))["steps"]]

    def draw(frame: int) -> Sequence[Artist]:
        figure.suptitle(f"{title}: {steps[frame]:,} updates", fontsize=11)
        for cloud, found in zip(clouds, arrays.values(), strict=True):
            cloud.set_offsets(found["snapshots"][min(frame, len(found["snapshots"]) - 1)])
        return clouds

    FuncAnimation(figure, draw, frames=len(steps), blit=False).save(out, PillowWriter(PER_SECOND))


def _snapshots(run: RunRecord) -> dict[str, np.ndarray]:
    assert run.samples is not None, f"run {run.id} left no samples"
    return read_samples(run.samples, "real", "steps", "snapshots")
