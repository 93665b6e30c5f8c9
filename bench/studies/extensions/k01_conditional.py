"""K1: conditional GANs on the labelled ring of five Gaussians: whether points lie where the class asked for is."""

from collections.abc import Iterable

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ....models.networks import draw_latent
from ...data.catalog import load
from ...metrics.settings import Evaluation
from ...report.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from ...run.sampling import load_networks
from ..engine.contract import Measure, Part, Row, Setting, Size, Study
from ..plotting.style import label, legend, panels, seed_dots, threshold
from ..training.generators import CellRun, runs_of
from ..training.toy_games import CLIP, GP, GP_STRONG, NS, SMOKE_STEPS, SN, STEPS, game

LABELLED, RANDOM = "ring5", "ring5-random-labels"
CLASSES, SAMPLES, SHOWN = 5, 10_000, 400
ENOUGH, CHANCE, MOST_BY_CHANCE = 0.95, 1 / CLASSES, 0.3
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)  # of the classes
REACH = 1.3  # the pictures show [−REACH, REACH]²
# What is measured on each: of the control no mode is held out.
METRICS = {LABELLED: ("w1", "modes", "high_quality"), RANDOM: ("w1",)}

QUICK_STEPS = 150  # what a minute of a core allows
# Conditions: the criteria's, and all.
DECIDING = ((GP, LABELLED), (CLIP, LABELLED), (GP, RANDOM), (CLIP, RANDOM))
ALL = (*((name, LABELLED) for name in (GP, GP_STRONG, CLIP, SN, NS)), *DECIDING[2:])


def run(setting: Setting) -> list[Row]:
    """How every run ended, its class accuracy, and the first seed's points with the classes asked for; the centres."""
    networks = {"name": "mlp", "classes": CLASSES}
    cells = [game(name, data, architecture=networks) for name, data in setting.options["games"]]
    evaluation = Evaluation(count=setting.options["evaluations"], points=setting.options["points"])
    centres = ring_centres()
    rows: list[Row] = [{"centre": k, "x": x, "y": y} for k, (x, y) in enumerate(centres.tolist())]
    for one in runs_of(cells, setting, setting.options["steps"], evaluation):
        points, asked = conditional_samples(one)
        rows.append(one.ending(*METRICS[one.cell.dataset]) | {"class_accuracy": class_accuracy(points, asked, centres)})
        if one.seed == setting.seeds[0]:
            rows += _shown(one, points, asked)
    return rows


def ring_centres() -> Tensor:
    """The centre of each class [5, 2]."""
    mixture = load("ring5").mixture
    assert mixture is not None
    return mixture.centres


def conditional_samples(run: CellRun) -> tuple[Tensor, Tensor]:
    """Fresh points [SAMPLES, 2] of the run's trained generator, and the classes asked for [SAMPLES], in turn."""
    networks = load_networks(run.record.folder)
    asked = torch.arange(SAMPLES) % CLASSES
    latent = draw_latent(networks, SAMPLES, torch.Generator().manual_seed(0), labels=asked)
    with torch.no_grad():
        return networks.generator.eval()(latent), asked


def class_accuracy(points: Tensor, asked: Tensor, centres: Tensor) -> float:
    """Share of points [n, 2] whose nearest of the centres [K, 2] is that of the class asked for [n]; NaN is nowhere."""
    nearest = torch.cdist(points.double(), centres.double()).argmin(dim=1)
    return ((nearest == asked) & points.isfinite().all(dim=1)).double().mean().item()


def _shown(run: CellRun, points: Tensor, asked: Tensor) -> Iterable[Row]:
    drawn = zip(points[:SHOWN].tolist(), asked[:SHOWN].tolist(), strict=True)
    # Four digits are enough for a picture and keep the record small; what is not finite cannot be drawn.
    return [
        run.about | {"asked": k, "x": round(x, 4), "y": round(y, 4)} for (x, y), k in drawn if abs(x) + abs(y) < 1e6
    ]


