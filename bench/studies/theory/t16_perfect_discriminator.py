"""T16: on low-dimensional supports a discriminator soon becomes perfect."""

import math

import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from ....objectives.game import critic_step
from ....objectives.minimax import Minimax
from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels, seed_lines, threshold
from ..training.sheet import Sheet, sheet

RATES, EVERY, POINTS, LIMIT = (1e-3, 2e-4), 5, 1000, 400
CLOSE = 0.69


def run(setting: Setting) -> list[Row]:
    """Accuracy and JSD estimate against the critic's steps, and the first step at which both are as good as perfect."""
    rows: list[Row] = []
    for seed in setting.seeds:
        for rate in RATES:
            curve = train(sheet(seed), rate, LIMIT)
            perfect = [row["step"] for row in curve if row["accuracy"] == 1.0 and row["jsd"] > CLOSE]
            rows += [{"seed": seed, "rate": rate, "kind": "curve"} | row for row in curve]
            rows.append({"seed": seed, "rate": rate, "kind": "first", "first": min(perfect, default=float("inf"))})
        same = sheet(seed)
        same.real = same.fake  # data on the generator's own surface: nothing to tell apart
        rows.append({"seed": seed, "kind": "same", "jsd_same": train(same, RATES[0], 100)[-1]["jsd"]})
    return rows


def train(setting: Sheet, rate: float, steps: int) -> list[Row]:
    """The critic trained by `critic_step` on the minimax loss; stops once perfect."""
    optimizer = torch.optim.Adam(setting.critic.parameters(), lr=rate, betas=(0.5, 0.9), fused=True)
    objective, rows = Minimax(), []
    for step in range(1, steps + 1):
        critic_step(objective, setting.critic, setting.batch(), optimizer)
        if step % EVERY == 0:
            rows.append({"step": step} | evaluate(setting))
            if rows[-1]["accuracy"] == 1.0 and rows[-1]["jsd"] > CLOSE:
                break
    return rows


def evaluate(setting: Sheet) -> Row:
    """On fresh points: the accuracy of both classes, and log 2 + ½(E log D + E log(1 − D)), a lower bound of JSD."""
    with torch.no_grad():
        real, fake = setting.critic(setting.real(POINTS)), setting.critic(setting.fake(POINTS))
    accuracy = 0.5 * ((real > 0).double().mean() + (fake < 0).double().mean())
    value = F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()
    return {"accuracy": float(accuracy), "jsd": math.log(2.0) + 0.5 * float(value), "cost": -float(value)}


def plot(measurements: pd.DataFrame) -> Figure:
    """JSD estimate and cost against the critic's steps."""
    figure, axes = panels("T16  Two 2-D surfaces in R¹⁶: the discriminator becomes perfect", columns=2)
    curves = measurements[measurements["kind"] == "curve"]
    for rate, color in zip(RATES, (BLUE, VERMILION), strict=True):
        for axis, column in zip(axes, ("jsd", "cost"), strict=True):
            own = curves[curves["rate"] == rate]
            seed_lines(axis, own, "step", column, f"learning rate {rate:g}", color=color, linewidth=1)
    axes[1].set_yscale("log")
    threshold(axes[0], math.log(2.0), "log 2")
    threshold(axes[1], 2.0 * (math.log(2.0) - CLOSE), f"JSD estimate of {CLOSE:g}")
    axes[0].axvline(100, color=GREEN, linestyle=":", label="criterion: step 100")
    axes[0].set_ylim(0, 0.75)
    for axis in axes:
        legend(axis, loc="lower right" if axis is axes[0] else "upper right")
    label(axes[0], "critic steps", "JSD estimate on fresh points, nats", "a line a seed; it ends once perfect")
    label(axes[1], "critic steps", "discriminator's cost, nats", "its cost falls towards 0")
    return figure


STUDY = Study(
    id="T16",
    claim="On low-dimensional supports a discriminator becomes perfect: its cost tends to 0, JSD's estimate to log 2.",
    document="Report 2.3.1",
    experiment="Fixed 2×64 generator into R^16 against tanh(U)·A on a 2-D sheet, critic 3×128, float64, Adam (.5,.9), "
    "batch 256, 1,000 fresh points every 5 steps; data on the generator's own surface as control.",
    run=run,
    parts=(
        reproduces(
            Measure.largest(
                "first", "first step with accuracy 1 and JSD estimate > .69, worst seed, lr 1e-3", rate=RATES[0]
            ).at_most(100),
            Measure.largest("jsd_same", "JSD estimate after 100 steps on equal distributions, nats").below(
                0.05, control=True
            ),
            reported=(Measure.largest("first", "the same step at lr 2e-4, worst seed", rate=RATES[1]),),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    min_seeds=5,
    settings={"rates": list(RATES), "limit": LIMIT, "points": POINTS},
)
