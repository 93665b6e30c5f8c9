"""SN-GAN's standard CNN: parameter counts from the paper's table, layers, initialisation, and what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn

from lipbench.models import Unsuited
from lipbench.models.sngan_cnn import sngan_cnn
from lipbench.objectives import BadInput

# Table 3 (b), a row a layer: kernel, stride, channels out. The code doubles the channels in the strided layers.
TABLE = [(3, 1, 64), (4, 2, 64), (3, 1, 128), (4, 2, 128), (3, 1, 256), (4, 2, 256), (3, 1, 512)]
CODE = [(3, 1, 64), (4, 2, 128), (3, 1, 128), (4, 2, 256), (3, 1, 256), (4, 2, 512), (3, 1, 512)]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def critic_size(rows: list[tuple[int, int, int]], colours: int, side: int) -> int:
    total, channels = 0, colours
    for kernel, stride, out in rows:
        total += kernel * kernel * channels * out + out
        channels, side = out, side // stride
    return total + channels * side * side + 1


def generator_size(colours: int, side: int, norm_after_dense: bool) -> int:
    smallest = side // 8
    total = (128 + 1) * smallest * smallest * 512 + (2 * 512 if norm_after_dense else 0)
    for before, after in ((512, 256), (256, 128), (128, 64)):
        total += 16 * before * after + after + 2 * after
    return total + 9 * 64 * colours + colours


@pytest.mark.parametrize("side", [32, 48, 64])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(("variant", "rows"), [("table", TABLE), ("code", CODE)])
def test_sngan_cnn_has_the_parameters_of_the_table(side: int, colours: int, variant: str, rows: Any) -> None:
    networks = sngan_cnn((colours, side, side), variant=variant)
    assert count(networks.critic) == critic_size(rows, colours, side)
    assert count(networks.generator) == generator_size(colours, side, variant == "code")


def test_sngan_cnn_code_has_the_parameters_of_a_reference_implementation() -> None:
    # w86763777/pytorch-gan-collections, source/models/sngan.py: Generator32, Discriminator32
    networks = sngan_cnn((3, 32, 32), variant="code")
    assert (count(networks.generator), count(networks.critic)) == (3_813_379, 5_860_865)


@pytest.mark.parametrize("variant", ["table", "code"])
def test_sngan_cnn_critic_has_the_rows_of_its_table_in_order(variant: str) -> None:
    layers = list(sngan_cnn((3, 48, 48), variant=variant).critic.modules())
    rows = [(m.kernel_size[0], m.stride[0], m.out_channels) for m in layers if isinstance(m, nn.Conv2d)]
    assert rows == {"table": TABLE, "code": CODE}[variant]
    assert {m.negative_slope for m in layers if isinstance(m, nn.LeakyReLU)} == {0.1}
    assert sum(isinstance(m, nn.LeakyReLU) for m in layers) == 7
    assert not any(isinstance(m, nn.modules.batchnorm._NormBase) for m in layers)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (3, 48, 48), (3, 64, 64)])
def test_sngan_cnn_makes_and_judges_images_of_the_shape(shape: tuple[int, ...]) -> None:
    networks = sngan_cnn(shape, channels=2, latent_dim=5)
    images = networks.generator(torch.randn(4, 5))
    assert images.shape == (4, *shape)
    assert images.abs().max() <= 1
    assert networks.critic(images).shape == (4,)


def test_sngan_cnn_starts_normal_with_sd_two_hundredths() -> None:
    networks = sngan_cnn((3, 32, 32), channels=16)
    for network in (networks.generator, networks.critic):
        weights = torch.cat([p.flatten() for p in network.parameters() if p.dim() > 1])
        assert weights.std().item() == pytest.approx(0.02, rel=0.02)
        assert abs(weights.mean().item()) < 5e-4
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        assert all(not m.bias.any() for m in layers if m.bias is not None)


@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 32, 32), (3, 32, 48), (2,)])
def test_sngan_cnn_is_unsuited_to_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(Unsuited, match=r"must be \(1 or 3, S, S\) with S one of 32, 48, 64"):
        sngan_cnn(shape)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"channels": 0}, "channels=0: must be an integer ≥ 1"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"variant": "tabel"}, r"unknown variant 'tabel' \(did you mean 'table'\?\); known: code, table"),
    ],
)
def test_sngan_cnn_refuses_a_setting_in_words(setting: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        sngan_cnn((3, 32, 32), **setting)
