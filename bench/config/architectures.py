"""Architectures by name or as somebody's plug-in: settings, labels, and the networks themselves.

A plug-in is called as `made(shape, **settings)` and returns Networks, a pair (generator, critic), or one of the two:
then a built-in gives the other, as in `{name: my.py:Critic, generator: dcgan}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...models.catalog import ARCHITECTURES
from ...models.networks import LATENTS, Networks, draw_latent
from ...objectives.checks import choice, natural_number, positive_integer
from ...objectives.conditioning import bound
from ...objectives.errors import BadInput, error_line, naming, unknown
from .entry_points import ARCHITECTURE
from .plugins import Resolved, bind, check_untaken, leaving_no_trace, parameters_of, resolve
from .suite import Named, label, split

LARGEST = 10**6  # setting of an architecture of ours; of much larger ones torch cannot even compute the size
PARTS = ("generator", "critic")


@dataclass(frozen=True)
class Architecture:
    """What a run's specification holds of its networks: label, name with settings, target and a plug-in's source."""

    label: str
    spec: dict[str, Any]
    target: str
    source: str | None = None


def resolve_architecture(entry: Named | None, usual: Mapping[str, Any], folder: Path, where: str) -> Architecture:
    """An entry of a suite's `architectures`, with all settings, so that a changed default changes the identity.

    Args:
        entry: as the suite has it; None for the recipe's.
        usual: the recipe's architecture, whose settings hold where the entry names the same one.
        folder: of the suite.
        where: opens the message of a BadInput.
    """
    where = f"{where}: architectures"
    target, given = split(entry if entry is not None else dict(usual), where)
    found = _find(target, folder, where)
    if target == usual["name"]:
        given = {k: v for k, v in usual.items() if k != "name"} | given
    other = {part: given.pop(part) for part in PARTS if found.source is not None and part in given}
    bound = _bound(found, given, f"{where}: {found.name}")
    shown = {k: bound[k] for k in given}
    spec = {"name": found.name, **bound}
    for part, partner in other.items():
        spec[part], shown[part] = _partner(partner, f"{where}: {found.name}: {part}")
    if len(other) == len(PARTS):
        raise BadInput(f"{where}: {found.name}: both generator and critic are given: nothing is left for it to be")
    if target == "mlp":
        rest = {k: v for k, v in shown.items() if k not in ("width", "depth")}
        return Architecture(label(f"mlp-{bound['depth']}x{bound['width']}", rest), spec, target)
    return Architecture(label(found.name, shown), spec, target, found.source)


def build_architecture(spec: Mapping[str, Any], target: str, shape: tuple[int, ...], folder: Path) -> Networks:
    """The networks of a specification for samples of this shape.

    Args:
        spec: of an `Architecture`, as is `target`.
        target: what to call.
        shape: of one sample.
        folder: where relative paths are looked up first.

    Raises:
        Unsuited: if it cannot make samples of this shape.
        BadInput: for a setting that is not allowed, and for what is no pair of networks.
    """
    found = resolve(ARCHITECTURE, target, folder)
    other = {part: spec[part] for part in PARTS if found.source is not None and part in spec}
    settings = {k: v for k, v in spec.items() if k != "name" and k not in other}
    if found.source is None:
        return found.value(shape, **settings)
    try:
        with leaving_no_trace(target, code=False):
            made = found.value(shape, **settings)
    except BadInput:
        raise
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises is the user's one line
        raise BadInput(error_line(error)) from error
    for part, partner in other.items():
        whole = build_architecture(partner, partner["name"], shape, folder)
        return _completed(made, part, whole)
    return _networks(made)


def check_networks(networks: Networks, shape: tuple[int, ...]) -> None:
    """Raises BadInput where generator or critic do not go with each other, or with samples of this shape."""
    networks.generator.eval()
    networks.critic.eval()
    latent = draw_latent(networks, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for part, network, x, want in (
            ("generator", networks.generator, latent, (2, *shape)),
            ("critic", networks.critic, torch.zeros(2, *shape), (2,)),
        ):
            try:
                with bound(network, torch.zeros(2, dtype=torch.int64) if networks.classes else None):
                    found = network(x)
            except Exception as error:
                told = f"its {part} fails on a batch of shape {tuple(x.shape)}: {error_line(error)}"
                raise BadInput(told) from error
            if (what := other_kind(found, x)) is not None:
                raise BadInput(f"its {part} makes {what}")
            if found.shape != want:
                raise BadInput(f"its {part} turns {tuple(x.shape)} into {tuple(found.shape)}: must be {want}")


def other_kind(made: object, given: Tensor) -> str | None:
    """What a network makes of a tensor, if it is anything else than a tensor of the same precision."""
    if not isinstance(made, Tensor):
        return f"a {type(made).__name__}: must be a tensor"
    return None if made.dtype == given.dtype else f"{made.dtype} of {given.dtype}"


def _find(target: str, folder: Path, where: str) -> Resolved:
    with naming(where):
        found = resolve(ARCHITECTURE, target, folder)
        if not callable(found.value):
            raise BadInput(f"{target}: not a function or class that makes networks")
        if ":" in target:
            check_untaken(ARCHITECTURE, found.name, found.value, target)
    return found


def _bound(found: Resolved, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All settings of the architecture, defaults included."""
    parameters = parameters_of(found.value, where)
    first = next(iter(parameters.values()), None)
    if first is None or first.kind is first.KEYWORD_ONLY:
        raise BadInput(f"{where}: must take the shape of a sample first, then settings by name")
    del parameters[first.name]
    if found.source is not None and (taken := [name for name in parameters if name in PARTS]):
        raise BadInput(f"{where}: a setting cannot be called '{taken[0]}': that names the other network")
    bound = bind(parameters, given, where, "setting")
    for key, value in bound.items():
        if found.source is None and isinstance(value, int) and value > LARGEST:
            raise BadInput(f"{where}: {key}={value!r}: must be at most {LARGEST}")
    return bound


