"""S3: where clipping leaves the weights, and what passes through a deep critic's layers (WGAN-GP's figure 1b)."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ....report.palette import BLACK, BLUE, GREY, PURPLE
from ...engine.contract import Measure, Row, Scale, Setting, Size, Study, reproduces
from ...measures.weights import NEAR, finite, histogram, share_of_extremes, weights
from ...plotting.style import label, legend, panels, seed_lines
from ...training.critic_runs import DEEP_CELLS, DEEP_SIZE, deep_runs
from ...training.critics import trained
from ...training.deep import DEPTH, WIDTH, layer_gradients

COLORS = dict(zip(DEEP_CELLS, (PURPLE, BLACK, GREY, BLUE), strict=True))
POINTS = 1024


def run(setting: Setting) -> list[Row]:
    """Per seed and critic: the gradient's norm per layer, the share of extreme weights, the first seed's histogram."""
    runs = deep_runs(setting.options["iterations"], setting.options["batch"], setting.seeds)
    rows: list[Row] = []
    for (name, seed), result in trained(runs, setting).items():
        critic = result.run.critic(result.module)
        common, clip = {"seed": seed, "critic": name}, DEEP_CELLS[name].clip
        found = share_of_extremes(weights(critic), weights(result.run.networks().critic), clip)
        if not finite(result.module):
            rows.append(common | found | lost(clip))
            continue
        norms = layer_gradients(result.run.make_objective(), critic, *result.run.samples(result.module, POINTS))
        rows += [common | {"layer": layer, "gradient": norm} for layer, norm in enumerate(norms)]
        rows.append(common | {"decades": decades(norms)} | found)
        if seed == setting.seeds[0]:
            rows += [common | bar for bar in histogram(weights(critic))]
    return rows


def lost(clip: float | None) -> Row:
    """What a critic counts as whose weights are no numbers any more: the worst by the criteria on gradients."""
    return {"decades": math.inf if clip is None else 0.0}


def decades(norms: list[float]) -> float:
    """|log10(first / last)|; inf where one of them has vanished."""
    return abs(math.log10(norms[0] / norms[-1])) if min(norms[0], norms[-1]) > 0 else math.inf


def plot(measurements: pd.DataFrame) -> Figure:
    """Left the gradient's norm per layer, then the weights of each critic (the first seed's)."""
    title = f"S3  {DEPTH}-layer critics on the Swiss roll: gradients per layer, weights"
    figure, axes = panels(title, columns=1 + len(DEEP_CELLS), width=3.0, height=3.0)
    _draw_gradients(axes[0], measurements[measurements["layer"].notna()])
    bars = measurements[measurements["left"].notna()]
    seed = bars["seed"].iloc[0]
    for axis, (name, color) in zip(axes[1:], COLORS.items(), strict=True):
        shown = bars[bars["critic"] == name]
        axis.bar(shown["left"], shown["share"], width=shown["width"], align="edge", color=color)
        axis.ticklabel_format(axis="x", scilimits=(-2, 3))
        axis.set_yscale("log")  # the few large weights of an unclipped critic would not be seen otherwise
        axis.set_ylim(bars.loc[bars["share"] > 0, "share"].min() / 2, 1)
        label(axis, "weight", "share of weights" if axis is axes[1] else "", f"weights, {name}, seed {seed:g}")
    return figure


def _draw_gradients(axis: Axes, profiles: pd.DataFrame) -> None:
    for name, color in COLORS.items():
        own = profiles[profiles["critic"] == name]
        seed_lines(axis, own, "layer", "gradient", name, color=color, linewidth=1.1)
    axis.set_yscale("log")
    legend(axis, fontsize=7)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    label(axis, "layer (0: the critic's input)", "norm of the loss's gradient", "gradient per layer, one line a seed")


def _decades(name: str) -> str:
    return f"abs(log10(gradient at input / after layer {DEPTH})), {name}, worst seed"


UNTRAINED = (
    "An untrained critic passes: Kaiming weights of width 128 have a standard deviation of .125, so one clipping at "
    "c = .01 puts nine in ten of them at ±c before any training. At c = .1 training takes weights away from ±c."
)


def _size(scale: Scale, seeds: int, note: str = "") -> Size:
    iterations, batch = DEEP_SIZE[scale]
    return Size(seeds, {"iterations": iterations, "batch": batch}, note)


STUDY = Study(
    id="S3",
    claim="Clipping pushes the weights to the extremes, and gradients vanish or explode with depth.",
    document="Notes, Report 3.3.1",
    experiment=f"Swiss roll, {DEPTH}-layer ReLU critic and generator of width {WIDTH}, float64, n_critic 5, batch 256: "
    "clipping at .1, .01, .001 (RMSprop 5e-5) and GP (λ = 10, Adam 1e-4); the gradient of the critic's loss in its "
    "activations at the end, without the penalty.",
    run=run,
    parts=(
        reproduces(
            Measure.smallest(
                "extreme", "share of weights within 2 % of ±c, clip 0.01, worst seed", critic="clip 0.01"
            ).at_least(0.7),
            Measure.largest(
                "extreme", "share of weights within 2 % of their maximum, GP, worst seed", critic="GP"
            ).at_most(0.01),
            Measure.largest(
                "clipped_start",
                "share within 2 % of ±c before any training, after one clipping, clip 0.01",
                critic="clip 0.01",
            ).below(0.7, control=True, disputed=UNTRAINED),
            name="weights at the extremes",
            reported=(
                Measure.median("extreme", "share, clip 0.1", critic="clip 0.1"),
                Measure.median(
                    "clipped_start", "after one clipping of the untrained weights, clip 0.1", critic="clip 0.1"
                ),
                Measure.median("extreme", "share, clip 0.001", critic="clip 0.001"),
            ),
        ),
        reproduces(
            Measure.smallest("decades", _decades("clip 0.01"), critic="clip 0.01").at_least(6.0),
            Measure.smallest("decades", _decades("clip 0.001"), critic="clip 0.001").at_least(6.0),
            Measure.smallest("decades", _decades("clip 0.1"), critic="clip 0.1").at_least(1.0),
            Measure.largest("decades", _decades("GP"), critic="GP").at_most(1.0),
            name="gradients vanish or explode with depth",
        ),
    ),
    plot=plot,
    sizes={
        "smoke": _size("smoke", 1, "2 of 150 iterations, batch 16"),
        "quick": _size("quick", 3, "batch 64 instead of 256"),
        "full": _size("full", 5),
    },
    settings={"depth": DEPTH, "width": WIDTH, "near": NEAR},
)
