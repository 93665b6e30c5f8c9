"""SN-GAN's standard CNN (Miyato et al. 2018, appendix B, table 3) for 32, 48 and 64 pixels. No residual networks."""

from torch import Tensor, nn

from ..objectives.checks import choice, positive_integer
from .attention import SelfAttention
from .conditional import UNCONDITIONAL, Condition, batch_norm
from .networks import Networks, normal_initialise, square

SIDES = (32, 48, 64)  # the paper's are 32 and 48; 64 has the same layers on larger maps
VARIANTS = ("table", "code")
SLOPE = 0.1  # of every leaky ReLU


class SNGANGenerator(nn.Module):
    """Latents [B, latent_dim] to images [B, C, S, S] in [−1, 1]; table 3 (a), with M_g = S / 8."""

    def __init__(
        self,
        size: tuple[int, int],
        channels: int,
        latent_dim: int,
        variant: str,
        condition: Condition = UNCONDITIONAL,
        attention: bool = False,
    ) -> None:
        super().__init__()
        colours, side = size
        width, classes = 8 * channels, condition.classes_of_norm("batch")
        self.project = condition.generator_input("batch", nn.Linear, latent_dim, width * (side // 8) ** 2)
        layers: list[nn.Module] = [nn.Unflatten(1, (width, side // 8, side // 8))]
        if variant == "code":
            layers += [batch_norm(width, classes), nn.ReLU()]
        for stage in range(3):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1), batch_norm(width // 2, classes), nn.ReLU()]
            width //= 2
            layers += [SelfAttention(width)] if attention and stage == 1 else []
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, colours, 3, 1, 1), nn.Tanh())
        self.apply(normal_initialise)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim] → [B, C, S, S]."""
        return self.layers(self.project(latent))


class SNGANCritic(nn.Module):
    """Images [B, C, S, S] to logits [B]; table 3 (b): pairs of a 3×3 and a strided 4×4 convolution, dense head."""

    def __init__(
        self,
        size: tuple[int, int],
        channels: int,
        variant: str,
        condition: Condition = UNCONDITIONAL,
        attention: bool = False,
    ) -> None:
        super().__init__()
        colours, side = size
        layers: list[nn.Module] = condition.critic_input()
        inputs = colours + condition.maps
        for width in (channels, 2 * channels, 4 * channels):
            strided = 2 * width if variant == "code" else width
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.LeakyReLU(SLOPE)]
            layers += [nn.Conv2d(width, strided, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            layers += [SelfAttention(strided)] if attention and width == channels else []
            inputs = strided
        layers += [nn.Conv2d(inputs, 8 * channels, 3, 1, 1), nn.LeakyReLU(SLOPE)]
        head = nn.Linear(8 * channels * (side // 8) ** 2, 1)
        self.layers = nn.Sequential(*layers, nn.Flatten(), condition.critic_head(head))
        self.apply(normal_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] → [B]."""
        return self.layers(x).squeeze(1)


def sngan_cnn(
    shape: tuple[int, ...],
    *,
    channels: int = 64,
    variant: str = "table",
    latent_dim: int = 128,
    classes: int = 0,
    conditioning: str = "projection",
    attention: bool = False,
) -> Networks:
    """SN-GAN's standard CNN (Miyato et al. 2018, table 3) for 32, 48 or 64 pixels; batch norm in the generator alone.

    Args:
        shape: (1 or 3, 32 | 48 | 64, the same).
        channels: feature maps at the largest resolution; the paper's 64.
        variant: `table`, the paper's layers; or `code`, layers and widths of the authors' program (chainer-gan-lib,
            common/net.py) and of most others: batch norm and ReLU after the generator's dense layer too, and strided
            convolutions that double the channels. Slope and latents stay those of the paper (the program has 0.2 and
            uniform ones), and that batch norm is by channel (there it comes before the reshape, by unit).
        latent_dim: dimension of the normal latent; the paper's 128.
        classes: of the data's labels, 0 for unconditional networks.
        conditioning: `projection` (batch norm by class in the generator) or `concat` (labels beside the inputs).
        attention: SAGAN's self-attention in both networks, at half the side: its 32 × 32 where images have 64 pixels.

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("sngan-cnn", shape, SIDES)
    positive_integer("channels", channels)
    choice("variant", variant, VARIANTS)
    positive_integer("latent_dim", latent_dim)
    condition, size = Condition(classes, conditioning), (colours, side)
    return condition.networks(
        SNGANGenerator(size, channels, latent_dim, variant, condition, attention),
        SNGANCritic(size, channels, variant, condition, attention),
        latent_dim,
    )