def _partner(entry: Any, where: str) -> tuple[dict[str, Any], str]:
    """Name with all settings of the built-in that gives the other network, and its label."""
    if not isinstance(entry, str | dict):
        raise BadInput(f"{where}={entry!r}: must be an architecture")
    name, given = split(entry, where)
    if name not in ARCHITECTURES:
        raise BadInput(f"{where}: {unknown(ARCHITECTURE.name, name, list(ARCHITECTURES))}")
    bound = _bound(Resolved(name, ARCHITECTURES[name]), given, f"{where}: {name}")
    return {"name": name, **bound}, label(name, {k: bound[k] for k in given})


def _completed(made: object, part: str, whole: Networks) -> Networks:
    """`part` comes from `whole`, the other network is what was made, or is in it."""
    if not isinstance(made, nn.Module):
        own = _networks(made)
        made = own.critic if part == "generator" else own
    if part == "generator" and isinstance(made, nn.Module):
        return replace(whole, critic=made, packing=1)
    own = made if isinstance(made, Networks) else _networks((made, whole.critic))
    return replace(own, critic=whole.critic, packing=whole.packing)


def _networks(made: object) -> Networks:
    if isinstance(made, Networks):
        return made
    if isinstance(made, nn.Module):
        raise BadInput("makes one network: say which built-in gives the other, with generator: NAME or critic: NAME")
    if not (isinstance(made, tuple) and len(made) == 2 and all(isinstance(part, nn.Module) for part in made)):
        raise BadInput(f"makes {type(made).__name__}: must be Networks, a pair (generator, critic), or one of the two")
    generator, critic = made
    if not hasattr(generator, "latent_dim"):
        raise BadInput("its generator must have an attribute 'latent_dim', the size of a latent")
    latent_dim = positive_integer("latent_dim", generator.latent_dim)
    latent = choice("latent", getattr(generator, "latent", "normal"), LATENTS)
    return Networks(generator, critic, latent_dim, latent, natural_number("classes", getattr(generator, "classes", 0)))
