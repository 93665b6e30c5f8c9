"""What no run of a suite could use is told before the first one is made. Makes and writes nothing."""

import warnings
from collections.abc import Sequence

import torch
from rich.console import Console

from ...models.networks import Networks, Unsuited
from ...models.options import check_device
from ...objectives.errors import BadInput, naming
from ..config.architectures import check_networks
from ..config.datasets import NO_LABELS, load_dataset
from ..config.entry_points import installed, provider
from ..config.metrics import bring
from ..config.plugins import SideEffect
from ..config.spec import RunSpec, runs_apart
from ..config.suite import AUTO, Suite
from ..data.dataset import Dataset
from ..metrics.protocols import check_evaluation
from ..run.context import RunContext
from ..run.loggers import check_loggers
from ..run.train import Skipped, build_networks, build_parts
from .apart import elsewhere
from .progress import say

CALLBACKS = "pytorch_lightning.callbacks_factory"  # from whose entry points Lightning adds to every trainer
MOST_PARAMETERS = 10**9  # of both networks; BigGAN's have 160 million


def check_suite(suite: Suite, specs: Sequence[RunSpec], context: RunContext, console: Console) -> None:
    """Says which images are used, and what `accelerate: auto` stands for.

    Raises BadInput for the device, loggers, networks, the evaluation, and where no run would be made.
    """
    check_device(suite.accelerate, suite.precision, context.device)
    _check_loggers(context, console)
    _tell_left_out(console)
    reasons: list[str | None] = []
    for dataset in dict.fromkeys(spec.dataset for spec in specs):
        data = _load(dataset, context)
        here = [spec for spec in specs if spec.dataset == dataset]
        ours, others = list[RunSpec](), list[RunSpec]()
        for spec in here:
            (others if any(map(runs_apart, spec.targets.values())) else ours).append(spec)
        _check(suite, ours, data, context)
        if others:  # code from outside is not run here
            targets = dict.fromkeys(target for spec in others for target in spec.targets.values())
            where = f"{suite.where}: {' or '.join(targets)}"
            elsewhere(where, console, _check_others, suite, others, dataset, context)
        reasons += [] if None in reasons else _reasons(here, data, context)
        if data.is_images:
            say(f"{dataset}: {data.source}", console)
    if None not in reasons:
        raise BadInput(f"{suite.where}: there is nothing to run, all {len(reasons)} runs are skipped: {reasons[0]}")
    if suite.accelerate == AUTO:
        say(_told(specs), console)


def _told(specs: Sequence[RunSpec]) -> str:
    """Which runs `accelerate: auto` compiles."""
    compiled = [spec for spec in specs if spec.accelerate == "compile"]
    which = dict.fromkeys(f"{spec.objective} on {spec.dataset}" for spec in compiled)
    named = f" ({', '.join(which)})" if compiled else ""
    return f"accelerate: auto: {len(compiled)} of {len(specs)} runs are compiled{named}; each records which"


def _load(dataset: str, context: RunContext) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SideEffect)  # was told when the suite was resolved
        return load_dataset(dataset, context)


def _check_loggers(context: RunContext, console: Console) -> None:
    """Says what importing or building somebody's logger changes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SideEffect)
        check_loggers(context.loggers)
    for warning in caught:
        if issubclass(warning.category, SideEffect):
            say(str(warning.message), console)


def _tell_left_out(console: Console) -> None:
    """Says which packages ask Lightning to add callbacks of theirs to every run: lipbench's trainers have none."""
    asking = dict.fromkeys(f"{point.name} {provider(point)}" for point in installed(CALLBACKS))
    if asking:
        say(f"left out of the runs: callbacks that packages register with Lightning: {', '.join(asking)}", console)


def _reasons(specs: Sequence[RunSpec], data: Dataset, context: RunContext) -> list[str | None]:
    """Why each run is skipped; [None] if one is not."""
    reasons: list[str | None] = []
    for spec in specs:
        if spec.outside and spec.skip is None:
            return [None]  # that is not known here
        try:
            with torch.device("meta"):
                build_parts(spec, data, context.suite_folder)
        except Skipped as reason:
            reasons.append(str(reason))
        else:
            return [None]
    return reasons


def _check_networks(suite: Suite, specs: Sequence[RunSpec], data: Dataset, context: RunContext) -> None:
    """A setting that no network can have is told now, not run by run; a shape that does not suit one skips its runs."""
    for spec in {spec.architecture: spec for spec in specs}.values():
        try:
            networks = _build(spec, data, context)
            _check_size(networks)
            _check_classes(networks.classes, data)
        except Unsuited:
            continue
        except BadInput as error:
            raise BadInput(f"{suite.where}: architectures: {spec.architecture_spec['name']}: {error}") from error


def _check_others(suite: Suite, specs: Sequence[RunSpec], dataset: str, context: RunContext) -> None:
    _check(suite, specs, _load(dataset, context), context)


def _check(suite: Suite, specs: Sequence[RunSpec], data: Dataset, context: RunContext) -> None:
    _check_networks(suite, specs, data, context)
    for spec in specs[:1]:  # they share their evaluation
        _check_evaluation(suite, spec, data, context)


def _build(spec: RunSpec, data: Dataset, context: RunContext) -> Networks:
    """The networks: ours without their weights, for which a meta device is enough; somebody else's are tried out."""
    if "architecture" not in spec.sources:
        with torch.device("meta"):
            return build_networks(spec, data.shape, context.suite_folder)
    with torch.random.fork_rng(devices=[]):
        networks = build_networks(spec, data.shape, context.suite_folder)
        check_networks(networks, data.shape)
    return networks


def _check_classes(asked: int, data: Dataset) -> None:
    """Raises BadInput where networks ask for classes that the samples do not have."""
    if not asked:
        return
    if not data.classes:
        raise BadInput(f"classes={asked}: {data.name} has {NO_LABELS}")
    if asked != data.classes:
        raise BadInput(f"classes={asked}: {data.name} has {data.classes} classes: must be {data.classes}, or auto")
    if data.finite_held_out is not None and data.held_out_labels is None:
        raise BadInput(f"classes={asked}: the held-out samples of {data.name} have no labels")


def _check_size(networks: Networks) -> None:
    """Raises BadInput for more parameters than can be trained: each takes 16 bytes, before any sample is seen."""
    total = sum(p.numel() for n in (networks.generator, networks.critic) for p in n.parameters())
    if total > MOST_PARAMETERS:
        raise BadInput(f"{total:,} parameters: must be at most {MOST_PARAMETERS:,}")


def _check_evaluation(suite: Suite, spec: RunSpec, data: Dataset, context: RunContext) -> None:
    """An extractor that is not at hand, too few images, or a metric without a value is told now too."""
    with naming(f"{suite.where}: evaluation"):
        brought = bring(spec.evaluation, spec.sources, spec.targets, data, context.suite_folder)
        check_evaluation(data, spec.evaluation, context.weights, brought)