def plot(measurements: pd.DataFrame) -> Figure:
    """The first seed's points by the class asked for, a panel a condition, and every seed's class accuracy."""
    ends = measurements[measurements["class_accuracy"].notna()]
    conditions = list(ends[["objective", "dataset"]].drop_duplicates().itertuples(index=False, name=None))
    columns = -(-(len(conditions) + 1) // 2)
    figure, axes = panels(
        "K1  Points by the class asked for (colour); crosses: the centre of each class", columns, 3.0, 2.8, rows=2
    )
    for axis, (name, data) in zip(axes, conditions, strict=False):
        of_it = measurements[(measurements["objective"] == name) & (measurements["dataset"] == data)]
        _draw_points(axis, of_it[of_it["asked"].notna()], measurements[measurements["centre"].notna()])
        axis.set_title(_title(name, data), fontsize=9.5)
    _draw_accuracy(axes[len(conditions)], ends, conditions)
    for axis in axes[len(conditions) + 1 :]:
        axis.set_axis_off()
    return figure


def _title(name: str, data: str) -> str:
    return f"{name}, random labels" if data == RANDOM else name


def _draw_points(axis: Axes, points: pd.DataFrame, centres: pd.DataFrame) -> None:
    for k, color in enumerate(COLORS):
        own, centre = points[points["asked"] == k], centres[centres["centre"] == k]
        axis.scatter(own["x"], own["y"], s=5, color=color, alpha=0.6, linewidths=0)
        axis.scatter(centre["x"], centre["y"], s=70, marker="X", color=color, edgecolors=BLACK, linewidths=1, zorder=3)
    axis.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color=GREY, linewidth=0.6)


def _draw_accuracy(axis: Axes, ends: pd.DataFrame, conditions: list[tuple[str, str]]) -> None:
    names = [_title(name, data).replace(", random labels", ",\nrandom") for name, data in conditions]
    found = ends.groupby(["objective", "dataset"])["class_accuracy"]
    seed_dots(axis, names, [found.get_group(condition).to_list() for condition in conditions], [BLUE] * len(names))
    axis.tick_params(axis="x", rotation=90, labelsize=7.5)
    for bound in (ENOUGH, MOST_BY_CHANCE):
        threshold(axis, bound, "" if bound == ENOUGH else "the criteria's bounds")
    axis.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1, label="chance")
    axis.set_ylim(0, 1.03)
    label(axis, "", "class accuracy", "every seed, bar at the median")
    legend(axis, loc="center")


def _accuracy(name: str, data: str = LABELLED) -> Measure:
    text = f"class accuracy of {_title(name, data)}"
    return Measure.median("class_accuracy", text, objective=name, dataset=data)


def _quality(name: str) -> Iterable[Measure]:
    for measurement, text in (("w1_tail", "W1"), ("modes_tail", "modes")):
        yield Measure.median(measurement, f"{text}, {name}", objective=name, dataset=LABELLED)


def _part(title: str, name: str, *besides: Measure) -> Part:
    """The class asked for is the one that comes; where the labels say nothing of the points, it comes by chance."""
    control = _accuracy(name, RANDOM).at_most(MOST_BY_CHANCE, control=True)
    criteria = (_accuracy(name).at_least(ENOUGH), control)
    return Part(name=title, criteria=criteria, reported=(*_quality(name), *besides))


def _others() -> Iterable[Measure]:
    for name in (GP_STRONG, SN, NS):
        yield _accuracy(name)
        yield from _quality(name)


STUDY = Study(
    id="K1",
    claim="A conditional WGAN makes samples of the class that it is asked for.",
    document="named, not asserted",
    experiment="Points of the ring of five Gaussians and their classes; the generator has the class beside its "
    "latents, the critic projects onto it (Miyato and Koyama 2018); 3×128 ReLU MLPs in the common setting. Of 10,000 "
    "fresh points, classes even: the share whose nearest centre is that of the class. Control: the labels of the real "
    "points are independent of them.",
    run=run,
    parts=(
        _part("WGAN-GP, λ = .1", GP, *_others()),
        _part("clipping, c = .1", CLIP),
    ),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"steps": SMOKE_STEPS, "evaluations": 2, "points": 100, "games": DECIDING},
            note=f"{SMOKE_STEPS} of {STEPS:,} updates, without λ = 10, SN and NS",
        ),
        "quick": Size(
            seeds=3,
            options={"steps": QUICK_STEPS, "evaluations": 5, "points": 300, "games": DECIDING},
            note=f"{QUICK_STEPS} of {STEPS:,} updates, W1 on 300 points; without λ = 10, SN and NS",
        ),
        "full": Size(
            seeds=5,
            options={"steps": STEPS, "evaluations": 10, "points": 1000, "games": ALL},
        ),
    },
    settings={"classes": CLASSES, "samples": SAMPLES},
)
