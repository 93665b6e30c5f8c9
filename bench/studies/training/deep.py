"""Deep networks trained on the Swiss roll, in double precision, and how gradients pass through the critic's layers.

The setting of Gulrajani et al. 2017, figure 1b: the one here in which the generator is trained too.
"""

import warnings
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ....models.gan import GAN
from ....models.iteration import Iteration, stream_seed
from ....models.networks import Networks, draw_latent
from ....models.recipe import Recipe
from ....objectives.base import Batch, Objective, prepared
from ....objectives.catalog import BUILTINS
from ...data.catalog import load
from ...run.train import make_trainer
from ..engine.contract import Row
from .critics import identity
from .fixed_generator import untrained

DEPTH, WIDTH, DATASET = 12, 128, "swissroll"


@dataclass(frozen=True)
class DeepRun:
    """All that decides a pair of 12-layer networks trained against each other.

    Attributes:
        objective: a name in `lipbench.objectives.BUILTINS`.
        recipe: of both networks.
        iterations: generator updates.
        seed: of weights and streams.
        arguments: the objective's, as pairs.
    """

    objective: str
    recipe: Recipe
    iterations: int
    seed: int
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        return identity(f"deep_{self.objective}_s{self.seed}", self)

    def make_objective(self) -> Objective:
        """What is minimised."""
        return BUILTINS[self.objective](**dict(self.arguments))

    def networks(self) -> Networks:
        """The untrained pair, in double precision."""
        made = untrained("mlp", (2,), self.seed, {"width": WIDTH, "depth": DEPTH})
        return replace(made, generator=made.generator.double(), critic=made.critic.double())

    def untrained(self) -> nn.Module:
        pair = self.networks()
        return nn.ModuleDict({"generator": pair.generator, "critic": prepared(self.make_objective(), pair.critic)})

    def train(self) -> tuple[nn.Module, list[Row]]:
        objective, data = self.make_objective(), load(DATASET)
        iteration = Iteration(self.networks(), objective, self.recipe, data, steps=self.iterations, seed=self.seed)
        fit_double(GAN(iteration))
        return nn.ModuleDict({"generator": iteration.generator, "critic": iteration.critic}), []

    def critic(self, module: nn.Module) -> nn.Module:
        return module.get_submodule("critic")

    def samples(self, module: nn.Module, n: int) -> tuple[Tensor, Tensor]:
        rng = torch.Generator().manual_seed(stream_seed(self.seed, "evaluation"))
        real = load(DATASET).sample(n, rng).double()
        with torch.no_grad():
            fake = module.get_submodule("generator")(draw_latent(self.networks(), n, rng, torch.float64))
        return real, fake


def fit_double(module: GAN) -> None:
    """Trains the module by Lightning in double precision, without files."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # advice on data loaders
        make_trainer(accelerator="cpu", precision="64-true").fit(module)


def layer_gradients(objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor) -> list[float]:
    """Norms of the critic loss's gradient in the input and in the output of each ReLU, from the input on.

    Without the penalty; over all samples, real and generated ones together.

    Args:
        objective: whose loss; one without noise.
        critic: a chain whose hidden layers end in ReLU.
        real: samples [n, d].
        fake: likewise.
    """
    inputs = Batch(real.clone().requires_grad_(), fake.clone().requires_grad_(), None, 0, torch.Generator())
    outputs: list[list[Tensor]] = [[inputs.real, inputs.fake]]
    with ExitStack() as hooks:
        for layer in (m for m in critic.modules() if isinstance(m, nn.ReLU)):
            outputs.append([])
            hook = layer.register_forward_hook(lambda _, __, out, seen=outputs[-1]: seen.append(out))
            hooks.enter_context(hook)
        loss = objective.critic_loss(critic, inputs)
    gradients = iter(torch.autograd.grad(loss, [tensor for pair in outputs for tensor in pair]))
    return [float(torch.cat([next(gradients) for _ in pair]).norm()) for pair in outputs]
