"""The residual networks: parameter counts from the papers' tables and from programs, blocks, pools, initialisation."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from lipbench.models import Unsuited
from lipbench.models.resnet import MeanPool, SumPool, block, first_block, sngan_resnet, up_block, wgangp_resnet
from lipbench.objectives import BadInput


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def generator_size(maps: list[int], smallest: int) -> int:
    """Dense to the first maps, an up-block per step (two norms, two 3×3, one 1×1), norm and 3×3 to RGB."""
    total = (128 + 1) * maps[0] * smallest * smallest
    for a, b in pairwise(maps):
        total += 2 * a + conv(3, a, b) + 2 * b + conv(3, b, b) + conv(1, a, b)
    return total + 2 * maps[-1] + conv(3, maps[-1], 3)


def critic_size(rows: list[tuple[int, bool]]) -> int:
    """A row a block: channels out, and whether it halves the side; a 1×1 shortcut wherever it is no identity."""
    first = rows[0][0]
    total, channels = conv(3, 3, first) + conv(3, first, first) + conv(1, 3, first), first
    for out, down in rows[1:]:
        total += conv(3, channels, channels) + conv(3, channels, out)
        total += conv(1, channels, out) if down or out != channels else 0
        channels = out
    return total + channels + 1


TABLE_4 = [(128, True), (128, True), (128, False), (128, False)]
TABLE_5 = [(64, True), (128, True), (256, True), (512, True), (1024, False)]
AT_64 = [(64, True), (128, True), (256, True), (512, True), (1024, True)]


@pytest.mark.parametrize(
    ("side", "maps", "smallest", "rows"),
    [
        (32, [256] * 4, 4, TABLE_4),
        (48, [512, 256, 128, 64], 6, TABLE_5),
        (64, [1024, 512, 256, 128, 64], 4, AT_64),
    ],
)
def test_sngan_resnet_has_the_parameters_of_the_tables(side: int, maps: Any, smallest: int, rows: Any) -> None:
    networks = sngan_resnet((3, side, side))
    assert count(networks.generator) == generator_size(maps, smallest)
    assert count(networks.critic) == critic_size(rows) - 1  # the authors' last layer has no bias


# kwotsin/mimicry, torch_mimicry/nets/sngan/sngan_{32,48,64}.py
@pytest.mark.parametrize(
    ("side", "sizes"), [(32, (4_276_739, 1_053_825)), (48, (4_878_083, 10_141_441)), (64, (12_220_675, 10_141_441))]
)
def test_sngan_resnet_has_the_parameters_of_a_reference_implementation(side: int, sizes: tuple[int, int]) -> None:
    networks = sngan_resnet((3, side, side))
    assert (count(networks.generator), count(networks.critic) + 1) == sizes  # theirs has a bias in the last layer


def test_wgangp_resnet_has_the_parameters_of_appendix_f() -> None:
    networks = wgangp_resnet((3, 32, 32))
    assert count(networks.generator) == generator_size([128] * 4, 4)
    assert count(networks.critic) == critic_size(TABLE_4)


@pytest.mark.parametrize(
    ("make", "side"), [(sngan_resnet, 32), (sngan_resnet, 48), (sngan_resnet, 64), (wgangp_resnet, 32)]
)
@pytest.mark.parametrize("colours", [1, 3])
def test_resnets_make_and_judge_images_of_the_shape(make: Any, side: int, colours: int) -> None:
    networks = make((colours, side, side), channels=2, latent_dim=5)
    images = networks.generator(torch.randn(4, 5))
    assert images.shape == (4, colours, side, side)
    assert images.abs().max() <= 1
    assert networks.critic(images).shape == (4,)


def test_sngan_resnet_sums_and_wgangp_resnet_averages_at_the_end() -> None:
    x = torch.arange(2 * 3 * 4.0).reshape(1, 2, 3, 4)
    assert SumPool()(x).tolist() == [[66.0, 210.0]]
    assert MeanPool()(x).tolist() == [[5.5, 17.5]]
    pools = [
        [type(m) for m in make((3, 32, 32), channels=2).critic.modules() if isinstance(m, SumPool | MeanPool)]
        for make in (sngan_resnet, wgangp_resnet)
    ]
    assert pools == [[SumPool], [MeanPool]]


def test_blocks_halve_and_double_the_side_and_keep_an_identity_where_they_can() -> None:
    x = torch.randn(2, 4, 6, 6)
    assert up_block(4, 3)(x).shape == (2, 3, 12, 12)
    assert first_block(4, 3)(x).shape == (2, 3, 3, 3)
    assert block(4, 5, down=True)(x).shape == (2, 5, 3, 3)
    assert block(4, 5, down=False)(x).shape == (2, 5, 6, 6)
    assert len(block(4, 4, down=False).shortcut) == 0
    assert len(block(4, 5, down=False).shortcut) == len(block(4, 4, down=True).shortcut) - 1 == 1


def test_block_adds_the_residual_of_the_activated_input() -> None:
    layer = block(2, 2, down=False)
    x = torch.randn(3, 2, 4, 4)
    _, first, _, second = layer.residual
    assert isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d)
    torch.testing.assert_close(layer(x), x + second(first(x.relu()).relu()))


def test_up_block_repeats_each_place_twice_before_its_first_convolution() -> None:
    layer = up_block(2, 3).eval()
    x = torch.randn(2, 2, 3, 3)
    big = lambda y: y.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # noqa: E731
    norm1, _, _, first, norm2, _, second = layer.residual
    expected = second(norm2(first(big(norm1(x).relu()))).relu()) + layer.shortcut[1](big(x))
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("make", [sngan_resnet, wgangp_resnet])
def test_resnets_start_glorot_with_gain_two_inside_the_blocks(make: Any) -> None:
    networks = make((3, 32, 32), channels=24)
    for network in (networks.generator, networks.critic):
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Conv2d | nn.Linear):
                continue
            assert layer.bias is None or not layer.bias.any()
            area = layer.kernel_size[0] ** 2 if isinstance(layer, nn.Conv2d) else 1
            gain = 2.0 if ".residual." in name else 1.0
            bound = (gain * 6 / (area * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max().item() <= bound * (1 + 1e-6) or layer.weight.numel() < 100


@pytest.mark.parametrize(("make", "sides"), [(sngan_resnet, "32, 48, 64"), (wgangp_resnet, "32")])
@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 32, 32), (2,)])
def test_resnets_are_unsuited_to_other_shapes(make: Any, sides: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(Unsuited, match=rf"must be \(1 or 3, S, S\) with S one of {sides}$"):
        make(shape)


@pytest.mark.parametrize("make", [sngan_resnet, wgangp_resnet])
def test_resnets_refuse_a_setting_in_words(make: Any) -> None:
    with pytest.raises(BadInput, match="channels=0: must be an integer ≥ 1"):
        make((3, 32, 32), channels=0)
    with pytest.raises(BadInput, match="latent_dim=-1"):
        make((3, 32, 32), latent_dim=-1)
