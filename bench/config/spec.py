"""The full specification of one run, its identity, and how a suite is turned into specifications."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...models.recipe import Recipe
from ...objectives.errors import BadInput, naming
from ..metrics.settings import Evaluation
from ..records.interactive import is_interactive
from ..records.schema import SCHEMA_VERSION
from .acceleration import decide, saves
from .architectures import resolve_architecture
from .datasets import DataFacts, Folders, classes_of, describe
from .fingerprint import code_of, core_code
from .metrics import ResolvedEvaluation, resolve_evaluation
from .plugins import ResolvedObjective, bind_arguments, build_objective, find_objective, first_line
from .recipes import Preset
from .resolve import check_recipe, resolve_recipe
from .suite import AUTO, FROM_RECIPE, Combination, Suite, label, split

ID_BYTES = 235  # of an id before its hash; with that and what a run under way adds, the 255 that file systems take
# Part of the identity where they differ from this.
PLAIN = {"accelerate": "none", "precision": "32", "content": None, "sources": {}}


def runs_apart(target: str) -> bool:
    """Whether a plug-in gets a process of its own: not lipbench's code, nor a notebook's, which its process knows."""
    return not is_interactive(target) and not target.startswith("lipbench.")


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides what a run computes, and the labels it goes by in tables.

    `objective_target` is what the suite calls the objective, which is no part of the identity. `content` is a hash of a
    user's own pictures: with other files in their folder it is another run. By kind of plug-in, objectives apart
    and metrics with their label, `sources` has hashes, as `source` is of the objective, `targets` what the suite calls
    them, and `about` what a report says of metrics, and of an objective that is a plug-in.
    """

    objective: str
    objective_name: str
    arguments: dict[str, Any]
    source: str | None
    dataset: str
    architecture: str
    architecture_spec: dict[str, Any]
    recipe: str
    recipe_spec: Recipe
    seed: int
    steps: int
    evaluation: Evaluation
    objective_target: str
    skip: str | None = None
    accelerate: str = "none"
    precision: str = "32"
    content: str | None = None
    sources: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    @property
    def plugins(self) -> list[str]:
        """The targets of all that is not lipbench's own and takes part."""
        objective = [] if self.source is None else [self.objective_target]
        return [*objective, *self.targets.values()]

    @property
    def outside(self) -> list[str]:
        """Those that run in a process of their own."""
        return [target for target in self.plugins if runs_apart(target)]

    @property
    def architecture_target(self) -> str:
        """What makes the networks: a name of lipbench's, or a plug-in's target."""
        return self.targets.get("architecture") or str(self.architecture_spec["name"])

    @property
    def identity(self) -> dict[str, Any]:
        """What the run's id is a hash of."""
        located = ("objective_target", "skip", "targets", "about")
        plain = [key for key, value in PLAIN.items() if getattr(self, key) == value]
        kept = {k: v for k, v in asdict(self).items() if k not in (*located, *plain)}
        return kept | {"evaluation": self.evaluation.model_dump(), "code": code_of(self)}

    @property
    def id(self) -> str:
        """A readable name that ends in a hash of the identity."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:10]
        label = "_".join([self.dataset, self.objective, self.architecture, self.recipe, f"s{self.seed}"])
        plain = "".join(c if c.isalnum() or c in "-_.=" else "-" for c in label)[:120]
        return f"{plain.encode()[:ID_BYTES].decode(errors='ignore')}_{digest}"

    def record(self) -> dict[str, Any]:
        """The content of spec.json."""
        outside: dict[str, Any] = {}
        if self.content is not None:
            outside["content"] = self.content
        if self.sources:
            outside |= {"sources": self.sources, "targets": self.targets}
        if self.about:
            outside["about"] = self.about
        return {
            "run": self.id,
            "schema_version": SCHEMA_VERSION,
            "objective": self.objective,
            "objective_spec": {"name": self.objective_name, "arguments": self.arguments, "source": self.source},
            "objective_target": self.objective_target,
            "loss": self.arguments.get("loss", "own"),
            "dataset": self.dataset,
            "architecture": self.architecture,
            "architecture_spec": self.architecture_spec,
            "recipe": self.recipe,
            "recipe_spec": asdict(self.recipe_spec),
            "seed": self.seed,
            "steps": self.steps,
            "evaluation": self.evaluation.model_dump(),
            "accelerate": self.accelerate,
            "precision": self.precision,
            **outside,
            "code": code_of(self),
            "core": core_code(),
        }


class Surroundings(Folders, Protocol):
    """The folders, and the device on which `accelerate: auto` may compile; a `RunContext` has them."""

    @property
    def device(self) -> str: ...


def expand(suite: Suite, context: Surroundings) -> list[RunSpec]:
    """The runs of a suite, in the order they are to be made. Raises BadInput for what cannot be resolved."""
    for entry in suite.recipe:
        check_recipe(entry, _names(suite, context.suite_folder), f"{suite.where}: recipe")
    with naming(f"{suite.where}: datasets"):
        facts = {name: describe(name, context) for name in suite.datasets}
    measured = resolve_evaluation(suite.evaluation, context.suite_folder, f"{suite.where}: evaluation")
    classes = {
        name: classes_of(facts[name].name, context, suite.where) for name in suite.datasets if _auto(suite, name)
    }
    cells = (_with_classes(cell, classes) for cell in suite.cells())
    specs = [_resolve(suite, context, cell, facts[cell.dataset], measured) for cell in cells]
    seen: dict[tuple[object, ...], RunSpec] = {}
    for spec in specs:
        key = (spec.objective, spec.dataset, spec.architecture, spec.recipe, spec.seed)
        if key in seen:
            raise BadInput(
                f"{suite.where}: two runs go by one name: {spec.objective} on {spec.dataset}, {spec.architecture}, "
                f"recipe {spec.recipe}, seed {spec.seed}"
            )
        seen[key] = spec
    return specs


def _auto(suite: Suite, dataset: str) -> bool:
    """Whether networks shall have as many classes as the data do."""
    return any(isinstance(one, dict) and one.get("classes") == "auto" for one in suite.architectures_on(dataset))


def _with_classes(cell: Combination, classes: Mapping[str, int]) -> Combination:
    networks = cell.architecture
    if not isinstance(networks, dict) or networks.get("classes") != "auto":
        return cell
    return cell._replace(architecture=networks | {"classes": classes[cell.dataset]})


def _resolve(
    suite: Suite, context: Surroundings, cell: Combination, data: DataFacts, measured: ResolvedEvaluation
) -> RunSpec:
    where, loss = suite.where, cell.loss
    target, given = split(cell.objective, f"{where}: objectives")
    if loss is not None and "loss" in given:
        raise BadInput(f"{where}: {target} has loss={given['loss']}, but 'losses' crosses every objective with its own")
    found = _find(target, context.suite_folder, where)
    recipe_label, settings, no_recipe = resolve_recipe(
        cell.recipe, target, found.cls.name, data.kind, f"{where}: recipe"
    )
    arguments, no_loss = _arguments(found, given, loss, settings, where)
    networks = resolve_architecture(cell.architecture, settings.architecture, context.suite_folder, where)
    plugged = {"architecture": (networks.source, networks.target), "dataset": (data.source, data.name)}
    plugged |= measured.used_on(data.kind)
    named = [*given, "loss"] if loss else given
    spec = RunSpec(
        objective=label(found.cls.name, {k: arguments[k] for k in named}),
        objective_name=found.cls.name,
        arguments=arguments,
        source=found.source,
        dataset=data.name,
        architecture=networks.label,
        architecture_spec=networks.spec,
        recipe=recipe_label,
        recipe_spec=settings.recipe,
        seed=cell.seed,
        steps=_steps(suite, cell, settings, target if no_recipe is None else None),
        evaluation=measured.evaluation,
        objective_target=target,
        skip=no_recipe or no_loss,
        accelerate="none" if suite.accelerate == AUTO else suite.accelerate,
        precision=suite.precision,
        content=data.content,
        sources={kind: source for kind, (source, _) in plugged.items() if source is not None},
        targets={kind: other for kind, (source, other) in plugged.items() if source is not None},
        about=_about(found, measured, plugged),
    )
    if suite.accelerate == AUTO and _shortened(spec, data):
        objective = build_objective(found, arguments, where)
        spec = replace(spec, accelerate=decide(spec.steps, spec.recipe_spec, objective, context.device))
    return spec


def _shortened(spec: RunSpec, data: DataFacts) -> bool:
    """Whether compiling makes the run's iterations shorter; of code of others nobody knows."""
    of_others = spec.source is not None or "architecture" in spec.sources
    return spec.skip is None and not of_others and saves(data.kind, spec.architecture_spec, spec.precision)


