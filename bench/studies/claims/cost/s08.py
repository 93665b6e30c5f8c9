"""S8: what a gradient penalty costs, against no constraint, clipping and spectral normalisation."""

from functools import partial

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from .....models.iteration import stream_seed
from .....models.networks import draw_latent
from .....models.recipe import Recipe
from .....objectives.base import Batch
from ...engine.contract import Measure, Row, Setting, Size, Study, reproduces
from ...plotting.style import panels
from ...training.fixed_generator import untrained
from .timing import GP, LEAST, MOST, MOST_SN, NONE, OBJECTIVES, SN, WARM_UP, cost, draw, prepare, race, ratios

MLP, DCGAN = "MLP 3×128", "DCGAN"
RECIPE = Recipe("adam", 2e-4, (0.5, 0.9))


def run(setting: Setting) -> list[Row]:
    """Per seed, networks and constraint: the median time of a critic step; the constraints take turns."""
    rows: list[Row] = []
    for seed in setting.seeds:
        for name, rounds in setting.options["rounds"].items():
            rows += [{"seed": seed, "networks": name} | row for row in time_steps(name, seed, rounds)]
    return rows


def time_steps(name: str, seed: int, rounds: int) -> list[Row]:
    """The constraints one after the other on the same batch, round by round, so that a slow moment meets them all."""
    batch, critic_of = game(name, seed)
    players = {constraint: prepare(critic_of(), make(), RECIPE) for constraint, make in OBJECTIVES.items()}
    return ratios(race({key: partial(one.step, batch) for key, one in players.items()}, rounds), rounds)


def game(name: str, seed: int):
    """A batch of an untrained generator and noise in place of data (only the time matters), and a maker of critics."""
    shape, architecture, size = ((2,), "mlp", 256) if name == MLP else ((1, 28, 28), "dcgan", 64)
    rng = torch.Generator().manual_seed(stream_seed(seed, "latent"))
    pair = untrained(architecture, shape, seed, {})
    with torch.no_grad():
        fake: Tensor = pair.generator(draw_latent(pair, size, rng))
    real = torch.rand(fake.shape, generator=rng).mul_(2).sub_(1)
    return Batch(real, fake, None, 0, rng), lambda: untrained(architecture, shape, seed, {}).critic


def plot(measurements: pd.DataFrame) -> Figure:
    """Time of a critic step over the one without a constraint."""
    figure, axes = panels("S8  Time of a critic step on one thread, without a constraint = 1", columns=2)
    for axis, name in zip(axes, (MLP, DCGAN), strict=True):
        draw(axis, measurements[measurements["networks"] == name], name, sn=name == DCGAN)
        axis.legend(fontsize=8)
    return figure


def _step(constraint: str, name: str) -> Measure:
    return cost(constraint, f"a critic step on {name}", networks=name)


def _seconds(name: str) -> Measure:
    return Measure.median("seconds", f"seconds without a constraint, {name}", networks=name, constraint=NONE)


STUDY = Study(
    id="S8",
    claim="The gradient penalty costs extra computing time; spectral normalisation hardly any.",
    document="Report 3.6",
    experiment="Time of a critic step on one CPU thread, all else equal (WGAN's loss, Adam, the same batch), the "
    "constraints taking turns: 3×128 MLP on 2-D points, batch 256; DCGAN on 28×28, batch 64.",
    run=run,
    parts=(
        reproduces(
            _step(GP, MLP).at_least(LEAST),
            _step(GP, MLP).at_most(MOST),
            _step(GP, DCGAN).at_least(LEAST),
            _step(GP, DCGAN).at_most(MOST),
            name="GP costs extra",
            reported=(_seconds(MLP), _seconds(DCGAN)),
        ),
        reproduces(
            _step(SN, DCGAN).at_most(MOST_SN),
            name="SN on convolutions is cheap",
            reported=(Measure.median("ratio", f"the same on {MLP}", networks=MLP, constraint=SN),),
            caveat="On the small perceptron it is not: a power iteration costs about the same whatever the batch.",
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(seeds=1, options={"rounds": {MLP: 5, DCGAN: 1}}, note="5 and 1 rounds"),
        "quick": Size(seeds=3, options={"rounds": {MLP: 200, DCGAN: 15}}),
        "full": Size(seeds=5, options={"rounds": {MLP: 1000, DCGAN: 50}}),
    },
    settings={"warm_up": WARM_UP, "lr": RECIPE.lr},
)
