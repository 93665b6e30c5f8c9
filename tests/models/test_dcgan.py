"""DCGAN's pair: shapes, initial weights, norms, pixels, and what is refused."""

import pytest
import torch
from torch import nn

from lipbench.models import Unsuited, to_uint8
from lipbench.models.dcgan import dcgan
from lipbench.objectives import BadInput


@pytest.mark.parametrize("side", [8, 16, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_maps_latents_to_images_and_images_to_logits(side: int, channels: int) -> None:
    networks = dcgan((channels, side, side), channels=4, latent_dim=5)
    images = networks.generator(torch.randn(3, 5))
    assert images.shape == (3, channels, side, side)
    assert images.abs().max() <= 1
    assert networks.critic(images).shape == (3,)


@pytest.mark.parametrize(("side", "maps"), [(8, [4, 8]), (16, [4, 8]), (28, [4, 8]), (32, [4, 8, 16])])
def test_dcgan_doubles_its_maps_where_it_halves_the_side(side: int, maps: list[int]) -> None:
    networks = dcgan((1, side, side), channels=4)
    critic = [m for m in networks.critic.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in critic] == maps
    generator = [m for m in networks.generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in generator] == maps[::-1]
    assert generator[-1].out_channels == 1


def test_dcgan_weights_start_normal_with_sd_two_hundredths() -> None:
    torch.manual_seed(0)
    networks = dcgan((1, 28, 28), channels=32)
    layers = [m for n in (networks.generator, networks.critic) for m in n.modules()]
    kernels = [
        m for m in layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and m.weight.numel() > 5000
    ]
    assert len(kernels) >= 3
    for layer in kernels:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.001)
        assert layer.bias is not None
        assert not layer.bias.any()


def test_dcgan_critic_has_no_norm_by_default_and_so_treats_each_image_by_itself() -> None:
    networks = dcgan((1, 8, 8), channels=4)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.GroupNorm) for m in networks.critic.modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in networks.generator.modules()) == 2
    x = torch.randn(6, 1, 8, 8)
    changed = torch.cat([x[:1], 3 - x[1:]])
    torch.testing.assert_close(networks.critic(changed)[0], networks.critic(x)[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("kind", "layer"), [("batch", nn.BatchNorm2d), ("layer", nn.GroupNorm)])
def test_dcgan_critic_norm_is_left_out_at_the_input(kind: str, layer: type[nn.Module]) -> None:
    critic = dcgan((1, 32, 32), channels=4, critic_norm=kind, norm="none").critic
    norms = [m for m in critic.modules() if isinstance(m, layer)]
    assert [len(m.state_dict()["weight"]) for m in norms] == [8, 16]
    assert not any(isinstance(m, layer) for m in dcgan((1, 32, 32), channels=4, norm="none").generator.modules())


@pytest.mark.parametrize("shape", [(2,), (2, 28, 28), (1, 28, 32), (1, 24, 24), (28, 28)])
def test_dcgan_is_unsuited_for_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(Unsuited, match=r"dcgan: samples of shape .*: must be .* S one of 8, 16, 28, 32"):
        dcgan(shape)


@pytest.mark.parametrize("settings", [{"channels": 0}, {"latent_dim": -2}, {"norm": "group"}, {"critic_norm": "no"}])
def test_dcgan_refuses_a_value_that_is_not_allowed(settings: dict) -> None:
    with pytest.raises(BadInput, match=next(iter(settings))) as caught:
        dcgan((1, 8, 8), **settings)
    assert not isinstance(caught.value, Unsuited)


def test_to_uint8_rounds_and_keeps_the_ends() -> None:
    x = torch.tensor([-1.0, 1.0, 0.0, -1.2, 1.7, 100 / 127.5 - 1 + 0.003, 100 / 127.5 - 1 - 0.003, 100.6 / 127.5 - 1])
    assert to_uint8(x).tolist() == [0, 255, 128, 0, 255, 100, 100, 101]
    assert to_uint8(x).dtype == torch.uint8
