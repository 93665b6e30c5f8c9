"""SN-GAN's standard CNN (Miyato et al. 2018, appendix B, table 3) for 32, 48 and 64 pixels. No residual networks."""

from torch import Tensor, nn

from ..objectives.checks import choice, positive_integer
from .networks import Networks, normal_initialise, square

SIDES = (32, 48, 64)  # the paper's are 32 and 48; 64 has the same layers on larger maps
VARIANTS = ("table", "code")
SLOPE = 0.1  # of every leaky ReLU


class SNGANGenerator(nn.Module):
    """Latents [B, latent_dim] to images [B, C, S, S] in [−1, 1]; table 3 (a), with M_g = S / 8."""

    def __init__(self, colours: int, side: int, channels: int, latent_dim: int, variant: str) -> None:
        super().__init__()
        width = 8 * channels
        self.project = nn.Linear(latent_dim, width * (side // 8) ** 2)
        layers: list[nn.Module] = [nn.Unflatten(1, (width, side // 8, side // 8))]
        if variant == "code":
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        for _ in range(3):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1), nn.BatchNorm2d(width // 2), nn.ReLU()]
            width //= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, colours, 3, 1, 1), nn.Tanh())
        self.apply(normal_initialise)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, latent_dim] → [B, C, S, S]."""
        return self.layers(self.project(latent))


class SNGANCritic(nn.Module):
    """Images [B, C, S, S] to logits [B]; table 3 (b): pairs of a 3×3 and a strided 4×4 convolution, dense head."""

    def __init__(self, colours: int, side: int, channels: int, variant: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = colours
        for width in (channels, 2 * channels, 4 * channels):
            strided = 2 * width if variant == "code" else width
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.LeakyReLU(SLOPE)]
            layers += [nn.Conv2d(width, strided, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            inputs = strided
        layers += [nn.Conv2d(inputs, 8 * channels, 3, 1, 1), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * channels * (side // 8) ** 2, 1))
        self.apply(normal_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] → [B]."""
        return self.layers(x).squeeze(1)


def sngan_cnn(shape: tuple[int, ...], *, channels: int = 64, variant: str = "table", latent_dim: int = 128) -> Networks:
    """SN-GAN's standard CNN (Miyato et al. 2018, table 3) for 32, 48 or 64 pixels; batch norm in the generator alone.

    Args:
        shape: (1 or 3, 32 | 48 | 64, the same).
        channels: feature maps at the largest resolution; the paper's 64.
        variant: `table`, the paper's layers; or `code`, layers and widths of the authors' program (chainer-gan-lib,
            common/net.py) and of most others: batch norm and ReLU after the generator's dense layer too, and strided
            convolutions that double the channels. Slope and latents stay those of the paper (the program has 0.2 and
            uniform ones), and that batch norm is by channel (there it comes before the reshape, by unit).
        latent_dim: dimension of the normal latent; the paper's 128.

    Raises:
        BadInput: for a value that is not allowed.
        Unsuited: for another shape.
    """
    colours, side = square("sngan-cnn", shape, SIDES)
    positive_integer("channels", channels)
    choice("variant", variant, VARIANTS)
    return Networks(
        SNGANGenerator(colours, side, channels, positive_integer("latent_dim", latent_dim), variant),
        SNGANCritic(colours, side, channels, variant),
        latent_dim,
    )
