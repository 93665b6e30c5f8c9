"""S17: the norms of spectrally normalised layers after training, as matrices and as the maps that they are."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....report.palette import BLUE, GREEN, GREY, VERMILION
from ...engine.contract import Measure, Row, Scale, Setting, Size, Study, refutes, reproduces
from ...measures.lipschitz import layers, lost_layers
from ...measures.weights import finite
from ...plotting.style import label, legend, panels, seed_dots
from ...training.critic_runs import (
    IMAGE_STEPS,
    LATER_TOYS,
    SEEDS,
    SHEET_STEPS,
    SN,
    TOY_STEPS,
    Key,
    image_runs,
    sheet_runs,
    toy_runs,
)
from ...training.critics import Training, trained

LOW, HIGH = 0.9, 1.1


def run(setting: Setting) -> list[Row]:
    """Per seed, critic and layer: the norm of the weight as a matrix (`sigma`), and of the map (`operator`)."""
    runs = normalised(setting)
    rows: list[Row] = []
    for (name, seed), result in trained(runs, setting).items():
        real, _ = result.run.samples(result.module, 1)
        critic = result.module.double()
        found = layers(critic, tuple(real.shape[1:])) if finite(critic) else lost_layers(critic)
        rows += [{"seed": seed, "critic": name} | row for row in found]
    return rows


def normalised(setting: Setting) -> dict[Key, Training]:
    """(critic, seed) → the trainings under spectral normalisation: the sheets', the toys' and the images'."""
    steps, seeds = setting.options, setting.seeds
    runs: dict[Key, Training] = {}
    for (_, seed), found in sheet_runs({"SN": SN}, steps["sheet"], seeds).items():
        runs["sheets", seed] = found
    for (name, toy, seed), found in toy_runs(steps["toy"], steps["later_toys"], seeds).items():
        if found.objective == "sn-gan":
            runs[f"{toy}, {name}", seed] = found
    for (_, seed), found in image_runs(steps["image"], seeds).items():
        runs["images", seed] = found
    return runs


def plot(measurements: pd.DataFrame) -> Figure:
    """σ of each linear layer, and both norms of each convolution: a dot per critic and seed."""
    figure, axes = panels("S17  Norms of spectrally normalised layers after training", columns=2)
    measurements = measurements.reindex(columns=["critic", "kind", "layer", "sigma", "operator"])
    linear, images = (measurements[measurements["kind"] == kind] for kind in ("linear", "convolution"))
    head = linear["critic"] == "images"
    perceptrons = [(f"layer {layer + 1}", found["sigma"], BLUE) for layer, found in _by_layer(linear[~head])]
    _dots(axes[0], [*perceptrons, ("convolutional\ncritic's head", linear.loc[head, "sigma"], BLUE)])
    columns = (("sigma", "reshaped", GREEN), ("operator", "operator", VERMILION))
    both = [
        (f"layer {layer + 1},\n{text}", found[column], color)
        for layer, found in _by_layer(images)
        for column, text, color in columns
    ]
    _dots(axes[1], both)
    label(axes[0], "", "largest singular value", "linear layers: a dot per critic and seed")
    label(axes[1], "", "norm", "convolutions: a dot per seed")
    return figure


def _by_layer(measurements: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return [(int(layer), measurements[measurements["layer"] == layer]) for layer in sorted(set(measurements["layer"]))]


def _dots(axis: Axes, groups: list[tuple[str, pd.Series, str]]) -> None:
    names, values, colors = zip(*((n, v.dropna().tolist(), c) for n, v, c in groups if v.notna().any()), strict=True)
    axis.axhspan(LOW, HIGH, color=GREY, alpha=0.2, linewidth=0, label=f"criterion: {LOW:g} … {HIGH:g}")
    seed_dots(axis, names, values, colors)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.12 * (high - low))  # room for the legend above all dots
    legend(axis, loc="upper left")


def _size(scale: Scale, note: str = "") -> Size:
    steps = {"sheet": SHEET_STEPS[scale], "toy": TOY_STEPS[scale], "image": IMAGE_STEPS[scale]}
    return Size(SEEDS[scale], {**steps, "later_toys": LATER_TOYS[scale]}, note)


SIGMA = "σ of normalised linear layers"
STUDY = Study(
    id="S17",
    claim="Spectral normalisation makes every layer, and so the critic, 1-Lipschitz.",
    document="Report 3.6",
    experiment="The SN critics of S2 and S4 (3×128), and a convolutional one (2 strided 4×4 convolutions, 32 and 64 "
    "channels) on 28×28 images against images + N(0, 1), Adam 2e-4 (.5, .999), batch 64; norms of the weights as they "
    "are used after training, a convolution's by power iteration on the convolution itself.",
    run=run,
    parts=(
        reproduces(
            Measure.smallest("sigma", f"{SIGMA}, min over critics, layers and seeds", kind="linear").at_least(LOW),
            Measure.largest("sigma", f"{SIGMA}, max over critics, layers and seeds", kind="linear").at_most(HIGH),
            name="linear layers",
            cause="One power iteration a step lags behind weights that Adam moves at 1e-3: with the weights held, 200 "
            "more iterations brought every layer that was tried to 1.000 (no record is kept of that).",
        ),
        refutes(
            Measure.smallest(
                "operator",
                "operator norm of normalised convolutions, the largest layer of the least seed",
                within="max",
                kind="convolution",
            ).above(HIGH),
            name="convolutions",
            reading="What is normalised is the reshaped kernel; the convolution as a map has a larger norm. How "
            "steep the whole critic is, S16 measures (SN, S17).",
        ),
    ),
    plot=plot,
    sizes={
        "smoke": _size("smoke", "S2's and S4's critics at this scale; 5 of 2,000 steps on images"),
        "quick": _size("quick", "S2's and S4's critics at this scale; 200 of 2,000 steps on images"),
        "full": _size("full"),
    },
)
