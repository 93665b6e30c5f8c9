"""The images of two alike patches: their law, and that a patch by itself tells nothing of the other."""

from math import sqrt

import pytest
import torch
from torch import Tensor

from lipbench.bench.data import kind_of, load
from lipbench.bench.data.parity import LEVEL, NOISE, PATCHES, in_patches

N = 4000


@pytest.fixture(scope="module")
def images() -> Tensor:
    return load("parity").sample(N, torch.Generator().manual_seed(3)).double()


def test_patches_are_four_by_four_far_apart_and_nothing_else_is() -> None:
    assert [in_patches()[patch].sum().item() for patch in PATCHES] == [16, 16]
    assert in_patches().sum().item() == 32
    assert PATCHES[1][1].start - PATCHES[0][1].stop == 6


def test_patches_are_alike_and_either_sign_is_as_likely(images: Tensor) -> None:
    left, right = (images[:, 0, rows, columns].mean(dim=(1, 2)) for rows, columns in PATCHES)
    assert torch.equal(left.sign(), right.sign())
    assert (left > 0).double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / sqrt(N))
    assert (left.abs() - LEVEL).abs().max() < 6 * NOISE / 4


def test_noise_is_independent_of_the_sign_and_of_one_spread_everywhere(images: Tensor) -> None:
    sign = images[:, 0, 7, 2].sign().view(-1, 1, 1)
    rest = images[:, 0] - LEVEL * sign * in_patches()
    assert rest.mean(dim=0).abs().max().item() < 5 * NOISE / sqrt(N)
    assert rest.std(dim=0).sub(NOISE).abs().max().item() < 5 * NOISE / sqrt(2 * N)
    assert (rest * sign).mean(dim=0).abs().max().item() < 5 * NOISE / sqrt(N)


def test_pixels_stay_within_the_range_of_images() -> None:
    drawn = load("parity").sample(60_000, torch.Generator().manual_seed(0))
    assert drawn.abs().max().item() <= 1


def test_parity_is_a_stream_of_small_images() -> None:
    data = load("parity")
    assert (data.shape, data.held_out_from, data.is_images, kind_of("parity")) == (
        (1, 16, 16),
        "stream",
        True,
        "digits",
    )
