"""Critics trained against fixed generators by `critic_step`, kept on disk so that several studies share them.

What is trained is said by a `CriticRun`; what is measured on the trained critics is said elsewhere.
"""

import hashlib
import json
import math
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ....models.iteration import make_optimizer, stream_seed
from ....models.recipe import Recipe
from ....objectives.base import Batch, Objective, prepared
from ....objectives.catalog import BUILTINS
from ....objectives.game import critic_step, generator_step
from ...config.fingerprint import source_with_names, texts_in
from ...metrics.stability import gradient_norm
from ..engine.contract import Row, Setting
from ..engine.parallel import each
from .fixed_generator import Fixed, FixedGame

K = TypeVar("K", bound=Hashable)
LATENTS = 1024  # behind a gradient of the generator


class Training(Protocol):
    """Something that can be trained and kept: the specification decides the result."""

    @property
    def id(self) -> str:
        """A name that differs where the result may differ."""
        ...

    def untrained(self) -> nn.Module:
        """A module of the trained one's form."""
        ...

    def train(self) -> tuple[nn.Module, list[Row]]:
        """The trained module, and what was measured on the way."""
        ...

    def critic(self, module: nn.Module) -> nn.Module:
        """The critic in a trained module."""
        ...

    def samples(self, module: nn.Module, n: int) -> tuple[Tensor, Tensor]:
        """n fresh real and generated samples in double precision, the same at every call."""
        ...


@dataclass(frozen=True)
class CriticRun:
    """All that decides a critic that is trained against a fixed generator.

    Attributes:
        fixed: the game.
        objective: a name in `lipbench.objectives.BUILTINS`.
        recipe: optimiser, learning rate, batch.
        steps: critic steps.
        seed: of weights and streams.
        arguments: the objective's, as pairs.
        marks: critic steps at which the norm of the generator's gradient is measured.
        losses: the generator's losses in these measurements; the objective's own by default.
    """

    fixed: Fixed
    objective: str
    recipe: Recipe
    steps: int
    seed: int
    arguments: tuple[tuple[str, Any], ...] = ()
    marks: tuple[int, ...] = ()
    losses: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return identity(f"{self.objective}_s{self.seed}", self)

    def make_objective(self, **other: Any) -> Objective:
        """The objective, with other arguments in place of its own where given."""
        return BUILTINS[self.objective](**{**dict(self.arguments), **other})

    def untrained(self) -> nn.Module:
        return self._prepared(self.fixed.game(self.seed), self.make_objective())

    def train(self) -> tuple[nn.Module, list[Row]]:
        game, objective = self.fixed.game(self.seed), self.make_objective()
        critic = self._prepared(game, objective)
        optimizer = make_optimizer(self.recipe, critic.parameters(), self.recipe.lr)
        curve: list[Row] = []
        for step in range(self.steps + 1):
            if step in self.marks:
                curve += self._generator_gradients(game, critic, step)
            if step < self.steps:
                critic_step(objective, critic, game.batch(self.recipe.batch, step), optimizer)
        return critic, curve

    def _prepared(self, game: FixedGame, objective: Objective) -> nn.Module:
        """The game's critic as the objective wants it, on the game's device; what that draws depends on the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stream_seed(self.seed, "preparation"))
            return prepared(objective, game.critic).to(game.device)

    def critic(self, module: nn.Module) -> nn.Module:
        return module

    def samples(self, module: nn.Module, n: int) -> tuple[Tensor, Tensor]:
        return self.fixed.game(self.seed).evaluation(n)

    def _generator_gradients(self, game: FixedGame, critic: nn.Module, step: int) -> list[Row]:
        rows: list[Row] = []
        for name in self.losses or (self.make_objective().loss.name,):
            gradient = generator_gradient(self.make_objective(loss=name), game, critic, step)
            rows.append({"step": step, "loss": name, "gradient": gradient})
        return rows


@dataclass(frozen=True)
class Trained:
    """A finished training: its specification, the module in eval mode, and what was measured on the way."""

    run: Any
    module: nn.Module
    curve: list[Row]


def generator_gradient(objective: Objective, game: FixedGame, critic: nn.Module, step: int) -> float:
    """‖∂L_G/∂parameters‖ of the game's generator on fixed latents, by a generator step that moves nothing.

    inf where it is not a number.
    """
    assert game.generator is not None, "this game has no generator to differentiate"
    batch = Batch(*game.evaluation(LATENTS), None, step, game.stream("noise"))
    still = torch.optim.SGD(game.generator.parameters(), lr=0.0)
    generator_step(objective, game.generator, critic, game.latents(LATENTS), batch, still)
    norm = gradient_norm(game.generator)
    return norm if norm is not None and math.isfinite(norm) else math.inf


def trained(runs: Mapping[K, Training], setting: Setting) -> dict[K, Trained]:
    """The results of these trainings, by the same keys; those that are not in `setting.runs` yet are made first."""
    folder = setting.runs / "critics"
    folder.mkdir(parents=True, exist_ok=True)
    missing = {run.id: run for run in runs.values() if not (folder / f"{run.id}.safetensors").exists()}
    each(_make, ((run, folder) for run in missing.values()), setting.resources.jobs)
    return {key: _read(run, folder) for key, run in runs.items()}


def _make(run: Training, folder: Path) -> None:
    module, curve = run.train()
    state = {k: v.detach().contiguous().clone() for k, v in module.state_dict().items()}
    temporary = folder / f".{run.id}.{os.getpid()}"
    save_file(state, temporary, metadata={"curve": json.dumps(curve)})
    os.replace(temporary, folder / f"{run.id}.safetensors")


def _read(run: Training, folder: Path) -> Trained:
    path = folder / f"{run.id}.safetensors"
    module = run.untrained()
    module.load_state_dict(load_file(path))
    with safe_open(path, "pt") as file:
        curve = json.loads(file.metadata()["curve"])
    return Trained(run, module.eval(), curve)


def identity(label: str, specification: Any) -> str:
    """The label and a hash of the specification (a dataclass), of the code that trains, and of torch's version."""
    code = source_with_names(_kinds(specification), texts_in(specification))
    content = json.dumps(_described(specification), sort_keys=True) + code + torch.__version__
    return f"{label}_{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _described(specification: Any) -> dict[str, Any]:
    kinds = {k: type(v).__name__ for k, v in vars(specification).items()}
    return {"kind": type(specification).__name__, "kinds": kinds, **_deciding(specification)}


def _deciding(value: Any) -> Any:
    """Fields of dataclasses that are not compared, such as a device, decide nothing."""
    if not is_dataclass(value):
        return value
    return {f.name: _deciding(getattr(value, f.name)) for f in fields(value) if f.compare}


def _kinds(value: Any) -> set[str]:
    """The classes of a specification and of its fields: their methods train."""
    if not is_dataclass(value):
        return set()
    parts = [_kinds(getattr(value, f.name)) for f in fields(value)]
    return {f"{type(value).__module__}:{type(value).__qualname__}"}.union(*parts)
