"""Which architectures are built in, by name. Imports none of them."""

from typing import TYPE_CHECKING

from ..objectives.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .networks import Networks

ARCHITECTURES: "Registry[Callable[..., Networks]]" = Registry(
    "lipbench.models",
    {
        "mlp": "mlp:mlp",
        "dcgan": "dcgan:dcgan",
        "sngan-cnn": "sngan_cnn:sngan_cnn",
        "sngan-resnet": "resnet:sngan_resnet",
        "wgangp-resnet": "resnet:wgangp_resnet",
        "local-cnn": "local_cnn:local_cnn",
        "korotin-mlp": "korotin_mlp:korotin_mlp",
        "pacgan-mlp": "pacgan_mlp:pacgan_mlp",
    },
)
