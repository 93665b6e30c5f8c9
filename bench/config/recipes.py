"""The named recipes: how each objective is optimised, as its paper does it (`published`) or all alike (`matched`).

Learning rates and the like belong here, not to the objective; the sources of the numbers stand beside them. What a
suite writes under `recipe` is read in resolve.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ...models.recipe import Recipe
from ..data.catalog import Kind


@dataclass(frozen=True)
class Preset:
    """A recipe, with the objective's arguments and the architecture that go with it unless the suite says otherwise.

    `steps` is how long its source trains, where a suite may ask for that.
    """

    recipe: Recipe
    arguments: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None


_TOY_512 = {"name": "mlp", "width": 512}  # the 3 × 512 networks of WGAN-GP's toy code
_TOY_128 = {"name": "mlp", "width": 128}
_DCGAN = {"name": "dcgan"}
_ADAM_TOY = Recipe("adam", 1e-4, (0.5, 0.9), n_critic=1, batch=256)
_ADAM_DCGAN = Recipe("adam", 2e-4, (0.5, 0.999), n_critic=1, batch=64)  # DCGAN practice; SN-GAN's setting C
_ADAM_GP = Recipe("adam", 1e-4, (0.0, 0.9), n_critic=5, batch=64)  # WGAN-GP, algorithm 1

_UNCONSTRAINED = ("least-squares", "weight-norm", "layer-norm", "instance-noise", "feature-matching")

# On 2-D toys the official toy code gives GP's recipe; where a paper gives none, the choice is named here.
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
    # Authors' code but for γ: its reg_param 10 has no ½, so that it is γ = 20 here; 10 is the paper's (section 5).
    "r1": Preset(Recipe("rmsprop", 1e-4, n_critic=1, batch=64, ema=0.999), architecture=_DCGAN),
    "r2": Preset(Recipe("rmsprop", 1e-4, n_critic=1, batch=64, ema=0.999), architecture=_DCGAN),  # as R1, a choice
    # The authors' first rate and γ on CIFAR-10, without what cannot be expressed here or is theirs alone: schedules of
    # rate, β2 and γ, and a moving average over five million images.
    "r3gan": Preset(Recipe("adam", 2e-4, (0.0, 0.9), n_critic=1, batch=512), {"gamma": 0.05}, _DCGAN),
    "gn-gan": Preset(
        Recipe("adam", 2e-4, (0.0, 0.9), n_critic=1, batch=64, ema=0.9999, generator_batch=128),
        {"loss": "non_saturating"},
        _DCGAN,
    ),  # Wu et al. 2021: the authors' GN-GAN_CIFAR10_CNN
    "orthogonal": Preset(
        Recipe("adam", 2e-4, (0.5, 0.999), n_critic=5, batch=64, critic_lr=2e-3), architecture=_DCGAN
    ),  # code of Anil et al. 2019 on MNIST, with Björck's iteration
    "feature-matching": Preset(Recipe("adam", 3e-4, (0.5, 0.999), n_critic=1, batch=100), architecture=_DCGAN),
    "minibatch-discrimination": Preset(Recipe("adam", 3e-4, (0.5, 0.999), n_critic=1, batch=100), architecture=_DCGAN),
    **{name: Preset(_ADAM_DCGAN, architecture=_DCGAN) for name in ("least-squares", "weight-norm", "layer-norm")},
    "instance-noise": Preset(_ADAM_DCGAN, architecture=_DCGAN),
}

# From 32 pixels on, SN-GAN's standard CNN and what its authors trained it with; the others as on digits.
_CNN = {"name": "sngan-cnn"}
_SNGAN_A = Recipe("adam", 1e-4, (0.5, 0.9), n_critic=5, batch=64)  # SN-GAN's setting A: that of WGAN-GP's own code
PUBLISHED_PHOTOS: dict[str, Preset] = {
    **{name: replace(known, architecture=_CNN) for name, known in PUBLISHED_IMAGES.items()},
    "wgan-gp": Preset(_SNGAN_A, {"weight": 10.0}, _CNN),
    "wgan-lp": Preset(_SNGAN_A, {"weight": 10.0}, _CNN),
}

# `published-resnet`: the residual networks of three papers. All update the generator with twice the batch.
_RESNET = Recipe(
    "adam", 2e-4, (0.0, 0.9), n_critic=5, batch=64, decay="linear", generator_batch=128, dequantise="uniform"
)
RESNET: dict[str, Preset] = {
    "sn-gan": Preset(_RESNET, {"loss": "hinge"}, {"name": "sngan-resnet"}),  # Miyato et al. 2018, appendix B.2
    "wgan-gp": Preset(_RESNET, {"weight": 10.0}, {"name": "wgangp-resnet"}),  # Gulrajani et al. 2017, appendix F
    # Wu et al. 2021: the authors' GN-GAN_CIFAR10_RES.
    "gn-gan": Preset(replace(_RESNET, critic_lr=4e-4, ema=0.9999), {"loss": "hinge"}, {"name": "sngan-resnet"}),
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

# `korotin-2022`: critics on pairs whose optimal transport is known, as the code of Korotin, Kolesov, Burnaev 2022
# (arXiv:2206.07767) trains them. It clips weights before each pass, sorts whole layers, and holds σ constant.
_KOROTIN = Recipe("adam", 2e-4, (0.0, 0.9), n_critic=1, batch=1024)
_KOROTIN_MLP = {"name": "korotin-mlp"}
_WASSERSTEIN = {"loss": "wasserstein"}
_SPECTRAL = {**_WASSERSTEIN, "power_iterations": 5}
KOROTIN: dict[str, Preset] = {
    "wgan-clip": Preset(_KOROTIN, {"clip": 0.04, "biases": False, "start_clipped": True}, _KOROTIN_MLP, 5000),
    "wgan-gp": Preset(_KOROTIN, {"weight": 10.0}, _KOROTIN_MLP, 60_000),
    "wgan-lp": Preset(_KOROTIN, {"weight": 10.0}, _KOROTIN_MLP, 60_000),
    "sn-gan": Preset(_KOROTIN, {**_SPECTRAL, "constant_sigma": True}, _KOROTIN_MLP, 10_000),
    "orthogonal": Preset(replace(_KOROTIN, betas=(0.9, 0.999)), {"group": None}, _KOROTIN_MLP, 25_000),
}
# The benchmark has no others: under `matched` those that keep a critic from being steep estimate W1 as well.
_DUAL = ("dragan", "r1", "r2", "gn-gan", "weight-norm", "layer-norm")
# Under it sn-gan is the one of its own paper.
_PUBLISHED_PAIRS = {
    **{name: Preset(_KOROTIN, _WASSERSTEIN, _KOROTIN_MLP) for name in _DUAL},
    **KOROTIN,
    "sn-gan": Preset(_KOROTIN, _SPECTRAL, _KOROTIN_MLP),
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

_PUBLISHED = {
    "points": PUBLISHED_POINTS,
    "digits": PUBLISHED_IMAGES,
    "photos": PUBLISHED_PHOTOS,
    "pairs": _PUBLISHED_PAIRS,
}
_MATCHED = {
    "points": (_MATCHED_POINTS, _TOY_128),
    "digits": (_MATCHED_IMAGES, _DCGAN),
    "photos": (_MATCHED_IMAGES, _CNN),
    "pairs": (_KOROTIN, _KOROTIN_MLP),
}
# Recipes that know one kind of data alone.
_ONLY = {
    "stability": ("points", STABILITY),
    "notebook": ("points", NOTEBOOK),
    "published-resnet": ("photos", RESNET),
    "korotin-2022": ("pairs", KOROTIN),
}
RECIPES = {
    "published": "each objective as its paper trains it; from 32 pixels on, SN-GAN's standard CNN",
    "published-resnet": "sn-gan, wgan-gp and gn-gan with their papers' residual networks, from 32 pixels on",
    "matched": "the same optimiser, n_critic, batch and networks for all",
    "stability": "the common setting of the stability studies, on points",
    "korotin-2022": "critics on pairs of known optimal transport, as that benchmark's authors train them",
    "notebook": "the course notebook's ring of five Gaussians, on points",
    **{
        name: f"SN-GAN's setting {name[-1].upper()}: Adam {lr:g}, betas {b1:g} and {b2:g}, n_critic {n}"
        for name, (lr, b1, b2, n) in SNGAN_SETTINGS.items()
    },
}
SETTINGS = tuple(f.name for f in fields(Recipe))


def preset(recipe: str, objective: str, kind: Kind) -> Preset | None:
    """The named recipe for an objective on that kind of data; None where it says nothing about it."""
    common = matched(objective, kind)
    if recipe == "matched":
        return common
    if recipe in SNGAN_SETTINGS:
        lr, beta1, beta2, n_critic = SNGAN_SETTINGS[recipe]
        settings = Recipe("adam", lr, (beta1, beta2), n_critic, batch=common.recipe.batch)
        return Preset(settings, common.arguments, common.architecture)
    if recipe in _ONLY:
        only, presets = _ONLY[recipe]
        return presets.get(objective) if kind == only else None
    return (KOROTIN if kind == "pairs" else _PUBLISHED[kind]).get(objective)


def matched(objective: str, kind: Kind) -> Preset:
    """The recipe `matched`, which stands in where another one says nothing.

    The constraint's own hyper-parameters stay the published ones: only the optimisation is matched.
    """
    published = _PUBLISHED[kind].get(objective)
    recipe, architecture = _MATCHED[kind]
    return Preset(recipe, {} if published is None else published.arguments, architecture)
