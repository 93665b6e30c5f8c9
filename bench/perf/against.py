"""Public implementations of the same networks and step, from clones that the user points to.

Their networks, losses and order of operations, fed with the same real samples; without their data loaders and loggers.
None of their code is here.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from ...models.resnet import sngan_resnet
from ...objectives.errors import BadInput
from ..data.dataset import Dataset
from .budget import UNLIMITED, Budget
from .iteration import Case
from .table import Goal, Row
from .ways import Loop, interleave, loops_of, real_samples, sngan, table

STEPS = 100_000  # of the linear decay
Make = Callable[[Path, Case, Dataset, str], "Theirs"]


class Theirs:
    """State of a loop of others: their two networks, Adam for both with a linear decay, real samples.

    Args:
        generator: theirs.
        critic: theirs, spectral norm included.
        step: one iteration, a function of this state.
        case: gives batch, learning rate, betas and critic steps.
        data: real samples.
        device: of all.
    """

    def __init__(
        self,
        generator: Any,
        critic: Any,
        step: "Callable[[Theirs], None]",
        case: Case,
        data: Dataset,
        device: str,
    ) -> None:
        self.generator, self.critic, self.step = generator.to(device), critic.to(device), step
        self.recipe, self.data, self.device = case.recipe, data, torch.device(device)
        self.rng = torch.Generator(device).manual_seed(0)
        self.optimizers = [
            Adam(network.parameters(), lr=case.recipe.lr, betas=case.recipe.betas)
            for network in (self.generator, self.critic)
        ]
        self.schedules = [LambdaLR(optimizer, lambda step: 1 - step / STEPS) for optimizer in self.optimizers]

    def run(self, iterations: int) -> None:
        """So many full iterations."""
        for _ in range(iterations):
            self.step(self)
            for schedule in self.schedules:
                schedule.step()

    def real(self) -> torch.Tensor:
        """A minibatch."""
        return self.data.sample(self.recipe.batch, self.rng)


@dataclass(frozen=True)
class Project:
    """A public project: how its clone is told, the case it shares with lipbench, and its loop."""

    name: str
    file: str
    case: Callable[[int], Case]
    make: Make


def collections(clone: Path, case: Case, data: Dataset, device: str) -> Theirs:
    """pytorch-gan-collections: the loop of its sngan.py, which fetches the loss after every critic step."""
    models = _file(clone / "source/models/sngan.py")
    loss = _file(clone / "source/losses.py").Hinge()

    def latent(loop: Theirs) -> torch.Tensor:
        return torch.randn(loop.recipe.batch, 128).to(loop.device)

    def step(loop: Theirs) -> None:
        generator_optimizer, critic_optimizer = loop.optimizers
        for _ in range(loop.recipe.n_critic):
            with torch.no_grad():
                fake = loop.generator(latent(loop)).detach()
            critic_loss = loss(loop.critic(loop.real()), loop.critic(fake))
            critic_optimizer.zero_grad()
            critic_loss.backward()
            critic_optimizer.step()
            critic_loss.item()
        generator_loss = loss(loop.critic(loop.generator(latent(loop))))
        generator_optimizer.zero_grad()
        generator_loss.backward()
        generator_optimizer.step()

    return Theirs(models.Generator32(128), models.Discriminator32(), step, case, data, device)


def mimicry(clone: Path, case: Case, data: Dataset, device: str) -> Theirs:
    """mimicry: the train_step of its networks, as its Trainer calls them."""
    networks, log = _package(clone, "torch_mimicry.nets.sngan.sngan_32", "torch_mimicry.training.metric_log")

    def step(loop: Theirs) -> None:
        generator_optimizer, critic_optimizer = loop.optimizers
        log_data, labels = log.MetricLog(), None
        common: dict[str, Any] = {"log_data": log_data, "device": loop.device}
        for i in range(loop.recipe.n_critic):
            batch = (loop.real(), labels)
            loop.critic.train_step(batch, netG=loop.generator, optD=critic_optimizer, **common)
            if i == loop.recipe.n_critic - 1:
                loop.generator.train_step(batch, netD=loop.critic, optG=generator_optimizer, **common)

    return Theirs(networks.SNGANGenerator32(), networks.SNGANDiscriminator32(), step, case, data, device)


def _resnet(batch: int) -> Case:
    return replace(sngan(batch), name=f"sn-gan, SN-GAN ResNet, batch {batch}", networks=sngan_resnet)


PROJECTS = (
    Project("pytorch-gan-collections", "source/models/sngan.py", partial(sngan, variant="code"), collections),
    Project("mimicry", "torch_mimicry/nets/sngan/sngan_32.py", _resnet, mimicry),
)


def find(clone: Path) -> Project:
    """The project that this folder is a clone of. Raises BadInput if it is none of those known."""
    for project in PROJECTS:
        if (clone / project.file).is_file():
            return project
    known = ", ".join(f"{project.name} (by its {project.file})" for project in PROJECTS)
    raise BadInput(f"--against {clone}: must be a clone of one of: {known}")


def rows(
    clone: Path, repeats: int, device: str, batch: int, size: int | None = None, budget: Budget = UNLIMITED
) -> Iterator[Row]:
    """The clone's loop in turns with all of lipbench's ways on the same networks."""
    project = find(clone)
    case = project.case(batch)
    theirs = project.make(clone, case, real_samples(case.dataset, device), device)
    ours = case.networks((3, 32, 32))
    for network, other in ((ours.generator, theirs.generator), (ours.critic, theirs.critic)):
        if count(network) != count(other):
            raise BadInput(f"--against {clone}: {count(other)} parameters, and lipbench's networks {count(network)}")
    loops: dict[str, Loop] = {f"{project.name} at {commit(clone)}": theirs, **loops_of(case, device)}
    found = interleave(loops, size or case.size, max(3, round(repeats * case.share)), device, budget)
    yield from table(f"speed on {device}: {case.name}", found, {"lipbench, graph": Goal("≥", 2.0)})


def count(network: nn.Module) -> int:
    """Trained numbers; spectral norm adds none."""
    return sum(parameter.numel() for parameter in network.parameters())


def commit(clone: Path) -> str:
    """The clone's commit, or `unknown commit` where git does not tell."""
    asked = subprocess.run(["git", "-C", str(clone), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else "unknown commit"


def _file(path: Path) -> Any:
    """A module from its file alone."""
    spec = spec_from_file_location(f"lipbench_against_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _package(clone: Path, *names: str) -> list[Any]:
    """Modules of a package whose own `__init__` files are left out: they import what has nothing to do with these."""
    for name in names:
        parts = name.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            parent = ".".join(parts[:depth])
            if parent not in sys.modules:
                sys.modules[parent] = ModuleType(parent)
                sys.modules[parent].__path__ = [str(clone.joinpath(*parts[:depth]))]
    return [importlib.import_module(name) for name in names]
