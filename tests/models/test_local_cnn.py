"""The local pair: what a pixel and a score can see, by gradient; shapes, initial biases, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.data.parity import PATCHES
from lipbench.models import Networks, Unsuited
from lipbench.models.attention import SelfAttention
from lipbench.models.local_cnn import SIDES, UntiedBias, local_cnn
from lipbench.objectives import BadInput


def networks(attention: bool) -> Networks:
    """A pair for 16 pixels in which nothing is nought by chance: γ is 1, and no unit is off everywhere."""
    torch.manual_seed(0)
    found = local_cnn((1, 16, 16), channels=16, noise=3, attention=attention)
    for network in (found.generator, found.critic):
        for block in network.modules():
            if isinstance(block, SelfAttention):
                nn.init.constant_(block.gamma, 1.0)
    return found


def seen_by_patch(generator: nn.Module, place: int) -> Tensor:
    """Which cells' noise the patch depends on: [8, 8], bool."""
    latent = torch.randn(32, 3 * 64, requires_grad=True)
    rows, columns = PATCHES[place]
    generator(latent)[:, 0, rows, columns].sum().backward()
    assert latent.grad is not None
    return (latent.grad.unflatten(1, (3, 8, 8)) != 0).any(dim=1).any(dim=0)


def seen_by_score(critic: nn.Module, row: int, column: int) -> Tensor:
    """Which pixels a score depends on: [16, 16], bool."""
    images = torch.randn(32, 1, 16, 16, requires_grad=True)
    critic.get_submodule("scores")(images)[:, 0, row, column].sum().backward()
    assert images.grad is not None
    return (images.grad[:, 0] != 0).any(dim=0)


def test_patches_share_no_noise_without_attention_and_all_with_it() -> None:
    left, right = (seen_by_patch(networks(False).generator, place) for place in (0, 1))
    assert not (left & right).any()
    assert left.any() and right.any()
    assert not left[:, 4:].any() and not right[:, :4].any()
    assert seen_by_patch(networks(True).generator, 0).all()


@pytest.mark.parametrize("pixel", [(6, 1), (6, 4), (9, 1), (9, 4), (6, 11), (9, 14)])
def test_every_pixel_of_a_patch_depends_on_the_noise_in_its_middle(pixel: tuple[int, int]) -> None:
    latent = torch.randn(32, 3 * 64, requires_grad=True)
    networks(False).generator(latent)[:, 0, pixel[0], pixel[1]].sum().backward()
    assert latent.grad is not None
    middle = 1 if pixel[1] < 8 else 6
    assert (latent.grad.unflatten(1, (3, 8, 8))[:, :, 4, middle] != 0).any()


def test_score_sees_six_by_six_pixels_without_attention_and_all_with_it() -> None:
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[4:10, 0:6] = True  # about 2·3 and 2·1
    assert torch.equal(seen_by_score(networks(False).critic, 3, 1), expected)
    rows, columns = PATCHES[0]
    assert expected[rows, columns].all()
    assert seen_by_score(networks(True).critic, 3, 1).all()


def test_no_score_sees_both_patches_without_attention() -> None:
    critic = networks(False).critic
    for column in range(8):
        seen = seen_by_score(critic, 3, column)
        assert not all(seen[patch].any() for patch in PATCHES)


def test_critic_is_the_mean_of_its_scores() -> None:
    critic = networks(True).critic
    images = torch.randn(5, 1, 16, 16)
    scores = critic.get_submodule("scores")(images)
    assert scores.shape == (5, 1, 8, 8)
    torch.testing.assert_close(critic(images), scores.flatten(1).mean(dim=1))


def test_local_critic_adds_up_what_it_sees_of_distant_parts() -> None:
    """Without attention the logits of the four combinations of two patches have no interaction; with it they do."""
    for attention in (False, True):
        critic, images = networks(attention).critic.double(), torch.zeros(4, 1, 16, 16, dtype=torch.float64)
        for image, signs in zip(images, ((1, 1), (1, -1), (-1, 1), (-1, -1)), strict=True):
            for sign, (rows, columns) in zip(signs, PATCHES, strict=True):
                image[0, rows, columns] = sign
        both, first, second, neither = critic(images)
        interaction = (both - first - second + neither).abs().item()
        assert (interaction > 1e-4) if attention else (interaction < 1e-12)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("colours", [1, 3])
def test_local_cnn_makes_and_judges_images_of_the_shape(colours: int, side: int, attention: bool) -> None:
    found = local_cnn((colours, side, side), channels=4, noise=2, attention=attention)
    assert found.latent_dim == 2 * (side // 2) ** 2
    images = found.generator(torch.randn(3, found.latent_dim))
    assert images.shape == (3, colours, side, side)
    assert 0 < images.abs().max() <= 1
    assert found.critic(images).shape == (3,)


def test_attention_is_all_that_the_two_pairs_differ_in() -> None:
    def layers(network: nn.Module) -> list[str]:
        kept = [m for m in network.get_submodule("layers" if hasattr(network, "layers") else "scores").children()]
        return [repr(m) for m in kept if not isinstance(m, SelfAttention)]

    alone, both = networks(False), networks(True)
    for a, b in ((alone.generator, both.generator), (alone.critic, both.critic)):
        assert layers(a) == layers(b)
        assert sum(isinstance(m, SelfAttention) for m in a.modules()) == 0
        assert sum(isinstance(m, SelfAttention) for m in b.modules()) == 1


def test_biases_start_at_nought_and_are_one_for_every_unit() -> None:
    found = networks(False)
    biases = [m.bias for n in (found.generator, found.critic) for m in n.modules() if isinstance(m, UntiedBias)]
    assert [tuple(b.shape) for b in biases] == [(16, 8, 8), (16, 8, 8), (16, 16, 16), (16, 16, 16), (16, 8, 8)]
    assert not any(b.any() for b in biases)


@pytest.mark.parametrize("shape", [(2,), (2, 16, 16), (1, 16, 32), (1, 48, 48)])
def test_local_cnn_is_unsuited_to_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(Unsuited, match=r"local-cnn: samples of shape .*: must be .* S one of 8, 16, 28, 32"):
        local_cnn(shape)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"channels": 0}, "channels=0: must be an integer ≥ 1"),
        ({"noise": True}, "noise=True: must be an integer ≥ 1"),
        ({"attention": 1}, "attention=1: must be true or false"),
    ],
)
def test_local_cnn_refuses_a_setting_in_words(settings: dict, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        local_cnn((1, 16, 16), **settings)
    assert not isinstance(caught.value, Unsuited)
