"""S16: how steep critics are, against what the product of their layers' norms allows."""

import math

import pandas as pd
from matplotlib.figure import Figure

from ....report.palette import BLUE, GREEN, PURPLE, SKY, VERMILION
from ...engine.contract import Measure, Row, Setting, Size, Study, reproduces
from ...measures.lipschitz import clipping_bound, layer_norms, product, steepest
from ...measures.weights import finite
from ...plotting.style import label, legend, panels, seed_dots, threshold
from ...training.critic_runs import CLIP, CLIP_TIGHT, all_runs
from ...training.critics import Trained, trained

POINTS = 500
SHALLOW = ("S2", "S4", "S9", "S12", "S17")
KINDS = {
    "wgan-clip": ("clipping", PURPLE),
    "wgan-gp": ("GP", BLUE),
    "sn-gan": ("SN", GREEN),
    "minimax": ("none", VERMILION),
    "instance-noise": ("noise", SKY),
}


def run(setting: Setting) -> list[Row]:
    """Per trained critic of all these studies: its largest measured slope, the product of norms, and c's bound."""
    return [
        {"study": key[0], "cell": " ".join(map(str, key[1:-1])), "seed": key[-1]} | measure(result)
        for key, result in trained(all_runs(setting.scale, setting.seeds), setting).items()
    ]


def measure(result: Trained) -> Row:
    """Of one critic; `tightness` is the measured slope over the product, `bound_share` over c's bound.

    All are infinite where its weights are no numbers any more: what has no slope has no bound on it.
    """
    clip = getattr(result.run.make_objective(), "clip", None)
    row: Row = {"kind": KINDS[result.run.objective][0]} | ({} if clip is None else {"clip": clip})
    if not finite(result.module):
        lost = ("slope", "product", "tightness") if clip is None else ("slope", "product", "tightness", "bound_share")
        return row | dict.fromkeys(lost, math.inf)
    real, fake = result.run.samples(result.module, POINTS)
    critic = result.run.critic(result.module).double()
    slope = steepest(critic, real, fake)
    bound = product(layer_norms(critic, tuple(real.shape[1:])))
    row |= {"slope": slope, "product": bound, "tightness": slope / bound}
    return row if clip is None else row | {"bound_share": slope / clipping_bound(critic, clip)}


def plot(measurements: pd.DataFrame) -> Figure:
    """Measured slope over the product of norms, by what constrains the critic: a dot a critic."""
    title = "S16  Largest measured slope over ∏‖W‖₂: a dot a critic, a bar at the median"
    figure, (axis,) = panels(title, width=6.8, height=4.4)
    deep = measurements["study"] == "S3"
    groups = {
        (name + suffix, color): measurements.loc[(measurements["kind"] == name) & chosen, "tightness"].to_list()
        for name, color in KINDS.values()
        for suffix, chosen in (("", ~deep), (",\n12 layers", deep))
    }
    found = {key: values for key, values in groups.items() if values}
    names, colors = zip(*found, strict=True)
    seed_dots(axis, names, list(found.values()), colors)
    threshold(axis, 1.0, "slope = ∏‖W‖₂: no dot may lie above")
    axis.set_yscale("log")
    legend(axis, loc="lower right")
    label(axis, "what constrains the critic", "largest measured slope / ∏‖W‖₂")
    return figure


def _slope(cell: str, study: str) -> Measure:
    return Measure.median("slope", f"slope, {cell} ({study})", within="median", study=study, cell=cell)


def _tightness(kind: str) -> Measure:
    text = f"slope/product, median, {kind} (without S3's 12 layers)"
    return Measure.median("tightness", text, within="median", kind=kind, study=SHALLOW)


NOTE = "the critics of S2, S3, S4, S9, S12 and S17 as they are at this scale"
STUDY = Study(
    id="S16",
    claim="Clipped critics are k-Lipschitz, with k given by c and the architecture.",
    document="Report 3.3.1",
    experiment="Every critic that S2, S4, S9, S12 and S17 train against a fixed generator, and S3's: the largest "
    "gradient at 500 real, 500 generated and the points halfway, and the largest difference quotient over all pairs, "
    "against ∏‖W‖₂ (convolutions: power iteration on the convolution) and against ∏ c·√(inputs·outputs).",
    run=run,
    parts=(
        reproduces(
            Measure.largest("tightness", "measured slope over ∏‖W‖₂, max over all critics").at_most(1 + 1e-6),
            Measure.largest(
                "bound_share", "measured slope over ∏ c·√(inputs·outputs), max over all clipped critics"
            ).at_most(1 + 1e-6),
            reported=(
                *(_tightness(kind) for kind, _ in KINDS.values()),
                *(_slope(f"{name} 8gaussians", "S4") for name in (CLIP, CLIP_TIGHT, "GP", "SN")),
                *(_slope(name, "S2") for name in (CLIP, CLIP_TIGHT, "GP", "SN")),
                _slope("SN", "S17"),
            ),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, note=NOTE),
        "quick": Size(seeds=3, note=NOTE),
        "full": Size(seeds=5),
    },
    settings={"points": POINTS},
)
