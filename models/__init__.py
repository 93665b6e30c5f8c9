"""What is trained: architectures, recipes and the one Lightning module."""

from collections.abc import Callable

from .acceleration import ACCELERATIONS, check_capability, check_device, refusal
from .dcgan import dcgan, to_uint8
from .gan import CHUNK, GAN, SCALARS, STREAMS, RealData, stream_seed
from .local_cnn import local_cnn
from .mlp import mlp
from .networks import Networks, Unsuited, draw_latent
from .precision import PRECISIONS, repeatable_float32, tensor_float32
from .recipe import Recipe
from .resnet import sngan_resnet, wgangp_resnet
from .sngan_cnn import sngan_cnn

ARCHITECTURES: dict[str, Callable[..., Networks]] = {
    "mlp": mlp,
    "dcgan": dcgan,
    "sngan-cnn": sngan_cnn,
    "sngan-resnet": sngan_resnet,
    "wgangp-resnet": wgangp_resnet,
    "local-cnn": local_cnn,
}

__all__ = [
    "ACCELERATIONS",
    "ARCHITECTURES",
    "CHUNK",
    "GAN",
    "PRECISIONS",
    "SCALARS",
    "STREAMS",
    "Networks",
    "RealData",
    "Recipe",
    "Unsuited",
    "check_capability",
    "check_device",
    "draw_latent",
    "refusal",
    "repeatable_float32",
    "stream_seed",
    "tensor_float32",
    "to_uint8",
]
