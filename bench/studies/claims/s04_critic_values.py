"""S4: what critics learn against a fixed generator: value surfaces, slopes, and directions (WGAN-GP's figure 1a)."""

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from ...report.palette import GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, reproduces
from ..measures.lipschitz import coupled_lines, gradients
from ..measures.quotients import gain, paired
from ..measures.weights import finite
from ..plotting.style import label, legend, mark_infinite, panels
from ..training.critic_runs import CLIP, CLIP_TIGHT, RING, TOY_CELLS, TOY_COLORS, TOYS, toy_runs, toy_sizes
from ..training.critics import trained

CLIPPED = (CLIP, CLIP_TIGHT)
POINTS, SIDE, REACH, SHOWN = 1000, 41, 2.2, 250
MARKERS = dict(zip(TOYS, "os^", strict=True))
LOST: Row = {"slope": math.inf, "slope_sd": math.inf, "cosine": -1.0}  # of a critic whose weights are no numbers
DRAWN = (CLIP, CLIP_TIGHT, "GP", "SN")


def run(setting: Setting) -> list[Row]:
    """Per seed, toy and critic: slopes and directions on coupled lines; the first seed's value surfaces and data."""
    runs = toy_runs(setting.options["steps"], setting.options["later_toys"], setting.seeds)
    lines: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
    rows: list[Row] = []
    for (name, toy, seed), result in trained(runs, setting).items():
        game, critic, sound = result.run.fixed.game(seed), result.module.double(), finite(result.module)
        real, fake = game.evaluation(POINTS)
        common: Row = {"seed": seed, "toy": toy, "critic": name}
        if (toy, seed) not in lines:
            lines[toy, seed] = coupled_lines(real, fake, game.stream("lines"))
        rows.append(common | (on_lines(critic, *lines[toy, seed]) if sound else LOST))
        if seed == setting.seeds[0] and name in DRAWN and sound:
            rows += [common | place for place in surface(critic)]
        if seed == setting.seeds[0] and name == DRAWN[0]:
            rows += [{"seed": seed, "toy": toy, "x": _short(x), "y": _short(y)} for x, y in real[:SHOWN].tolist()]
    return rows


def on_lines(critic: nn.Module, x: Tensor, direction: Tensor) -> Row:
    """Mean and sd of ‖∇f‖ at points x [n, d], and the mean cosine of ∇f with unit directions [n, d] (0 where ∇f = 0).

    The optimal critic's gradient is the direction towards the coupled real sample (Gulrajani et al. 2017, prop. 1).
    """
    gradient = gradients(critic, x)
    norm = gradient.norm(dim=1)
    cosine = (gradient * direction).sum(1) / norm.where(norm > 0, torch.ones_like(norm))
    return {"slope": float(norm.mean()), "slope_sd": float(norm.std()), "cosine": float(cosine.mean())}


def surface(critic: nn.Module) -> list[Row]:
    """The critic's values on a square grid."""
    axis = torch.linspace(-REACH, REACH, SIDE, dtype=torch.float64)
    places = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        values = critic(places)
    rows = torch.cat([places, values[:, None]], dim=1).tolist()
    return [{"x": _short(x), "y": _short(y), "value": _short(value)} for x, y, value in rows]


def _short(value: float) -> float:
    # Five digits are enough for a picture and keep the record small.
    return float(f"{value:.5g}")


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Adds per seed and toy the ratio of the two clipped critics' slopes, and GP's cosine minus the better clipped
    one's (`slope_ratio`, `cosine_gain`), the least there are where one of these critics diverged.
    """
    rows: list[Row] = []
    found = measurements[measurements["slope"].notna()]
    for row, cell in paired(found, "seed", "toy"):
        slope, cosine = (cell.set_index("critic")[column] for column in ("slope", "cosine"))
        row |= {"slope_ratio": gain(slope[CLIP], slope[CLIP_TIGHT])}
        lost = math.inf in slope[["GP", *CLIPPED]].to_list()
        rows.append(row | {"cosine_gain": -2.0 if lost else float(cosine["GP"] - cosine[list(CLIPPED)].max())})
    return pd.concat([found, pd.DataFrame(rows)], ignore_index=True)


def plot(measurements: pd.DataFrame) -> Figure:
    """Value surfaces: a row a toy, a column a critic, with data."""
    title = "S4  Value surfaces of critics, seed 0 (dots: data; yellow: high); the generator is held at data + N(0, 1)"
    figure, axes = panels(title, len(DRAWN), 2.5, 2.4, rows=len(TOYS), lines=False)
    values = measurements[measurements["value"].notna()]
    points = measurements[measurements["x"].notna() & measurements["value"].isna()]
    for place, axis in enumerate(axes):
        toy, name = TOYS[place // len(DRAWN)], DRAWN[place % len(DRAWN)]
        shown = values[(values["toy"] == toy) & (values["critic"] == name)]
        told = _draw_surface(axis, shown.pivot(index="y", columns="x", values="value"))
        data = points[points["toy"] == toy]
        axis.scatter(data["x"], data["y"], s=2, color=VERMILION, linewidths=0)
        axis.set_aspect("equal")
        label(axis, told, toy if name == DRAWN[0] else "", name if toy == TOYS[0] else "")
        axis.set(xticks=[], yticks=[])
    return figure


def _draw_surface(axis: Axes, table: pd.DataFrame) -> str:
    """What the panel says of the values."""
    if table.empty:
        return "diverged: no values"
    axis.contour(table.columns, table.index, table.to_numpy(), levels=14, cmap="viridis", linewidths=1)
    return f"range of values {float(np.ptp(table.to_numpy())):.3g}"


def plot_lines(measurements: pd.DataFrame) -> Figure:
    """Slope and direction on the coupled lines: a mark per toy and seed, and a bar at each toy's median."""
    figure, axes = panels("S4  Critics on optimally coupled lines: a mark a seed, a bar at the median", columns=2)
    found = measurements[measurements["slope"].notna()]
    for axis, column in zip(axes, ("slope", "cosine"), strict=True):
        _draw_toys(axis, found, column)
        axis.set_xticks(range(len(TOY_CELLS)), [name.replace(", ", ",\n") for name in TOY_CELLS], fontsize=8.5)
    axes[0].axhspan(0.9, 1.2, color=GREY, alpha=0.2, label="criterion for GP")
    axes[0].set_yscale("log")
    legend(axes[0], loc="lower right")
    label(axes[0], "", "mean ‖∇f‖", "how steep")
    label(axes[1], "", "mean cosine", "∇f and the direction of transport")
    return figure


