"""The named recipes: how each objective is optimised, as its paper does it (`published`) or all alike (`matched`).

Learning rates and the like belong here, not to the objective; the sources of the numbers stand beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..models import Recipe
from ..objectives import BadInput, unknown
from .suite import Named, label


@dataclass(frozen=True)
class Preset:
    """A recipe, with the objective's arguments and the architecture that go with it unless the suite says otherwise."""

    recipe: Recipe
    arguments: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)


_TOY_512 = {"name": "mlp", "width": 512}  # the 3 × 512 networks of WGAN-GP's toy code
_TOY_128 = {"name": "mlp", "width": 128}
_DCGAN = {"name": "dcgan"}
_ADAM_TOY = Recipe("adam", 1e-4, (0.5, 0.9), n_critic=1, batch=256)
_ADAM_DCGAN = Recipe("adam", 2e-4, (0.5, 0.999), n_critic=1, batch=64)  # DCGAN practice; SN-GAN's setting C
_ADAM_GP = Recipe("adam", 1e-4, (0.0, 0.9), n_critic=5, batch=64)  # WGAN-GP, algorithm 1

_UNCONSTRAINED = ("least-squares", "weight-norm", "layer-norm", "instance-noise", "feature-matching")

# On 2-D toys the official toy code gives GP's recipe; where a paper gives none, a stated choice (README, "Recipes").
PUBLISHED_POINTS: dict[str, Preset] = {
    "minimax": Preset(_ADAM_TOY, architecture=_TOY_512),
    "non-saturating": Preset(_ADAM_TOY, architecture=_TOY_512),
    "wgan-clip": Preset(Recipe("rmsprop", 5e-5, n_critic=5, batch=256), {"clip": 0.01}, _TOY_512),
    "wgan-gp": Preset(Recipe("adam", 1e-4, (0.5, 0.9), n_critic=5, batch=256), {"weight": 0.1}, _TOY_512),
    "sn-gan": Preset(Recipe("adam", 2e-4, (0.0, 0.9), n_critic=5, batch=256), {"loss": "hinge"}, _TOY_512),
    # The zoo on toys: none of these papers gives one, so each is a choice, near its recipe on images or those above.
    "wgan-lp": Preset(Recipe("adam", 1e-4, (0.5, 0.9), n_critic=5, batch=256), {"weight": 0.1}, _TOY_512),
    "dragan": Preset(_ADAM_TOY, architecture=_TOY_512),
    "r1": Preset(_ADAM_TOY, architecture=_TOY_512),
    "r2": Preset(_ADAM_TOY, architecture=_TOY_512),
    "r3gan": Preset(Recipe("adam", 2e-4, (0.0, 0.9), n_critic=1, batch=256), architecture=_TOY_512),
    "gn-gan": Preset(Recipe("adam", 2e-4, (0.0, 0.9), n_critic=5, batch=256), architecture=_TOY_512),
    "orthogonal": Preset(Recipe("adam", 5e-4, (0.0, 0.9), n_critic=5, batch=256), architecture=_TOY_512),
    "minibatch-discrimination": Preset(_ADAM_TOY, {"kernels": 8}, _TOY_512),  # 100 would take most of the time
    **{name: Preset(_ADAM_TOY, architecture=_TOY_512) for name in _UNCONSTRAINED},
}

PUBLISHED_IMAGES: dict[str, Preset] = {
    "minimax": Preset(_ADAM_DCGAN, architecture=_DCGAN),
    "non-saturating": Preset(_ADAM_DCGAN, architecture=_DCGAN),
    "wgan-clip": Preset(Recipe("rmsprop", 5e-5, n_critic=5, batch=64), {"clip": 0.01}, _DCGAN),  # WGAN, algorithm 1
    "wgan-gp": Preset(_ADAM_GP, {"weight": 10.0}, _DCGAN),
    "sn-gan": Preset(_ADAM_DCGAN, {"loss": "hinge"}, _DCGAN),  # SN-GAN, setting C
    "wgan-lp": Preset(_ADAM_GP, {"weight": 10.0}, _DCGAN),  # as WGAN-GP: its paper changes the penalty alone
    "dragan": Preset(
        Recipe("adam", 1e-4, (0.5, 0.9), n_critic=1, batch=128), architecture=_DCGAN
    ),  # authors' code, MNIST
    "r1": Preset(Recipe("rmsprop", 1e-4, n_critic=1, batch=64, ema=0.999), architecture=_DCGAN),  # authors' code
    "r2": Preset(Recipe("rmsprop", 1e-4, n_critic=1, batch=64, ema=0.999), architecture=_DCGAN),  # as R1, a choice
    # The authors' first rate and γ on CIFAR-10; their schedules of rate, β2 and γ cannot be expressed here.
    "r3gan": Preset(Recipe("adam", 2e-4, (0.0, 0.9), n_critic=1, batch=512), {"gamma": 0.05}, _DCGAN),
    "gn-gan": Preset(
        Recipe("adam", 2e-4, (0.0, 0.9), n_critic=5, batch=64, critic_lr=4e-4, ema=0.9999, decay="linear"),
        architecture=_DCGAN,
    ),  # authors' code, ResNet with hinge loss
    "orthogonal": Preset(
        Recipe("adam", 2e-4, (0.5, 0.999), n_critic=5, batch=64, critic_lr=2e-3), architecture=_DCGAN
    ),  # code of Anil et al. 2019 on MNIST, with Björck's iteration
    "feature-matching": Preset(Recipe("adam", 3e-4, (0.5, 0.999), n_critic=1, batch=100), architecture=_DCGAN),
    "minibatch-discrimination": Preset(Recipe("adam", 3e-4, (0.5, 0.999), n_critic=1, batch=100), architecture=_DCGAN),
    **{name: Preset(_ADAM_DCGAN, architecture=_DCGAN) for name in ("least-squares", "weight-norm", "layer-norm")},
    "instance-noise": Preset(_ADAM_DCGAN, architecture=_DCGAN),
}

