"""DCGAN's convolutional pair (Radford et al. 2016) for 8, 16, 28 and 32 pixels, 1 or 3 channels."""

import torch
from torch import Tensor, nn

from ..objectives.checks import choice, positive_integer
from .conditional import UNCONDITIONAL, Condition, batch_norm
from .networks import NORMS, Networks, normal_initialise, square

# Side of the image → strided stages between it and the smallest feature map (side / 2^stages).
STAGES = {8: 2, 16: 2, 28: 2, 32: 3}


def _norm(kind: str, channels: int, classes: int = 0) -> list[nn.Module]:
    # Layer norm over channels and places, with a gain per channel, is group norm with one group.
    return {"none": [], "batch": [batch_norm(channels, classes)], "layer": [nn.GroupNorm(1, channels)]}[kind]


class DCGANGenerator(nn.Module):
    """Latents [B, latent_dim] to images [B, C, H, W] in [−1, 1]: linear, transposed convolutions, tanh."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: int,
        latent_dim: int,
        norm: str,
        condition: Condition = UNCONDITIONAL,
    ) -> None:
        super().__init__()
        classes = condition.classes_of_norm(norm)
        stages = STAGES[shape[1]]
        side, width = shape[1] >> stages, channels << (stages - 1)
        self.project = condition.generator_input(norm, nn.Linear, latent_dim, width * side * side)
        layers: list[nn.Module] = [nn.Unflatten(1, (width, side, side)), *_norm(norm, width, classes), nn.ReLU()]
        for _ in range(stages - 1):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1), *_norm(norm, width // 2, classes), nn.ReLU()]
            width //= 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, shape[0], 4, 2, 1), nn.Tanh())
        self.apply(normal_initialise)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim] → [B, C, H, W]."""
        return self.layers(self.project(latent))


class DCGANCritic(nn.Module):
    """Images [B, C, H, W] to logits [B]: strided convolutions with leaky ReLU, and a linear output."""

    def __init__(
        self, shape: tuple[int, int, int], channels: int, norm: str, condition: Condition = UNCONDITIONAL
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = condition.critic_input()
        inputs, side = shape[0] + condition.maps, shape[1]
        for stage in range(STAGES[side]):
            width = channels << stage
            # DCGAN leaves the norm out at the input.
            layers += [nn.Conv2d(inputs, width, 4, 2, 1), *_norm(norm if stage else "none", width), nn.LeakyReLU(0.2)]
            inputs = width
        smallest = side >> STAGES[side]
        head = nn.Linear(inputs * smallest * smallest, 1)
        self.layers = nn.Sequential(*layers, nn.Flatten(), condition.critic_head(head))
        self.apply(normal_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B]."""
        return self.layers(x).squeeze(1)


def dcgan(
    shape: tuple[int, ...],
    *,
    channels: int = 64,
    norm: str = "batch",
    critic_norm: str = "none",
    latent_dim: int = 64,
    classes: int = 0,
    conditioning: str = "projection",
) -> Networks:
    """The pair for images of `shape`; no norm in the critic by default, so that slopes per sample are defined.

    Args:
        shape: (1 or 3, 8 | 16 | 28 | 32, the same).
        channels: feature maps at the largest resolution; doubled at each stage.
        norm: the generator's, one of `NORMS`.
        critic_norm: the critic's.
        latent_dim: dimension of the normal latent.
        classes: of the data's labels, 0 for unconditional networks.
        conditioning: `projection` (batch norm by class in the generator) or `concat` (labels beside the inputs).

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("dcgan", shape, tuple(STAGES))
    image = (colours, side, side)
    positive_integer("channels", channels)
    positive_integer("latent_dim", latent_dim)
    condition = Condition(classes, conditioning)
    return condition.networks(
        DCGANGenerator(image, channels, latent_dim, choice("norm", norm, NORMS), condition),
        DCGANCritic(image, channels, choice("critic_norm", critic_norm, NORMS), condition),
        latent_dim,
    )


def to_uint8(images: Tensor) -> Tensor:
    """Images in [−1, 1] to uint8 0…255, rounded."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
