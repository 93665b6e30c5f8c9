"""The Lightning module: what one iteration is, whose random numbers it takes, what a checkpoint brings back."""

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lipbench.models import CHUNK, GAN, SCALARS, STREAMS, stream_seed
from lipbench.models import gan as module_under_test
from lipbench.objectives import (
    R3GAN,
    Batch,
    GradientPenalty,
    Minimax,
    NonSaturating,
    Objective,
    SpectralNorm,
    WeightClipping,
    critic_step,
    generator_step,
)

MakeGAN = Callable[..., GAN]
Fit = Callable[..., pl.Trainer]


class Tape:
    """The two steps of the game as they are called, and the samples they get."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.reals: list[Tensor] = []
        self.fakes: list[Tensor] = []
        self.latents: list[Tensor] = []
        self.steps: list[int] = []
        monkeypatch.setattr(module_under_test, "critic_step", self._critic)
        monkeypatch.setattr(module_under_test, "generator_step", self._generator)

    def _critic(self, objective: Objective, critic: nn.Module, batch: Batch, optimizer: Any) -> dict[str, Tensor]:
        self.calls.append("critic")
        self.steps.append(batch.step)
        self.reals.append(batch.real)
        self.fakes.append(batch.fake)
        assert not batch.fake.requires_grad
        return critic_step(objective, critic, batch, optimizer)

    def _generator(self, objective: Any, generator: Any, critic: Any, latent: Tensor, *rest: Any) -> dict[str, Tensor]:
        self.calls.append("generator")
        self.latents.append(latent)
        return generator_step(objective, generator, critic, latent, *rest)


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    return Tape(monkeypatch)


def weights(module: nn.Module) -> Tensor:
    return torch.cat([v.detach().flatten().double() for v in module.state_dict().values()])


@pytest.mark.parametrize("n_critic", [1, 5])
def test_gan_iteration_is_n_critic_critic_steps_and_one_generator_step(
    make_gan: MakeGAN, fit: Fit, tape: Tape, n_critic: int
) -> None:
    gan = make_gan(n_critic=n_critic, steps=3)
    fit(gan, 3)
    assert tape.calls == (["critic"] * n_critic + ["generator"]) * 3
    assert tape.steps == [step for step in range(3) for _ in range(n_critic)]
    assert all(len(x) == 16 for x in (*tape.reals, *tape.fakes, *tape.latents))


def test_gan_counts_generator_updates_itself(make_gan: MakeGAN, fit: Fit) -> None:
    """Lightning's global_step counts optimiser steps, and here it sees none at all."""
    gan = make_gan(n_critic=5)
    trainer = fit(gan, 4)
    assert gan.updates == 4
    assert trainer.global_step != 4


def test_gan_changes_generator_and_critic_and_nothing_else(make_gan: MakeGAN, fit: Fit) -> None:
    gan = make_gan()
    generator, critic, state = weights(gan.generator), weights(gan.critic), torch.get_rng_state()
    fit(gan, 2)
    assert not torch.equal(generator, weights(gan.generator))
    assert not torch.equal(critic, weights(gan.critic))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("generator_batch", [None, 16, 40])
def test_gan_iteration_equals_the_same_steps_by_hand(make_gan: MakeGAN, fit: Fit, generator_batch: int | None) -> None:
    """An independent loop in plain torch: alternating Adam steps on the non-saturating losses, same streams."""
    gan, hand = make_gan(n_critic=2, critic_lr=3e-3, generator_batch=generator_batch), make_gan()
    fit(gan, 3)
    data, latent = (torch.Generator().manual_seed(stream_seed(3, name)) for name in ("data", "latent"))
    generator, critic = hand.generator, hand.critic
    slow = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9))
    fast = torch.optim.Adam(critic.parameters(), lr=3e-3, betas=(0.0, 0.9))
    for _ in range(3):
        for _ in range(2):
            real = hand.data.sample(16, data)
            fake = generator(torch.randn(16, 2, generator=latent)).detach()
            loss = -critic(real).sigmoid().log().mean() - (1 - critic(fake).sigmoid()).log().mean()
            fast.zero_grad()
            loss.backward()
            fast.step()
        if generator_batch == 40:
            hand.data.sample(40, data)  # for the objectives that compare
        loss = -critic(generator(torch.randn(generator_batch or 16, 2, generator=latent))).sigmoid().log().mean()
        slow.zero_grad()
        loss.backward()
        slow.step()
    torch.testing.assert_close(weights(gan.generator), weights(generator), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights(gan.critic), weights(critic), rtol=1e-4, atol=1e-5)


