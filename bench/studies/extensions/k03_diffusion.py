"""K3: a diffusion model as the baseline: every mode, and steadier than the games, on the same data at equal updates."""

import time

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....models.iteration import stream_seed
from ...config.recipes import STABILITY
from ...data.catalog import load
from ...metrics.points import PointMetrics
from ...metrics.settings import Evaluation
from ...records.summary import summarise, tail_start
from ...report.palette import BROWN, GREY, TEAL
from ...run.evaluation import evaluation_steps
from ..engine.contract import Measure, Row, Setting, Size, Study, median_of, reproduces
from ..engine.parallel import each
from ..measures.quotients import relative
from ..plotting.style import label, legend, logarithmic, panels, seed_dots, threshold
from ..training.generators import runs_of, value_or_worst
from ..training.toy_games import (
    CLIP,
    CLIP_TIGHT,
    COLORS,
    CORE,
    GP,
    GRID,
    MINIMAX,
    NS,
    SMOKE_STEPS,
    SN,
    STEPS,
    ending_rows,
    game,
)
from .diffusion import TIMES, Diffusion

DDPM, LONGER = "DDPM", "DDPM × 10"
UPDATES = {DDPM: 1, LONGER: 10}  # times the games': ten cost less than a game with five critic steps does
MODELS = {DDPM: BROWN, LONGER: TEAL}
STILL = "the data"  # fresh samples of them in a generator's place: what an evaluation scatters by itself
MODES = 25
COUNT = Evaluation().count  # evaluations of a run, as of the games'
ENDS = {"tail": "tail_mean", "final": "final"}
SHOWN = 512  # points of the first seed, for the picture
COMMON = STABILITY["non-saturating"].recipe
BETAS = (0.9, 0.999)  # Adam's own: the games' momentum of 0 is for games
BESIDES = {"high_quality_tail": "high quality", "w1_tail": "W1, data units", "seconds": "seconds of training"}
CAUSE = (
    "3,000 noise predictions are too few for modes of sd .018: W1 is still .29. They cost less than a tenth of what a "
    "game with five critic steps takes; see the model with ten times as many, added after the first look, which "
    "decides nothing."
)
DISPUTED = (
    "The data themselves do not pass: fresh samples of them in a generator's place scatter more than the steadiest "
    "game (see “the data”, added after the first look). Their W1 is sampling noise alone; that of a game which misses "
    "modes is mostly what it misses, and steady."
)
QUICK = (MINIMAX, NS, CLIP, CLIP_TIGHT, GP, SN)


def run(setting: Setting) -> list[Row]:
    """How every run ended, the diffusion model's courses, and points that it drew at the first seed."""
    steps, games = setting.options["steps"], setting.options[GRID]
    rows = ending_rows(runs_of([game(name) for name in games], setting, steps))
    cells = [
        (name, seed, UPDATES[name] * steps, setting.options["course"], seed == setting.seeds[0])
        for name in setting.options["models"]
        for seed in setting.seeds
    ]
    rows += [row for seed in setting.seeds for row in still(seed, steps)]
    return rows + [row for own in each(train, cells, setting.resources.jobs) for row in own]


def still(seed: int, steps: int) -> list[Row]:
    """The end of a run whose generator is the data's own law at every evaluation."""
    data, evaluation = load(GRID), _stream(seed, "evaluation")
    metrics = PointMetrics(data, evaluation)
    history = [
        _spent(step, 0.0) | metrics(data.sample(metrics.n_fake, evaluation))
        for step in sorted(_marks(steps, course=False))
    ]
    return [{"seed": seed, "objective": STILL, "dataset": GRID} | _ending(history, steps)]