def _draw_toys(axis: Axes, found: pd.DataFrame, column: str) -> None:
    for shift, (toy, marker) in zip((-0.25, 0.0, 0.25), MARKERS.items(), strict=True):
        axis.scatter([], [], s=16, marker=marker, color=GREY, label=toy)
        for place, (name, color) in enumerate(TOY_COLORS.items()):
            values = found.loc[(found["critic"] == name) & (found["toy"] == toy), column]
            axis.scatter(
                [place + shift] * len(values), values, s=16, marker=marker, color=color, alpha=0.7, linewidths=0
            )
            mark_infinite(axis, place + shift, values)
            axis.hlines(values.median(), place + shift - 0.1, place + shift + 0.1, color=color, linewidth=1.5)


def _reported(measurement: str, critic: str, text: str, **where: str) -> Measure:
    return Measure.median(measurement, f"{text}, {critic}", None, critic=critic, **where)


ON_LINES = "on coupled lines, GP"
STUDY = Study(
    id="S4",
    claim="Clipped critics are too simple; GP critics have unit slope along coupled lines.",
    document="Notes, Q&A",
    experiment="Generator held at data + N(0, 1); 8 Gaussians, 25 Gaussians, Swiss roll; critic 3×128, batch 256: GP "
    "(λ = 10) and SN by Adam 1e-3 (0, .9), clipping at .1 and .01 by RMSprop 5e-4; 1,000 fresh pairs coupled by exact "
    "transport, one point on each line.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            Measure.smallest("slope", f"mean slope {ON_LINES}, min over toys and seeds", critic="GP").at_least(0.9),
            Measure.largest("slope", f"mean slope {ON_LINES}, max over toys and seeds", critic="GP").at_most(1.2),
            Measure.largest("slope_sd", f"sd of the slope {ON_LINES}, max over toys and seeds", critic="GP").at_most(
                0.15
            ),
            name="GP: unit slope on coupled lines",
            reported=(
                _reported("slope", "SN", "mean slope"),
                _reported("slope", "SN, Wasserstein", "mean slope"),
            ),
        ),
        reproduces(
            Measure.smallest(
                "slope_ratio", "mean slope at c = .1 over that at c = .01, min over toys and seeds"
            ).at_least(1e3),
            Measure.smallest(
                "cosine_gain",
                "mean cosine with the transport on the ring, GP minus the better clipped critic, worst seed",
                toy=RING,
            ).at_least(0.15),
            name="clipped critics: too simple, their scale set by c",
            reported=(
                Measure.median("cosine_gain", "the same, median", toy=RING),
                *(_reported("cosine", name, "cosine on the ring", toy=RING) for name in TOY_CELLS),
                *(_reported("slope", name, "mean slope") for name in CLIPPED),
            ),
            caveat="After 2,000 critic steps: the length of the training decides the cosine; at seeds 0 to 2 it is "
            ".93, .91 and .84 after 6,000 (.90, .94 and .49 here).",
            cause="Two of five GP critics align with the transport (cosine .90 and .94), three are at .49 to .56 after "
            "2,000 steps; the gain is ≥ .15 at four seeds, .12 at the fifth. The median's .22 would have "
            "passed; the worst seed's is what was fixed before the first run.",
        ),
    ),
    plot=plot,
    pictures={"lines": plot_lines},
    sizes=toy_sizes(),
    settings={"points": POINTS, "grid": SIDE, "reach": REACH},
)
