"""Self-attention against the paper's equations written out in numpy, and that it begins as the identity."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lipbench.models.attention import SelfAttention
from lipbench.objectives import SpectralNorm


def by_hand(block: SelfAttention, image: np.ndarray) -> np.ndarray:
    """SAGAN's equations 1 to 3 for one map [C, N], place by place."""
    f, g, h, v = (
        layer.weight[:, :, 0, 0].detach().numpy() for layer in (block.key, block.query, block.value, block.out)
    )
    places = image.shape[1]
    out = np.empty_like(image)
    for j in range(places):
        scores = np.array([(f @ image[:, i]) @ (g @ image[:, j]) for i in range(places)])
        beta = np.exp(scores) / np.exp(scores).sum()
        answer = sum(beta[i] * (h @ image[:, i]) for i in range(places))
        out[:, j] = block.gamma.item() * (v @ answer) + image[:, j]
    return out


@pytest.fixture
def block() -> SelfAttention:
    torch.manual_seed(0)
    found = SelfAttention(16).double()
    torch.nn.init.constant_(found.gamma, 0.7)
    return found


@pytest.fixture
def maps() -> Tensor:
    return torch.randn(2, 16, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_attention_is_the_papers_equations(block: SelfAttention, maps: Tensor) -> None:
    found = block(maps).detach().numpy()
    for image, expected in zip(maps.flatten(2).numpy(), found, strict=True):
        assert by_hand(block, image).reshape(16, 3, 4) == pytest.approx(expected, rel=1e-9)
    assert np.abs(found - maps.numpy()).max() > 0.05  # the block does something


def test_attention_has_an_eighth_of_the_channels_inside() -> None:
    assert [SelfAttention(n).key.out_channels for n in (4, 16, 64)] == [1, 2, 8]
    assert sum(p.numel() for p in SelfAttention(16).parameters()) == 4 * 16 * 2 + 1


def test_attention_begins_as_the_identity_and_learns_to_be_more(maps: Tensor) -> None:
    block = SelfAttention(16).double()
    assert torch.equal(block(maps), maps)
    block(maps).square().sum().backward()
    assert block.gamma.grad is not None and block.gamma.grad.abs() > 1e-6


def test_attention_sees_every_place_where_gamma_is_not_nought(block: SelfAttention, maps: Tensor) -> None:
    for gamma, seen in ((0.7, True), (0.0, False)):
        torch.nn.init.constant_(block.gamma, gamma)
        x = maps.clone().requires_grad_()
        block(x)[0, :, 0, 0].sum().backward()
        assert x.grad is not None
        assert bool((x.grad[0, :, 2, 3] != 0).any()) == seen
        assert not x.grad[1].any()  # another image


def test_attention_can_be_normalised_like_any_critic(block: SelfAttention, maps: Tensor) -> None:
    prepared = SpectralNorm().prepare_critic(
        torch.nn.Sequential(block, torch.nn.Flatten(), torch.nn.Linear(192, 1)).double()
    )
    prepared(maps)
    prepared.eval()
    for layer in (block.key, block.query, block.value, block.out):
        assert torch.linalg.matrix_norm(layer.weight[:, :, 0, 0], 2).item() == pytest.approx(1, abs=0.1)