def train(name: str, seed: int, steps: int, course: bool, shown: bool) -> list[Row]:
    """One diffusion model: `steps` updates in the common setting; rows of its evaluations, its end, and its points.

    Evaluated as the games are, on fresh samples; without `course` in the last fifth only, which is what is judged.
    """
    data, noise, evaluation = load(GRID), _stream(seed, "noise"), _stream(seed, "evaluation")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "networks"))
        model = Diffusion(*data.shape)
    optimizer = torch.optim.Adam(model.parameters(), lr=COMMON.lr, betas=BETAS, fused=True)
    metrics, marks = PointMetrics(data, evaluation), _marks(steps, course)
    batches, history, seconds = _stream(seed, "data"), [], 0.0
    for step in range(1, steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        model.loss(data.sample(COMMON.batch, batches), noise).backward()
        optimizer.step()
        seconds += time.perf_counter() - start
        if step in marks:
            history.append(_spent(step, seconds) | metrics(model.sample(metrics.n_fake, evaluation)))
    drawn = model.sample(SHOWN, evaluation).tolist() if shown else []
    rows = [*history, _ending(history, steps), *({"x": x, "y": y} for x, y in drawn)]
    return [{"seed": seed, "objective": name, "dataset": GRID} | row for row in rows]


def _stream(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(seed, name))


def _spent(step: int, seconds: float) -> Row:
    return {"step": step, "critic_steps": 0, "images": step * COMMON.batch, "seconds": round(seconds, 1)}


def _marks(steps: int, course: bool) -> set[int]:
    """The games' evaluations, but for the one before the first update."""
    return {step for step in evaluation_steps(steps, COUNT) if step > (0 if course else tail_start(steps))}


def _ending(history: list[Row], steps: int) -> Row:
    """As a game's."""
    row: Row = {"status": "completed", "updates": steps, "seconds": history[-1]["seconds"]}
    for name, found in summarise(pd.DataFrame(history), steps).items():
        row |= {f"{name}_{end}": value_or_worst(name, found[key]) for end, key in ENDS.items()}
        row[f"{name}_tail_sd"] = value_or_worst(f"{name}_tail_sd", found["tail_sd"])
    return row


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """How runs ended, and W1's sd over the smallest median of a game's (`unsteadiness`), an infinite one included."""
    ends = measurements[measurements["status"].notna()]
    return ends.assign(unsteadiness=relative(ends["w1_tail_sd"], _steadiest(ends)))


def _steadiest(ends: pd.DataFrame) -> float:
    games = ends[~ends["objective"].isin([*MODELS, STILL])]
    return float(games.groupby("objective")["w1_tail_sd"].median().min())


def plot(measurements: pd.DataFrame) -> Figure:
    """What the diffusion model draws; modes and the steadiness of every run."""
    figure, axes = panels("K3  A diffusion model beside the games, on the grid", columns=3, width=4.6, height=4.0)
    _draw_points(axes[0], measurements)
    ends, colors = derive(measurements), COLORS | MODELS | {STILL: GREY}
    for axis, column in zip(axes[1:], ("modes_tail", "w1_tail_sd"), strict=True):
        found = ends.set_index("objective")[column].dropna()
        names = [name for name in colors if name in found.index]
        groups = [found.loc[[name]].to_list() for name in names]
        seed_dots(axis, names, groups, [colors[name] for name in names])
        axis.tick_params(axis="x", rotation=90)
    threshold(axes[1], MODES, f"all {MODES}")
    logarithmic(axes[2], y=ends["w1_tail_sd"])
    threshold(axes[2], _steadiest(ends), "steadiest game's median")
    label(axes[1], "", "modes covered, last fifth of the run", "every seed, bar at the median")
    label(axes[2], "", "sd of W1 in the last fifth, data units", "lower is steadier")
    for axis in axes[1:]:
        legend(axis)
    return figure


def _draw_points(axis: Axes, measurements: pd.DataFrame) -> None:
    centres = load(GRID).mixture
    assert centres is not None
    axis.scatter(*centres.centres.T.numpy(), s=60, facecolors="none", edgecolors=GREY, label="a mode's centre")
    drawn = measurements[measurements["x"].notna()]
    for name, color in MODELS.items():
        own = drawn[drawn["objective"] == name]
        axis.scatter(own["x"], own["y"], s=3, color=color, label=f"{len(own)} points of {name}" if len(own) else None)
    axis.set(aspect="equal", ylim=(-2.2, 3.2))  # the legend lies above the points
    label(axis, "x, data units", "y, data units", "first seed, at the end")
    legend(axis, loc="upper right")


STUDY = Study(
    id="K3",
    claim="A diffusion model covers every mode and trains more steadily than a GAN.",
    document="named, not asserted",
    experiment=f"The grid: a DDPM (Ho et al. 2020; {TIMES} times, the same 3×128 ReLU perceptron with 32 features of "
    "the time, Adam 5e-4 (.9, .999), batch 256, no moving average) beside the games of the common setting, at equal "
    "updates, measured alike: modes over the last fifth, and the standard deviation of W1 there. Beside it one with "
    "ten times the updates, which cost less than a game with five critic steps, and fresh samples of the data.",
    run=run,
    derive=derive,
    parts=(
        reproduces(
            Measure.median("modes_tail", f"modes covered of {MODES}, DDPM", objective=DDPM).at_least(MODES),
            name="every mode",
            reported=(
                *(median_of("modes_tail", name, "modes") for name in (LONGER, *CORE)),
                *(median_of(column, name, text) for column, text in BESIDES.items() for name in (*MODELS, GP)),
            ),
            cause=CAUSE,
        ),
        reproduces(
            Measure.median(
                "unsteadiness", "sd of W1 in the last fifth, DDPM over the steadiest game's median", objective=DDPM
            ).below(1.0, disputed=DISPUTED),
            name="steadier",
            reported=tuple(median_of("unsteadiness", name, "the same") for name in (STILL, LONGER, *CORE)),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"steps": SMOKE_STEPS, GRID: (MINIMAX, SN), "models": (DDPM,), "course": False},
            note=f"{SMOKE_STEPS} of 3,000 updates, two games",
        ),
        "quick": Size(
            seeds=3,
            options={"steps": STEPS, GRID: QUICK, "models": (DDPM,), "course": False},
            note="six games, GP at λ = .1 only; the diffusion model with the games' updates alone, and measured in the "
            "last fifth only",
        ),
        "full": Size(seeds=5, options={"steps": STEPS, GRID: CORE, "models": tuple(MODELS), "course": True}),
    },
    settings={"times": TIMES, "lr": COMMON.lr, "betas": BETAS, "batch": COMMON.batch},
)