# `matched`: the same optimiser, n_critic, batch and networks for all.
_MATCHED_POINTS = Recipe("adam", 5e-4, (0.0, 0.9), n_critic=5, batch=256)
_MATCHED_IMAGES = Recipe("adam", 2e-4, (0.0, 0.9), n_critic=5, batch=64)

# `stability`: the common toy setting of the stability studies.
_STABILITY_1 = Recipe("adam", 5e-4, (0.0, 0.9), n_critic=1, batch=256)
_STABILITY_5 = Recipe("adam", 5e-4, (0.0, 0.9), n_critic=5, batch=256)
_ZOO_1 = (
    *("least-squares", "dragan", "r1", "r2", "r3gan", "gn-gan", "weight-norm", "layer-norm"),
    *("instance-noise", "feature-matching"),
)
STABILITY: dict[str, Preset] = {
    "minimax": Preset(_STABILITY_1, architecture=_TOY_128),
    "non-saturating": Preset(_STABILITY_1, architecture=_TOY_128),
    "wgan-clip": Preset(Recipe("rmsprop", 5e-4, n_critic=5, batch=256), {"clip": 0.1}, _TOY_128),
    "wgan-gp": Preset(_STABILITY_5, {"weight": 0.1}, _TOY_128),
    "sn-gan": Preset(_STABILITY_1, {"loss": "non_saturating"}, _TOY_128),
    # The zoo: five critic steps where the critic estimates a Wasserstein distance, one where it is a discriminator.
    "wgan-lp": Preset(_STABILITY_5, {"weight": 0.1}, _TOY_128),
    "orthogonal": Preset(_STABILITY_5, {}, _TOY_128),
    "minibatch-discrimination": Preset(_STABILITY_1, {"kernels": 16}, _TOY_128),  # 100 would take most of the time
    **{name: Preset(_STABILITY_1, {}, _TOY_128) for name in _ZOO_1},
}

# `notebook`: GAN against WGAN on the ring of five Gaussians, as the course report's notebook trains them. Its Adam and
# RMSprop are a library's defaults beside the learning rate. GP and SN are not in it: they get its setting.
_NOTEBOOK = Recipe("adam", 5e-5, (0.9, 0.999), n_critic=5, batch=64)
_NOTEBOOK_MLP = {"name": "mlp", "width": 512, "activation": "leaky_relu", "latent": "uniform"}
NOTEBOOK: dict[str, Preset] = {
    "non-saturating": Preset(_NOTEBOOK, architecture=_NOTEBOOK_MLP),
    "wgan-clip": Preset(Recipe("rmsprop", 5e-5, n_critic=5, batch=64), {"clip": 0.01}, _NOTEBOOK_MLP),
    "wgan-gp": Preset(_NOTEBOOK, {"weight": 0.1}, _NOTEBOOK_MLP),
    "sn-gan": Preset(_NOTEBOOK, {"loss": "non_saturating"}, _NOTEBOOK_MLP),
}

# SN-GAN's robustness settings (Miyato et al. 2018, table 1): learning rate, β1, β2, n_critic.
SNGAN_SETTINGS: dict[str, tuple[float, float, float, int]] = {
    "sngan-a": (1e-4, 0.5, 0.9, 5),
    "sngan-b": (1e-4, 0.5, 0.999, 1),
    "sngan-c": (2e-4, 0.5, 0.999, 1),
    "sngan-d": (1e-3, 0.5, 0.9, 5),
    "sngan-e": (1e-3, 0.5, 0.999, 5),
    "sngan-f": (1e-3, 0.9, 0.999, 5),
}

_TOYS_ONLY = {"stability": STABILITY, "notebook": NOTEBOOK}
RECIPES = {
    "published": "each objective as its paper trains it",
    "matched": "the same optimiser, n_critic, batch and networks for all",
    "stability": "the common setting of the stability studies, on points",
    "notebook": "the course notebook's ring of five Gaussians, on points",
    **{
        name: f"SN-GAN's setting {name[-1].upper()}: Adam {lr:g}, betas {b1:g} and {b2:g}, n_critic {n}"
        for name, (lr, b1, b2, n) in SNGAN_SETTINGS.items()
    },
}
SETTINGS = tuple(f.name for f in fields(Recipe))


