"""G7: what an iteration on images costs under each constraint; S8 on images, with the generator's step."""

from dataclasses import dataclass

import pandas as pd
import torch
from matplotlib.figure import Figure

from .....models.iteration import make_optimizer, stream_seed
from .....models.networks import Networks, draw_latent
from .....models.recipe import Recipe
from .....objectives.base import Batch, Objective
from .....objectives.game import generator_step
from ....run.hardware import device_name
from ...engine.contract import Measure, Row, Setting, Size, Study, reproduces
from ...plotting.style import panels
from ...training.fixed_generator import untrained
from ...training.image_games import LARGE, NEEDS_A_GPU, ON_IMAGES, SMALL, data_of, device_of, named, resolved
from .timing import GP, LEAST, MOST, MOST_SN, NONE, OBJECTIVES, SN, WARM_UP, Player, cost, draw, prepare, race, ratios

RECIPE = Recipe("adam", 2e-4, (0.5, 0.9), n_critic=5, batch=64)
ITERATION, CRITIC_STEP = "iteration", "critic step"


@dataclass
class NoiseGame:
    """A generator and a critic that play against each other on one batch of noise in place of data."""

    networks: Networks
    player: Player
    optimizer: torch.optim.Optimizer
    real: torch.Tensor
    rng: torch.Generator

    def batch(self) -> Batch:
        """Fresh fakes beside the same reals."""
        with torch.no_grad():
            fake = self.networks.generator(draw_latent(self.networks, RECIPE.batch, self.rng))
        return Batch(self.real, fake, None, 0, self.rng)

    def critic_step(self) -> None:
        """One step of the critic with fresh fakes, as in training."""
        self.player.step(self.batch())

    def iteration(self) -> None:
        """`n_critic` steps of the critic and one of the generator."""
        for _ in range(RECIPE.n_critic):
            self.critic_step()
        latent = draw_latent(self.networks, RECIPE.batch, self.rng)
        player = self.player
        generator_step(player.objective, self.networks.generator, player.critic, latent, self.batch(), self.optimizer)


def run(setting: Setting) -> list[Row]:
    """Per seed, constraint, and what was timed: the median time; the constraints take turns."""
    device, rounds, shape = device_of(setting), setting.options["rounds"], data_of(setting).shape
    networks, settings = named(setting.options["architecture"])
    rows: list[Row] = []
    for seed in setting.seeds:
        pairs = {
            name: pair(untrained(networks, shape, seed, dict(settings)), make(), device, seed)
            for name, make in OBJECTIVES.items()
        }
        for timed in (ITERATION, CRITIC_STEP):
            steps = {name: one.iteration if timed == ITERATION else one.critic_step for name, one in pairs.items()}
            common: Row = {"seed": seed, "timed": timed, "device": device_name(device)}
            rows += [common | row for row in ratios(race(steps, rounds, device), rounds)]
    return rows


def pair(made: Networks, objective: Objective, device: str, seed: int) -> NoiseGame:
    """The networks on the device, the critic as the objective wants it, with optimisers."""
    made.generator.to(device)
    player = prepare(made.critic.to(device), objective, RECIPE)
    rng = torch.Generator(device).manual_seed(stream_seed(seed, "latent"))
    with torch.no_grad():
        like = made.generator(draw_latent(made, RECIPE.batch, rng))
    real = torch.rand(like.shape, generator=rng, device=device).mul_(2).sub_(1)
    return NoiseGame(made, player, make_optimizer(RECIPE, made.generator.parameters(), RECIPE.lr), real, rng)


def plot(measurements: pd.DataFrame) -> Figure:
    """Times over those without a constraint."""
    title = f"G7  What a constraint costs on {measurements['device'].iloc[0]}, without = 1"
    figure, axes = panels(title, columns=2)
    for axis, timed in zip(axes, (ITERATION, CRITIC_STEP), strict=True):
        draw(axis, measurements[measurements["timed"] == timed], timed, sn=timed == ITERATION)
    axes[0].legend(fontsize=8)
    return figure


WHAT = f"an iteration ({RECIPE.n_critic} critic steps, 1 of the generator)"
OF_GP = cost(GP, WHAT, timed=ITERATION)
STUDY = Study(
    id="G7",
    claim="On images the gradient penalty costs extra computing time; spectral normalisation hardly any.",
    document="Report 3.6",
    experiment=f"Time of {WHAT}, all else equal (WGAN's loss, Adam), the constraints taking turns: {ON_IMAGES}, noise "
    "in place of data. The bounds are S8's for a critic step.",
    run=run,
    resolve=resolved,
    parts=(
        reproduces(
            OF_GP.at_least(LEAST),
            OF_GP.at_most(MOST),
            name="GP costs extra",
            reported=(
                Measure.median(
                    "seconds", "seconds of an iteration without a constraint", timed=ITERATION, constraint=NONE
                ),
                Measure.median("ratio", "a critic step alone, GP over none", timed=CRITIC_STEP, constraint=GP),
            ),
        ),
        reproduces(
            cost(SN, WHAT, timed=ITERATION).at_most(MOST_SN),
            name="SN is cheap",
            reported=(Measure.median("ratio", "a critic step alone, SN over none", timed=CRITIC_STEP, constraint=SN),),
        ),
    ),
    plot=plot,
    sizes={
        "smoke": Size(
            seeds=1,
            options={"dataset": SMALL["dataset"], "architecture": SMALL["architecture"], "rounds": 2},
            note="2 of 200 rounds, a small DCGAN on 28×28",
        ),
        "quick": NEEDS_A_GPU,
        "full": Size(
            seeds=3, options={"dataset": LARGE["dataset"], "architecture": LARGE["architecture"], "rounds": 200}
        ),
    },
    settings={"warm_up": WARM_UP, "lr": RECIPE.lr, "n_critic": RECIPE.n_critic, "batch": RECIPE.batch},
)
