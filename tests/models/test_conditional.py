"""Conditional networks: that they hear the class they are asked for, what they hold, and whose labels they take."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.data import load
from lipbench.models import Iteration, Networks, Recipe, draw_latent
from lipbench.models.conditional import CONDITIONINGS, batch_norm
from lipbench.models.dcgan import dcgan
from lipbench.models.mlp import mlp
from lipbench.models.resnet import sngan_resnet
from lipbench.models.sngan_cnn import sngan_cnn
from lipbench.objectives import BUILTINS, BadInput, Batch, GradientPenalty, Objective
from lipbench.objectives.conditioning import bound

K = 4
MAKE: dict[str, Callable[..., Networks]] = {
    "mlp": partial(mlp, (2,), width=8, depth=2),
    "mlp, batch norm": partial(mlp, (2,), width=8, depth=2, norm="batch"),
    "dcgan": partial(dcgan, (1, 8, 8), channels=4, latent_dim=3),
    "dcgan without norm": partial(dcgan, (1, 8, 8), channels=4, latent_dim=3, norm="none"),
    "sngan-cnn": partial(sngan_cnn, (3, 32, 32), channels=4, latent_dim=3, attention=True),
    "sngan-resnet": partial(sngan_resnet, (3, 32, 32), channels=4, latent_dim=3, attention=True),
}
EACH = [(name, how) for name in MAKE for how in CONDITIONINGS]


def made(name: str, how: str) -> Networks:
    """In eval mode; gains, biases and attention moved away from where they start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = MAKE[name](classes=K, conditioning=how)
        with torch.no_grad():
            for network in (networks.generator.eval(), networks.critic.eval()):
                for parameter in network.parameters():
                    parameter.add_(0.3 * torch.randn(parameter.shape))
    return networks


@pytest.mark.parametrize(("name", "how"), EACH)
@torch.no_grad()
def test_sample_depends_on_the_class_asked_for_and_on_no_other(name: str, how: str) -> None:
    generator = made(name, how).generator
    latent = torch.randn(6, made(name, how).latent_dim, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    samples, other = generator(latent, labels), generator(latent, torch.tensor([1, 1, 2, 3, 0, 1]))
    assert (samples[0] - other[0]).abs().max() > 1e-4
    torch.testing.assert_close(samples[1:], other[1:])
    asked = torch.cat([latent, torch.eye(K)[labels]], dim=1)
    torch.testing.assert_close(generator(asked), samples)


@pytest.mark.parametrize(("name", "how"), EACH)
@torch.no_grad()
def test_logit_depends_on_its_own_label_and_on_no_other(name: str, how: str) -> None:
    networks = made(name, how)
    latent = torch.randn(6, networks.latent_dim, generator=torch.Generator().manual_seed(1))
    x = networks.generator(latent, torch.arange(6) % K).double()  # in float32 a batch of 12 sums up in another order
    networks.critic.double()
    logits = {}
    for first in (0, 1):
        with bound(networks.critic, torch.tensor([first, 1, 2, 3, 0, 1])):
            logits[first] = networks.critic(x)
            torch.testing.assert_close(networks.critic(torch.cat([x, x])), logits[first].repeat(2))
    assert (logits[0][0] - logits[1][0]).abs() > 1e-5
    torch.testing.assert_close(logits[0][1:], logits[1][1:])
    with pytest.raises(BadInput, match="called without labels"):
        networks.critic(x)
    with bound(networks.critic, torch.zeros(4, dtype=torch.int64)), pytest.raises(BadInput, match="6 samples for 4"):
        networks.critic(x)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_conditional_resnet_has_the_parameters_of_the_authors_code() -> None:
    """github.com/pfnet-research/sngan_projection, CIFAR-10, 10 classes: a gain and a bias for each class in the two
    norms of every block (the last norm is unconditional), and an embedding of the critic's 128 features.
    """
    plain, conditional = sngan_resnet((3, 32, 32)), sngan_resnet((3, 32, 32), classes=10)
    norms = 3 * 2  # of 256 channels each
    assert count(conditional.generator) - count(plain.generator) == norms * (10 - 1) * 2 * 256
    assert count(conditional.critic) - count(plain.critic) == 10 * 128


def test_concatenation_adds_a_map_for_each_class() -> None:
    plain, joined = dcgan((1, 28, 28)), dcgan((1, 28, 28), classes=10, conditioning="concat")
    assert count(joined.critic) - count(plain.critic) == 10 * 64 * 4 * 4
    assert count(joined.generator) - count(plain.generator) == 10 * 128 * 7 * 7


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_batch_norm_by_class_is_torchs_with_the_gain_and_bias_of_the_class(kind: Any) -> None:
    norm, plain = batch_norm(5, 3, kind), kind(5, affine=False)
    x, labels = torch.randn(12, 5, *([2, 2] if kind is nn.BatchNorm2d else [])), torch.arange(12) % 3
    gain, bias = torch.randn(3, 5), torch.randn(3, 5)
    norm.load_state_dict({"gain": gain, "bias": bias}, strict=False)
    with bound(norm, labels):
        found = norm(x)
    for k in range(3):
        size = (1, 5, *(1,) * (x.dim() - 2))
        torch.testing.assert_close(
            found[labels == k], plain(x)[labels == k] * gain[k].view(size) + bias[k].view(size), rtol=1e-5, atol=1e-5
        )


class Watching(GradientPenalty):
    """Keeps the batches that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Batch] = []

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.seen.append(batch)
        return super().critic_loss(critic, batch)

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        self.seen.append(batch)
        return super().generator_loss(critic, batch)


def trained(objective: Objective, *, seed: int = 3, **recipe: Any) -> Iteration:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = mlp((2,), width=8, depth=2, classes=5)
        settings = Recipe(**{"lr": 1e-2, "batch": 16, "n_critic": 2} | recipe)
        iteration = Iteration(networks, objective, settings, load("ring5"), steps=4, seed=seed)
    iteration.make_optimizers()
    iteration.begin()
    iteration.run(3)
    return iteration


@pytest.mark.parametrize("generator_batch", [None, 24])
def test_fakes_have_the_labels_of_the_reals_beside_them(generator_batch: int | None) -> None:
    objective = Watching()
    trained(objective, generator_batch=generator_batch)
    ring = load("ring5")
    assert ring.train is not None and ring.labels is not None
    known = {tuple(point): label for point, label in zip(ring.train.tolist(), ring.labels.tolist(), strict=True)}
    assert [len(batch.real) for batch in objective.seen] == [16, 16, generator_batch or 16] * 3
    for batch in objective.seen:
        assert batch.labels is not None and batch.fake.shape == batch.real.shape
        assert batch.labels.tolist() == [known[tuple(point)] for point in batch.real.tolist()]


@pytest.mark.parametrize("name", list(BUILTINS))
def test_every_objective_trains_conditional_networks(name: str) -> None:
    found = trained(BUILTINS[name]())
    assert found.scalars[:3].isfinite().all()
    latent = draw_latent(found.networks, 6, torch.Generator().manual_seed(0), labels=torch.arange(6) % 5)
    other = torch.cat([latent[:, :-5], latent[:, -5:].roll(1, dims=1)], dim=1)
    assert not torch.equal(found.generator(latent), found.generator(other))
