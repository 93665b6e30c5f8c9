"""The residual networks of SN-GAN (Miyato et al. 2018, tables 4, 5) and WGAN-GP (Gulrajani et al. 2017, appendix F).

Batch norm in the generators alone. Weights start Glorot-uniform, with gain √2 in the 3×3 convolutions of the blocks, as
in both papers' programs; biases at zero.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from torch import Tensor, nn

from ..objectives.checks import positive_integer
from .attention import SelfAttention
from .conditional import UNCONDITIONAL, Condition, batch_norm
from .networks import Networks, square


class ResidualBlock(nn.Module):
    """x ↦ shortcut(x) + residual(x); the shortcut is the identity where `shortcut` is empty."""

    def __init__(self, residual: list[nn.Module], shortcut: list[nn.Module]) -> None:
        super().__init__()
        self.residual, self.shortcut = nn.Sequential(*residual), nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H', W']."""
        return self.shortcut(x) + self.residual(x)


class SumPool(nn.Module):
    """Sum over all places: [B, C, H, W] → [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C]."""
        return x.sum(dim=(2, 3))


class MeanPool(nn.Module):
    """Mean over all places: [B, C, H, W] → [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C]."""
        return x.mean(dim=(2, 3))


def _conv(inputs: int, outputs: int, size: int = 3, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _inner(inputs: int, outputs: int) -> nn.Conv2d:
    return _conv(inputs, outputs, gain=sqrt(2))


def _dense(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def up_block(inputs: int, outputs: int, classes: int = 0) -> ResidualBlock:
    """Of a generator: doubles the side by nearest neighbours, before the first convolution."""
    residual = [batch_norm(inputs, classes), nn.ReLU(), nn.Upsample(scale_factor=2), _inner(inputs, outputs)]
    residual += [batch_norm(outputs, classes), nn.ReLU(), _inner(outputs, outputs)]
    return ResidualBlock(residual, [nn.Upsample(scale_factor=2), _conv(inputs, outputs, 1)])


def first_block(inputs: int, outputs: int) -> ResidualBlock:
    """Of a critic: no activation before the pixels; halves the side by averaging."""
    residual = [_inner(inputs, outputs), nn.ReLU(), _inner(outputs, outputs), nn.AvgPool2d(2)]
    return ResidualBlock(residual, [nn.AvgPool2d(2), _conv(inputs, outputs, 1)])


def block(inputs: int, outputs: int, down: bool) -> ResidualBlock:
    """Of a critic: halves the side by averaging at its end if `down`; hidden channels as the inputs'."""
    residual = [nn.ReLU(), _inner(inputs, inputs), nn.ReLU(), _inner(inputs, outputs)]
    shortcut: list[nn.Module] = [_conv(inputs, outputs, 1)] if down or inputs != outputs else []
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if down else []
    return ResidualBlock(residual + pool, shortcut + pool)


@dataclass(frozen=True)
class Plan:
    """The blocks of a pair, in multiples of `channels`.

    `up` are the channels of the generator's first map and after each up-block; `critic` after each block, of which the
    first `down` halve the side. `bias` is the critic's last layer's.
    """

    up: tuple[int, ...]
    critic: tuple[int, ...]
    down: int
    bias: bool = False


class ResNetGenerator(nn.Module):
    """Latents [B, latent_dim] to images [B, C, S, S] in [−1, 1]: dense, up-blocks, batch norm, ReLU, 3×3, tanh."""

    def __init__(
        self,
        size: tuple[int, int],
        widths: list[int],
        latent_dim: int,
        condition: Condition = UNCONDITIONAL,
        attention: bool = False,
    ) -> None:
        super().__init__()
        colours, side = size
        smallest, classes = side >> (len(widths) - 1), condition.classes_of_norm("batch")
        self.project = condition.generator_input("batch", _dense, latent_dim, widths[0] * smallest**2)
        blocks: list[nn.Module] = [up_block(a, b, classes) for a, b in pairwise(widths)]
        if attention:
            blocks.insert(len(blocks) - 1, SelfAttention(widths[-2]))
        head = [nn.BatchNorm2d(widths[-1]), nn.ReLU(), _conv(widths[-1], colours), nn.Tanh()]
        self.layers = nn.Sequential(nn.Unflatten(1, (widths[0], smallest, smallest)), *blocks, *head)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim] → [B, C, S, S]."""
        return self.layers(self.project(latent))


class ResNetCritic(nn.Module):
    """Images [B, C, S, S] to logits [B]: blocks, ReLU, a global pool, dense (with a bias or, as SN-GAN's, without)."""

    def __init__(
        self,
        colours: int,
        plan: Plan,
        channels: int,
        pool: nn.Module,
        condition: Condition = UNCONDITIONAL,
        attention: bool = False,
    ) -> None:
        super().__init__()
        widths = [channels * multiple for multiple in plan.critic]
        blocks: list[nn.Module] = [*condition.critic_input(), first_block(colours + condition.maps, widths[0])]
        blocks += [SelfAttention(widths[0])] if attention else []
        blocks += [block(a, b, down=i < plan.down) for i, (a, b) in enumerate(pairwise(widths), start=1)]
        head = condition.critic_head(_dense(widths[-1], 1, plan.bias))
        self.layers = nn.Sequential(*blocks, nn.ReLU(), pool, head)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] → [B]."""
        return self.layers(x).squeeze(1)


# Side → plan. 32: table 4, in units of 128; 48: table 5, in units of 64; 64: the authors' program, cut from 128 pixels.
SNGAN_PLANS = {
    32: Plan((2, 2, 2, 2), (1, 1, 1, 1), 2),
    48: Plan((8, 4, 2, 1), (1, 2, 4, 8, 16), 4),
    64: Plan((16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 5),
}
SNGAN_CHANNELS = {32: 128, 48: 64, 64: 64}
WGANGP_PLAN = Plan((1, 1, 1, 1), (1, 1, 1, 1), 2, bias=True)


def sngan_resnet(
    shape: tuple[int, ...],
    *,
    channels: int | None = None,
    latent_dim: int = 128,
    classes: int = 0,
    conditioning: str = "projection",
    attention: bool = False,
) -> Networks:
    """SN-GAN's residual networks (Miyato et al. 2018, tables 4 and 5) for 32, 48 or 64 pixels; sum pooling.

    Args:
        shape: (1 or 3, 32 | 48 | 64, the same).
        channels: of the critic's first block; None for the paper's: 128 at 32 pixels, 64 otherwise.
        latent_dim: dimension of the normal latent; the paper's 128.
        classes: of the data's labels, 0 for unconditional networks.
        conditioning: `projection` (batch norm by class in the generator) or `concat` (labels beside the inputs).
        attention: SAGAN's self-attention in both networks, at half the side: its 32 × 32 where images have 64 pixels.

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("sngan-resnet", shape, tuple(SNGAN_PLANS))
    plan, condition = SNGAN_PLANS[side], Condition(classes, conditioning)
    channels = positive_integer("channels", SNGAN_CHANNELS[side] if channels is None else channels)
    up = [channels * multiple for multiple in plan.up]
    positive_integer("latent_dim", latent_dim)
    return condition.networks(
        ResNetGenerator((colours, side), up, latent_dim, condition, attention),
        ResNetCritic(colours, plan, channels, SumPool(), condition, attention),
        latent_dim,
    )


def wgangp_resnet(shape: tuple[int, ...], *, channels: int = 128, latent_dim: int = 128) -> Networks:
    """WGAN-GP's residual networks for CIFAR-10 (Gulrajani et al. 2017, appendix F), 32 pixels; mean pooling.

    Args:
        shape: (1 or 3, 32, 32).
        channels: of every block; the paper's 128.
        latent_dim: dimension of the normal latent; the paper's 128.

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("wgangp-resnet", shape, (32,))
    up = [positive_integer("channels", channels) * multiple for multiple in WGANGP_PLAN.up]
    return Networks(
        ResNetGenerator((colours, side), up, positive_integer("latent_dim", latent_dim)),
        ResNetCritic(colours, WGANGP_PLAN, channels, MeanPool()),
        latent_dim,
    )