def test_gan_generator_of_another_batch_is_compared_with_as_many_real_samples(
    make_gan: MakeGAN, fit: Fit, tape: Tape
) -> None:
    seen: list[tuple[int, int]] = []

    class Compared(R3GAN):
        def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            seen.append((len(batch.real), len(batch.fake)))
            return super().generator_loss(critic, batch)

    fit(make_gan(Compared(), n_critic=2, generator_batch=40), 2)
    assert seen == [(40, 40)] * 2
    assert {len(x) for x in (*tape.reals, *tape.fakes)} == {16}


def test_gan_objectives_at_one_seed_see_the_same_data_and_latents(make_gan: MakeGAN, fit: Fit, tape: Tape) -> None:
    """Also those whose objective draws, prepares the critic, or clips; the first fakes are the same too."""
    for objective in (Minimax(), GradientPenalty(), SpectralNorm(), WeightClipping()):
        fit(make_gan(objective, n_critic=2), 3)
    runs = range(4)
    for drawn, per_run in ((tape.reals, 6), (tape.latents, 3)):
        parts = [torch.stack(drawn[per_run * i : per_run * (i + 1)]) for i in runs]
        assert all(torch.equal(parts[0], part) for part in parts[1:])
    assert all(torch.equal(tape.fakes[0], tape.fakes[6 * i]) for i in runs)
    assert len({tuple(x.flatten().tolist()) for x in tape.latents[:3]}) == 3


def test_gan_evaluation_stream_is_apart_from_those_of_training(make_gan: MakeGAN, fit: Fit, tape: Tape) -> None:
    plain, watched = make_gan(GradientPenalty()), make_gan(GradientPenalty())

    class Watch(pl.Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            watched.draw_latent(100, "evaluation")

    fit(plain, 3)
    fit(watched, 3, callbacks=[Watch()])
    assert torch.equal(weights(plain.critic), weights(watched.critic))
    assert torch.equal(weights(plain.generator), weights(watched.generator))


def test_gan_streams_differ_by_name_and_by_seed(make_gan: MakeGAN) -> None:
    seeds = {stream_seed(seed, name) for seed in range(50) for name in STREAMS}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    one, same, other = make_gan(seed=1), make_gan(seed=1), make_gan(seed=2)
    draws = [gan.draw_latent(4, "latent") for gan in (one, same, other)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_gan_gives_the_objective_its_own_stream(make_gan: MakeGAN, fit: Fit) -> None:
    class Curious(NonSaturating):
        drawn: list[Tensor]

        def penalty(self, critic: nn.Module, batch: Batch) -> None:
            self.drawn.append(torch.rand(2, generator=batch.rng))

    objective = Curious()
    objective.drawn = []
    gan = make_gan(objective, n_critic=2)
    fit(gan, 2)
    rng = torch.Generator().manual_seed(stream_seed(3, "objective"))
    assert torch.equal(torch.stack(objective.drawn), torch.rand(4, 2, generator=rng))


def test_gan_scalars_hold_each_iteration_of_the_chunk(make_gan: MakeGAN, fit: Fit) -> None:
    class Counted(NonSaturating):
        """Critic loss, penalty and generator loss that say which iteration they belong to."""

        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.real).sum() + batch.step

        def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.real).sum() + 100 + batch.step

        def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.fake).sum() + 200 + batch.step

    gan = make_gan(Counted(), steps=CHUNK + 2)
    fit(gan, CHUNK + 2)
    assert SCALARS == ("critic_loss", "penalty", "generator_loss")
    expected = [CHUNK, CHUNK + 1, *range(2, CHUNK)]
    assert gan.scalars.tolist() == [[step, 100 + step, 200 + step] for step in expected]


