"""G2: weights and singular values of clipped, penalised and normalised critics of images; S3, S16 and S17 on images."""

import math

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...engine.contract import Measure, Row, Setting, Study, refutes, reproduces
from ...measures.lipschitz import clipping_bound, layers, steepest
from ...measures.weights import finite, histogram, share_of_extremes, spectra, weights
from ...plotting.style import label, panels
from ...training.generators import CellRun
from ...training.image_games import CLIP, COLORS, GP, ON_IMAGES, SN, device_of, game, image_runs, resolved, sizes
from ...training.saved_critics import kept_samples, objective_of, trained_critic, untrained_networks

CRITICS = (CLIP, GP, SN)
EXTREME, CENTRED, LOW, HIGH = 0.7, 0.01, 0.9, 1.1
FINEST = 1e-8  # of the largest singular value, in the picture


def run(setting: Setting) -> list[Row]:
    """Per run: the share of extreme weights, the norms of each layer, the steepest slope; of the first seed's runs the
    histogram and the spectra too.
    """
    device = device_of(setting)
    rows: list[Row] = []
    for one in image_runs([game(name, setting.options) for name in CRITICS], setting):
        common: Row = {"seed": one.seed, "critic": one.cell.labels["objective"]}
        rows += [common | row for row in measure(one, device, pictures=one.seed == setting.seeds[0])]
    return rows


def measure(one: CellRun, device: str, pictures: bool) -> list[Row]:
    """The rows of one run, in double precision."""
    real, fake = (x.double().to(device) for x in kept_samples(one.record))
    shape = tuple(real.shape[1:])
    critic = trained_critic(one.record, shape)
    before, after = weights(untrained_networks(one.record, shape).critic), weights(critic)
    clip = getattr(objective_of(one.record), "clip", None)
    shares = share_of_extremes(after, before, clip)
    if not finite(critic):
        return [shares | lost(clip)]
    rows = [*histogram(after), *spectra(critic), shares] if pictures else [shares]
    critic = critic.double().to(device)
    norms = layers(critic, shape)
    slope, bound = steepest(critic, real, fake), math.prod(row["operator"] for row in norms)
    rows.append({"slope": slope, "product": bound, "tightness": slope / bound})
    if clip is not None:
        rows[-1]["bound_share"] = slope / clipping_bound(critic, clip)
    return rows + norms


def lost(clip: float | None) -> Row:
    """What a critic counts as whose weights are no numbers any more: the worst by the criteria on slopes and norms."""
    row: Row = {"tightness": math.inf, "sigma": math.inf}
    return row if clip is None else row | {"bound_share": math.inf}


def plot(measurements: pd.DataFrame) -> Figure:
    """Above, the weights of each critic; below, the singular values of its layers (the first seed's)."""
    figure, axes = panels("G2  Weights and singular values of three critics of images", len(CRITICS), 3.8, 2.9, rows=2)
    bars, values = (measurements[measurements[column].notna()] for column in ("left", "value"))
    for above, below, name in zip(axes, axes[len(CRITICS) :], CRITICS, strict=False):
        shown = bars[bars["critic"] == name]
        above.bar(shown["left"], shown["share"], width=shown["width"], align="edge", color=COLORS[name])
        above.ticklabel_format(axis="x", scilimits=(-2, 3))
        above.set_yscale("log")  # the few large weights of an unclipped critic would not be seen otherwise
        label(above, "weight", "share of weights" if name == CRITICS[0] else "", name)
        _draw_spectra(below, values[values["critic"] == name])
        label(below, "place in the spectrum", "singular value" if name == CRITICS[0] else "")
        # Weights are float32: what lies far below the largest value is rounding.
        top = values["value"].max()
        below.set_ylim(max(values["value"].min(), FINEST * top) / 1.5, top * 1.5)
    axes[-1].legend(fontsize=6.5, title="layer", title_fontsize=6.5, loc="upper left", bbox_to_anchor=(1.0, 1.05))
    return figure


def _draw_spectra(axis: Axes, values: pd.DataFrame) -> None:
    number = values["layer"].nunique()
    for place, (layer, own) in enumerate(values.groupby("layer")):
        color = colormaps["viridis"](place / max(1, number - 1))
        alone = len(own) == 1  # a layer with one output has one singular value
        axis.plot(
            own["place"], own["value"], color=color, linewidth=1.2, marker="o" if alone else "", label=f"{layer:g}"
        )
    axis.set_yscale("log")


def _reported(measurement: str, text: str, **where: str) -> Measure:
    return Measure.median(measurement, text, within="max", **where)


SIGMA = "σ of a layer as a matrix, SN, all layers and seeds"
STUDY = Study(
    id="G2",
    claim="Clipping pushes the weights of critics of images to the extremes, a gradient penalty does not; clipped "
    "critics are k-Lipschitz with k given by c and the architecture; SN makes every layer 1-Lipschitz.",
    document="Notes; Report 3.3.1, 3.6",
    experiment=f"The critics of G3 under clipping (.01), GP and SN ({ON_IMAGES}), with the bounds of S3, S16 and S17: "
    "share of weights within 2 % of ±c, or of their own maximum; the largest slope at 64 real and 64 generated images, "
    "halfway and between all pairs, over ∏‖W‖₂ and over c's bound (c·√(inputs·outputs), for a convolution once a place "
    "of its kernel); norms of SN's layers as matrices, a convolution's also by power iteration on the map itself.",
    run=run,
    resolve=resolved,
    parts=(
        reproduces(
            Measure.smallest("extreme", "share of weights within 2 % of ±c, clip, worst seed", critic=CLIP).at_least(
                EXTREME
            ),
            Measure.largest("extreme", "share within 2 % of their maximum, GP, worst seed", critic=GP).at_most(CENTRED),
            Measure.largest(
                "clipped_start", "share within 2 % of ±c before any training, after one clipping", critic=CLIP
            ).below(EXTREME, control=True),
            name="weights at the extremes",
            reported=(_reported("extreme", "share within 2 % of their maximum, SN", critic=SN),),
        ),
        reproduces(
            Measure.largest("tightness", "measured slope over ∏‖W‖₂, max over all critics").at_most(1 + 1e-6),
            Measure.largest("bound_share", "measured slope over c's bound, clip, worst seed").at_most(1 + 1e-6),
            name="c and the architecture bound the slope",
            reported=tuple(_reported("slope", f"slope, {name}", critic=name) for name in CRITICS),
        ),
        reproduces(
            Measure.smallest("sigma", f"smallest {SIGMA}", critic=SN).at_least(LOW),
            Measure.largest("sigma", f"largest {SIGMA}", critic=SN).at_most(HIGH),
            name="SN: layers as matrices, kernels reshaped",
        ),
        refutes(
            Measure.smallest(
                "operator",
                "operator norm of normalised convolutions, the largest layer of the least seed",
                within="max",
                critic=SN,
                kind="convolution",
            ).above(HIGH),
            name="SN: convolutions as maps",
            reading="What is normalised is the reshaped kernel; the convolution as a map has a larger norm.",
        ),
    ),
    plot=plot,
    sizes=sizes(),
    settings={"extreme": EXTREME, "centred": CENTRED, "low": LOW, "high": HIGH},
)