def _about(found: ResolvedObjective, measured: ResolvedEvaluation, plugged: Collection[str]) -> dict[str, str]:
    """What the authors of plug-ins say of them in a line, for reports."""
    about = {} if found.source is None else {"objective": f"{first_line(found.cls)} ({found.cls.reference})".lstrip()}
    return about | {key: told for key, told in measured.about.items() if key in plugged and told}


def _steps(suite: Suite, cell: Combination, settings: Preset, objective: str | None) -> int:
    """Of a run; 1 of one that is skipped, which has no objective. Raises BadInput where nothing says how many."""
    given = suite.steps_on(cell.dataset)
    if given is not None:
        return given
    if objective is None:
        return 1
    if settings.steps is None:
        told = f"steps: {FROM_RECIPE}: recipe {cell.recipe!r} does not say how long it trains {objective}"
        raise BadInput(f"{suite.where}: {told}; give a number")
    return settings.steps


def _names(suite: Suite, folder: Path) -> list[str]:
    """What the suite's objectives may be called by: as they stand in it, and their own names."""
    targets = [split(entry, f"{suite.where}: objectives")[0] for entry in suite.objectives]
    return list(dict.fromkeys(name for t in targets for name in (t, _find(t, folder, suite.where).cls.name)))


def _find(target: str, folder: Path, where: str) -> ResolvedObjective:
    with naming(f"{where}: objectives"):
        return find_objective(target, folder)


def _arguments(
    found: ResolvedObjective, given: Mapping[str, Any], loss: str | None, settings: Preset, where: str
) -> tuple[dict[str, Any], str | None]:
    """Given ones, else the recipe's, else the defaults; and why a loss from 'losses' makes no sense with them.

    The objective is built once here, so that bad values are told now.
    """
    crossed = {} if loss is None else {"loss": loss}
    try:
        return _built(found, {**settings.arguments, **given, **crossed}, where), None
    except BadInput as error:
        if loss is None:
            raise
        # Without the loss this raises again, unless the loss alone was wrong.
        return _built(found, {**settings.arguments, **given}, where) | crossed, str(error).removeprefix(f"{where}: ")


def _built(found: ResolvedObjective, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    arguments = bind_arguments(found.cls, given, where)
    build_objective(found, arguments, where)
    return arguments