def preset(recipe: str, objective: str, is_points: bool) -> Preset | None:
    """The named recipe for an objective on points or images; None where it says nothing about that objective."""
    matched = _matched(objective, is_points)
    if recipe == "matched":
        return matched
    if recipe in SNGAN_SETTINGS:
        lr, beta1, beta2, n_critic = SNGAN_SETTINGS[recipe]
        settings = Recipe("adam", lr, (beta1, beta2), n_critic, batch=matched.recipe.batch)
        return Preset(settings, matched.arguments, matched.architecture)
    if recipe in _TOYS_ONLY:
        return _TOYS_ONLY[recipe].get(objective) if is_points else None
    return (PUBLISHED_POINTS if is_points else PUBLISHED_IMAGES).get(objective)


def _matched_arguments(objective: str, is_points: bool) -> Mapping[str, Any]:
    """The constraint's own hyper-parameters stay the published ones: only the optimisation is matched."""
    published = (PUBLISHED_POINTS if is_points else PUBLISHED_IMAGES).get(objective)
    return {} if published is None else published.arguments


def check_recipe(entry: Named, objectives: Sequence[str], where: str) -> None:
    """Every key of a suite's recipe stands for something: a setting, or one of the objectives. Raises BadInput if not.

    Args:
        entry: a name, settings, or a mapping objective → recipe.
        objectives: what the suite's objectives may be called by.
        where: opens the message.
    """
    if isinstance(entry, str) or set(entry) == {"name"}:
        return
    allowed = ["name", *SETTINGS] if set(entry) & set(SETTINGS) else ["name", "default", *objectives, *SETTINGS]
    for key in entry:
        if key not in allowed:
            raise BadInput(f"{where}: {unknown('key', key, allowed)}")
    name = entry.get("name", "own")
    if not isinstance(name, str) or name in RECIPES:
        raise BadInput(f"{where}: name={name!r}: must be a text that is no recipe of lipbench's ({', '.join(RECIPES)})")


def resolve_recipe(
    entry: Named, target: str, objective: str, is_points: bool, where: str
) -> tuple[str, Preset, str | None]:
    """Label and settings of a suite's recipe for one objective, and why the objective is skipped under it.

    Args:
        entry: a name, settings, or a mapping objective → recipe, with `default` for the others (or `published`).
        target: what the suite calls the objective.
        objective: the objective's own name.
        is_points: whether the data are points.
        where: opens the message of a BadInput.
    """
    if isinstance(entry, dict) and set(entry) == {"name"}:
        entry = entry["name"]
    if isinstance(entry, str):
        return entry, *_named(entry, objective, is_points, where)
    if set(entry) & set(SETTINGS):
        given = {k: v for k, v in entry.items() if k != "name"}
        settings = _own(given, objective, is_points, where)
        shown = {k: getattr(settings.recipe, k) for k in given}
        return entry.get("name") or label("custom", shown), settings, None
    own = entry.get(target, entry.get(objective, entry.get("default", "published")))
    # One label for the whole mapping: it is one protocol, and its objectives belong into one table.
    name = entry.get("name", "own")
    if isinstance(own, str):
        return name, *_named(own, objective, is_points, where)
    if not isinstance(own, dict) or not set(own) & set(SETTINGS):
        raise BadInput(f"{where}: {target}: must be the name of a recipe, or settings among {', '.join(SETTINGS)}")
    return name, _own(own, objective, is_points, f"{where}: {target}"), None


def _named(recipe: str, objective: str, is_points: bool, where: str) -> tuple[Preset, str | None]:
    if recipe not in RECIPES:
        raise BadInput(f"{where}: {unknown('recipe', recipe, list(RECIPES))}")
    known = preset(recipe, objective, is_points)
    if known is not None:
        return known, None
    data = "points" if is_points else "images"
    reason = f"recipe '{recipe}' says nothing about {objective} on {data}: give its own, or use 'matched'"
    return _matched(objective, is_points), reason


def _matched(objective: str, is_points: bool) -> Preset:
    recipe = _MATCHED_POINTS if is_points else _MATCHED_IMAGES
    return Preset(recipe, _matched_arguments(objective, is_points), _TOY_128 if is_points else _DCGAN)


def _own(settings: Mapping[str, Any], objective: str, is_points: bool, where: str) -> Preset:
    """Settings of a suite; what they leave out is a Recipe's default, batch and networks those of `matched`."""
    base = _matched(objective, is_points)
    for key in settings:
        if key not in SETTINGS:
            raise BadInput(f"{where}: {unknown('key', key, list(SETTINGS))}")
    try:
        recipe = TypeAdapter(Recipe).validate_python({"batch": base.recipe.batch, **settings})
    except ValidationError as error:
        problem = error.errors()[0]
        told = problem["msg"].removeprefix("Value error, ").removeprefix("recipe: ")
        key = f"{problem['loc'][0]}={problem['input']!r}: " if problem["loc"] else ""
        raise BadInput(f"{where}: {key}{told}") from error
    return Preset(recipe, base.arguments, base.architecture)
