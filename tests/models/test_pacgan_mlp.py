"""PacGAN's networks: packing and maxout against what is written out by hand, and who may train a packed critic."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.conformance.architectures import check_architecture
from lipbench.models import Networks, Unsuited
from lipbench.models.pacgan_mlp import Maxout, PackedCritic, pacgan_mlp
from lipbench.objectives import BUILTINS, BadInput, NonSaturating, Objective

SMALL: dict[str, Any] = {"width": 6, "depth": 2, "critic_width": 5, "critic_depth": 2, "pieces": 3}


class ByHand(nn.Module):
    """Of packs [N, 4]: tells every number of a pack from every other by its place."""

    def forward(self, packs: Tensor) -> Tensor:
        a, b, c, d = packs.unbind(1)
        return a + 10 * b * b + 100 * c * b + 1000 * d * a


def of_pack(first: Tensor, second: Tensor) -> float:
    (a, b), (c, d) = first.tolist(), second.tolist()
    return a + 10 * b * b + 100 * c * b + 1000 * d * a


def test_packed_critic_gives_each_sample_the_logit_of_its_pack() -> None:
    x = torch.tensor([[1.0, 2], [3, 5], [-7, 11], [13, -17], [19, 23], [29, 31]])
    logits = PackedCritic(ByHand(), 2)(x)
    expected = [of_pack(x[2 * (i // 2)], x[2 * (i // 2) + 1]) for i in range(6)]
    assert logits.tolist() == pytest.approx(expected)
    assert PackedCritic(ByHand(), 2)(x.flip(0)).tolist() != pytest.approx(expected[::-1])  # a pack has an order


def test_packed_critic_fills_an_odd_batch_up_with_its_first_samples() -> None:
    x = torch.tensor([[1.0, 2], [3, 5], [-7, 11]])
    expected = [of_pack(x[0], x[1])] * 2 + [of_pack(x[2], x[0])]
    assert PackedCritic(ByHand(), 2)(x).tolist() == pytest.approx(expected)
    assert PackedCritic(ByHand(), 2)(x[:1]).tolist() == pytest.approx([of_pack(x[0], x[0])])


def test_packed_critic_stacks_images_along_their_channels() -> None:
    x = torch.arange(4 * 3 * 2 * 2.0).reshape(4, 3, 2, 2)

    class Look(nn.Module):
        def forward(self, packs: Tensor) -> Tensor:
            assert packs.shape == (2, 6, 2, 2)
            assert torch.equal(packs[1, :3], x[2]) and torch.equal(packs[1, 3:], x[3])
            return packs[:, 4, 1, 0]

    assert PackedCritic(Look(), 2)(x).tolist() == [x[1, 1, 1, 0]] * 2 + [x[3, 1, 1, 0]] * 2


def test_packed_critic_has_the_loss_and_the_gradient_of_its_packs() -> None:
    """PacGAN's loss is a mean over packs; an objective takes one over samples."""
    torch.manual_seed(0)
    inner, loss = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), NonSaturating().loss
    real, fake = torch.randn(6, 2), torch.randn(6, 2) + 1
    packed = PackedCritic(inner, 2)
    ours = loss.critic(packed(real), packed(fake))
    packs = [torch.stack([torch.cat([x[i], x[i + 1]]) for i in (0, 2, 4)]) for x in (real, fake)]
    theirs = nn.functional.softplus(-inner(packs[0])).mean() + nn.functional.softplus(inner(packs[1])).mean()
    found, expected = (torch.autograd.grad(value, list(inner.parameters())) for value in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_maxout_is_the_largest_of_its_linear_functions() -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(3, 5 * 4), torch.randn(7, 3)
    pieces = [x @ w.T + b for w, b in zip(linear.weight.split(4), linear.bias.split(4), strict=True)]
    expected = torch.max(torch.stack(pieces), dim=0)
    torch.testing.assert_close(Maxout(5)(linear(x)), expected.values, rtol=1e-5, atol=1e-6)
    assert len(expected.indices.unique()) == 5


def test_pacgan_mlp_has_the_published_layers_and_initial_weights() -> None:
    torch.manual_seed(0)
    networks = pacgan_mlp((2,), packing=2)
    sizes = [
        [(m.in_features, m.out_features, m.bias is not None) for m in part.modules() if isinstance(m, nn.Linear)]
        for part in (networks.generator, networks.critic)
    ]
    assert sizes[0] == [(2, 400, False), *[(400, 400, False)] * 3, (400, 2, True)]
    assert sizes[1] == [(4, 1000, True), *[(200, 1000, True)] * 2, (200, 1, True)]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in networks.generator.modules()) == 4
    assert (networks.packing, networks.latent, networks.latent_dim) == (2, "normal", 2)
    for m in (*networks.generator.modules(), *networks.critic.modules()):
        if isinstance(m, nn.Linear) and m.weight.numel() > 10_000:
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.02)
            assert m.bias is None or not m.bias.any()


@pytest.mark.parametrize("packing", [1, 2, 3])
def test_pacgan_mlp_passes_the_kit(packing: int) -> None:
    report = check_architecture("pacgan-mlp", lambda shape: pacgan_mlp(shape, packing=packing, **SMALL))
    assert report.ok, str(report)
    (apart,) = (result for result in report.results if result.check == "samples apart")
    assert ("packing" in apart.reason) == (packing > 1)


def test_the_kit_fails_packing_that_is_not_declared() -> None:
    class Silent(PackedCritic):
        mixes_samples = None  # pyright: ignore[reportAssignmentType]

    def make(shape: tuple[int, ...]) -> Networks:
        made = pacgan_mlp(shape, packing=2, **SMALL)
        assert isinstance(made.critic, PackedCritic)
        with torch.no_grad():
            for parameter in made.critic.parameters():
                parameter.mul_(50)  # or all logits were near zero
        return Networks(made.generator, Silent(made.critic.critic, 2), made.latent_dim)

    assert [result.check for result in check_architecture("silent", make).failures] == ["samples apart"]


@pytest.mark.parametrize("name", BUILTINS)
def test_penalties_per_sample_skip_a_packed_critic_and_say_why(name: str) -> None:
    objective = BUILTINS[name]()
    takes_slopes = type(objective).penalty is not Objective.penalty and not objective.penalty_allows_batch_norm
    reason = objective.skip_reason(pacgan_mlp((2,), packing=2, **SMALL).critic, (2,)) or ""
    assert ("packing" in reason) == (takes_slopes or name == "gn-gan")
    assert "packing" not in (objective.skip_reason(pacgan_mlp((2,), **SMALL).critic, (2,)) or "")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"packing": 0}, "packing=0: must be an integer ≥ 1"),
        ({"packing": 101}, "packing=101: must be at most 100"),
        ({"pieces": 2.5}, "pieces=2.5: must be an integer ≥ 1"),
        ({"critic_depth": 1001}, "critic_depth=1001: must be at most 1000"),
    ],
)
def test_pacgan_mlp_refuses_what_it_cannot_build(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=re.escape(told)):
        pacgan_mlp((2,), **settings)
    with pytest.raises(Unsuited, match="must be points"):
        pacgan_mlp((1, 8, 8))
