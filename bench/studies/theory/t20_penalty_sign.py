"""T20: a penalty added with + inside the maximum rewards what it should punish."""

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ....objectives.base import Batch
from ....objectives.game import critic_step
from ....objectives.gradient_penalty import GradientPenalty
from ....objectives.slopes import line, slopes
from ...report.palette import BLUE, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes
from ..plotting.style import label, legend, panels, seed_lines
from .discriminator import mlp

WEIGHT, STEPS, EVERY, STARTS = 10.0, 60, 5, (0.5, 2.0)
SIGNS = {"+": VERMILION, "−": BLUE}


class AddedInsideMax(GradientPenalty):
    """max over f of the dual estimate + λ·penalty, as the documents print it; minimised, its sign is minus."""

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return -super().penalty(critic, batch)


OBJECTIVES = {"+": AddedInsideMax, "−": GradientPenalty}


def draw(rng: torch.Generator) -> Batch:
    """Two Gaussians in the plane, shifted by 1."""
    real, fake = torch.randn(2, 256, 2, generator=rng, dtype=torch.float64)
    return Batch(real, fake + torch.tensor([1.0, 0.0], dtype=torch.float64), None, 0, rng)


def critic_with_slope(seed: int, slope: float) -> nn.Module:
    """A small tanh network whose mean slope on the lines between real and fake is the given one."""
    critic = mlp(2, 32, seed)
    at = line(draw(torch.Generator().manual_seed(seed)))
    last = critic[-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(slope / slopes(critic, at, create_graph=False).mean())
    return critic


def run(setting: Setting) -> list[Row]:
    """Per seed, sign and starting slope: mean |‖∇f‖ − 1| on the lines along the critic's ascent, and its change."""
    rows: list[Row] = []
    for seed in setting.seeds:
        for sign, objective in OBJECTIVES.items():
            for start in STARTS:
                curve = ascend(objective(weight=WEIGHT), critic_with_slope(seed, start), seed)
                common = {"seed": seed, "sign": sign, "start": start}
                rows += [common | row for row in curve]
                rows.append(common | {"change": curve[-1]["excess"] - curve[0]["excess"]})
    return rows


def ascend(objective: GradientPenalty, critic: nn.Module, seed: int) -> list[Row]:
    """STEPS critic steps; the mean slope and the mean |slope − 1| at fixed points every EVERY."""
    at = line(draw(torch.Generator().manual_seed(seed)))
    rng = torch.Generator().manual_seed(seed + 1)
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    rows: list[Row] = []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            found = slopes(critic, at, create_graph=False)
            rows.append({"step": step, "excess": float((found - 1).abs().mean()), "slope": float(found.mean())})
        critic_step(objective, critic, draw(rng), optimizer)
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Mean |‖∇f‖ − 1| against the critic's steps for both signs."""
    figure, axes = panels("T20  Ascending the dual estimate + or − the penalty", columns=2)
    curves = measurements.dropna(subset=["step"])
    for axis, start in zip(axes, STARTS, strict=True):
        for sign, color in SIGNS.items():
            shown = curves[(curves["start"] == start) & (curves["sign"] == sign)]
            seed_lines(axis, shown, "step", "excess", f"{sign} penalty", color=color, linewidth=1.2)
        axis.set_yscale("log")
        end = curves[(curves["start"] == start) & (curves["sign"] == "+") & (curves["step"] == STEPS)]
        if end["excess"].max() < 1.0:  # a slope below 1 that is driven down cannot get farther from 1 than 0
            axis.annotate("slope → 0", (STEPS, 1.0), xytext=(0, 5), textcoords="offset points", ha="right", fontsize=8)
        legend(axis, loc="best")
        label(axis, "critic steps", "mean |‖∇f‖ − 1| on the lines", f"starting slope {start:g}")
    return figure


STUDY = Study(
    id="T20",
    claim="The penalty λ·E(‖∇f‖ − 1)² is added with + inside the maximum over critics.",
    document="Report eq. 12, Q&A (the Notes have −)",
    experiment=f"Two Gaussians shifted by 1, λ = {WEIGHT:g}: {STEPS} critic steps with either sign from a mean slope "
    "of .5 and of 2.",
    run=run,
    parts=(
        refutes(
            *(
                Measure.smallest(
                    "change", f"change of mean abs(‖∇f‖ − 1) with +, start {start:g}", sign="+", start=start
                ).above(0.0)
                for start in STARTS
            ),
            *(
                Measure.largest("change", f"change with −, start {start:g}", sign="−", start=start).below(0.0)
                for start in STARTS
            ),
            reading="A sign error: the penalty is subtracted inside the maximum (added to the loss that is minimised).",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"weight": WEIGHT, "steps": STEPS, "starts": list(STARTS)},
)
