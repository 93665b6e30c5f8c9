"""S7: whether what the critic maximises tells how good the generator is."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..suite import Evaluation
from .canvas import grid
from .contract import Criterion, Part, Quantity, Row, Setting, Size, Study
from .generators import runs_of
from .ranks import spearman
from .style import BLUE, GREEN, PURPLE, VERMILION, label
from .toy_games import CLIP_TIGHT, GP_STRONG, GRID, NS, SN, game

NAMES = (CLIP_TIGHT, GP_STRONG, NS, SN)
COLORS = dict(zip(NAMES, (PURPLE, BLUE, VERMILION, GREEN), strict=True))
OFFSET, POINTS, EVALUATIONS, GAIN = 3.0, 400, 50, 0.3


def run(setting: Setting) -> list[Row]:
    """Per evaluation after the first update: the value that the critic maximises, and exact W1."""
    started = {"name": "mlp", "offset": OFFSET}
    cells = [game(name, architecture=started) for name in NAMES]
    evaluation = Evaluation(count=EVALUATIONS, points=POINTS)
    runs = runs_of(cells, setting, setting.options["steps"], evaluation)
    rows = [row for one in runs for row in one.course(loss="critic_loss", gap="critic_estimate", w1="w1")]
    return [row | {"estimate": -row["loss"]} for row in rows if row["step"]]


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """Per seed and objective Spearman's ρ over time of estimate and W1 (`rho`), and how much it is above NS's median.

    A constant is taken off, so that the median over seeds is the difference of the medians.
    """
    found = [
        {"seed": seed, "objective": name, "rho": spearman(course["estimate"], course["w1"])}
        | {"rho_of_gap": spearman(course["gap"], course["w1"])}
        for (seed, name), course in measurements.groupby(["seed", "objective"])  # pyright: ignore[reportGeneralTypeIssues]
    ]
    rows = pd.DataFrame(found)
    return rows.assign(above_ns=rows["rho"] - rows.loc[rows["objective"] == NS, "rho"].median())


def plot(measurements: pd.DataFrame) -> Figure:
    """Above, estimate and exact W1 against time, a line a seed; below, one against the other in the order of time."""
    figure, axes = grid("S7  What the critic maximises, and exact W1", 2, len(NAMES), width=3.1, height=2.9)
    rho = derive(measurements).groupby("objective")["rho"].median()
    for column, name in enumerate(NAMES):
        own = measurements[measurements["objective"] == name]
        above, below = axes[column], axes[len(NAMES) + column]
        _draw_courses(above, own, COLORS[name])
        label(above, "generator updates", "exact W1 (dashed)" if column == 0 else "", f"{name}: the estimate in colour")
        below.scatter(own["w1"], own["estimate"], s=9, c=own["step"], cmap="viridis", linewidths=0)
        label(below, "exact W1, data units", "estimate" if column == 0 else "", f"median ρ = {rho[name]:.2f}")
    figure.colorbar(axes[-1].collections[0], ax=axes, label="generator updates", shrink=0.5)
    return figure


def _draw_courses(axis: Axes, courses: pd.DataFrame, color: str) -> None:
    other = axis.twinx()
    for _, course in courses.groupby("seed"):
        axis.plot(course["step"], course["w1"], color="black", linestyle="--", linewidth=0.8)
        other.plot(course["step"], course["estimate"], color=color, linewidth=0.9)
    other.tick_params(labelsize=8, colors=color)


def _above_ns(name: str) -> Criterion:
    return Criterion(
        measurement="above_ns",
        where={"objective": name},
        text=f"ρ of {name} less the median ρ of NS",
        reduce="median",
        op=">=",
        threshold=GAIN,
    )


def _rho(name: str, measurement: str = "rho", text: str = "ρ") -> Quantity:
    return Quantity(measurement=measurement, where={"objective": name}, reduce="median", text=f"{text}, {name}")


STUDY = Study(
    id="S7",
    claim="The Wasserstein critic's loss tracks the quality of the samples; the Jensen–Shannon loss does not.",
    document="Report 3.5",
    experiment="The grid, common setting, the generator's points started 3 away; clipping at .01, GP λ = 10, NS, SN. "
    "At 50 evaluations: the value that the critic maximises on its batch (for NS and SN the cross-entropy, which is "
    "2 JSD − log 4 at the optimum), and exact W1 of 400 points; Spearman's ρ over time.",
    run=run,
    derive=derive,
    parts=(
        Part(
            criteria=(_above_ns(GP_STRONG), _above_ns(CLIP_TIGHT)),
            reported=(
                *(_rho(name) for name in NAMES),
                _rho(NS, "rho_of_gap", "ρ of mean D(real) − mean D(fake)"),
                _rho(SN, "rho_of_gap", "ρ of mean D(real) − mean D(fake)"),
            ),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, options={"steps": 50}, note="50 of 1,500 updates"),
        "quick": Size(seeds=3, options={"steps": 1500}),
        "full": Size(seeds=5, options={"steps": 1500}),
    },
    settings={"dataset": GRID, "offset": OFFSET, "points": POINTS, "evaluations": EVALUATIONS},
)