class NoSync(TorchDispatchMode):
    """Fails where a value is fetched from a tensor, which on a GPU would wait for the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a value is fetched inside the iteration"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("objective", [GradientPenalty(), SpectralNorm(), WeightClipping()])
@pytest.mark.parametrize("recipe", [{"ema": 0.9, "decay": "linear"}, {"optimizer": "rmsprop"}])
def test_gan_iteration_fetches_no_value_from_the_device(
    make_gan: MakeGAN, fit: Fit, objective: Objective, recipe: dict[str, Any]
) -> None:
    class Guarded(pl.Callback):
        def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
            self.mode = NoSync()
            self.mode.__enter__()

        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            self.mode.__exit__(None, None, None)

    gan = make_gan(objective, n_critic=2, network={"norm": "batch"}, **recipe)
    fit(gan, 2, callbacks=[Guarded()])
    assert gan.updates == 2


def test_gan_average_follows_the_generator(make_gan: MakeGAN, fit: Fit) -> None:
    """ē ← decay·ē + (1 − decay)·θ after each update; running statistics too."""
    gan, history = make_gan(ema=0.16, network={"norm": "batch"}), []
    expected = weights(gan.generator)

    class Watch(pl.Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            history.append(weights(gan.generator))

    counted = [k for k in gan.generator.state_dict() if k.endswith("num_batches_tracked")]
    fit(gan, 3, callbacks=[Watch()])
    for decay, now in zip((1 / 10, 0.16, 0.16), history, strict=True):  # (1 + 1) / (10 + 1) is more
        expected = decay * expected + (1 - decay) * now
    whole = torch.cat([torch.full((v.numel(),), k in counted) for k, v in gan.generator.state_dict().items()])
    found = weights(gan.sampler)
    torch.testing.assert_close(found[~whole], expected[~whole], rtol=1e-5, atol=1e-6)
    assert torch.equal(found[whole], history[-1][whole])
    assert gan.sampler is not gan.generator
    assert not torch.allclose(found, history[-1], atol=1e-3)


def test_gan_without_average_samples_from_the_generator(make_gan: MakeGAN) -> None:
    gan = make_gan()
    assert gan.sampler is gan.generator
    assert gan.average is None


def test_gan_average_is_not_trained(make_gan: MakeGAN) -> None:
    gan = make_gan(ema=0.5)
    trained = {id(p) for o in gan.configure_optimizers() for g in o.param_groups for p in g["params"]}
    assert trained == {id(p) for network in (gan.generator, gan.critic) for p in network.parameters()}


def test_gan_average_does_not_change_the_game(make_gan: MakeGAN, fit: Fit) -> None:
    plain, averaged = make_gan(), make_gan(ema=0.9)
    for gan in (plain, averaged):
        fit(gan, 3)
    assert torch.equal(weights(plain.generator), weights(averaged.generator))


def test_gan_rates_decay_linearly_in_both_optimisers(make_gan: MakeGAN, fit: Fit) -> None:
    gan, rates = make_gan(decay="linear", lr=0.04, critic_lr=0.08, steps=4), []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
            rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])

    fit(gan, 4, callbacks=[Watch()])
    assert torch.tensor(rates).T.tolist() == [
        pytest.approx([0.04, 0.03, 0.02, 0.01]),
        pytest.approx([0.08, 0.06, 0.04, 0.02]),
    ]


def test_gan_optimisers_are_fused_and_made_after_the_critic_is_prepared(make_gan: MakeGAN) -> None:
    gan = make_gan(SpectralNorm())
    generator, critic = gan.configure_optimizers()
    assert generator.defaults["fused"]
    assert critic.defaults["fused"]
    names = {id(p): name for name, p in gan.critic.named_parameters()}
    assert all(id(p) in names for group in critic.param_groups for p in group["params"])
    assert any("parametrizations.weight.original" in name for name in names.values())


def test_gan_checkpoint_brings_back_counters_streams_and_average(make_gan: MakeGAN, fit: Fit) -> None:
    original = make_gan(GradientPenalty(), ema=0.9)
    fit(original, 3)
    checkpoint: dict[str, Any] = {}
    original.on_save_checkpoint(checkpoint)
    restored = make_gan(GradientPenalty(), ema=0.9)
    restored.on_load_checkpoint(checkpoint)
    restored.load_state_dict(original.state_dict())
    assert restored.updates == 3
    assert torch.equal(weights(restored.sampler), weights(original.sampler))
    for name in ("data", "latent", "objective"):
        drawn = [torch.rand(5, generator=gan.stream(name)) for gan in (original, restored)]
        assert torch.equal(*drawn)
        fresh = torch.rand(5, generator=torch.Generator().manual_seed(stream_seed(3, name)))
        assert not torch.equal(drawn[0], fresh)


def test_gan_times_the_critic_steps_once_in_each_chunk(make_gan: MakeGAN, fit: Fit) -> None:
    gan = make_gan(n_critic=2, steps=2 * CHUNK)
    fit(gan, 2 * CHUNK - 1)
    assert gan.timed_steps == 2
    assert gan.critic_seconds > 0
