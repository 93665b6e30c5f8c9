"""What one iteration is, whose random numbers it takes, and that it waits for no device."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lipbench.models import CHUNK, SCALARS, STREAMS, Iteration, draw_latent, stream_seed
from lipbench.models.iteration import dequantised
from lipbench.objectives import (
    R3GAN,
    Batch,
    GradientPenalty,
    Minimax,
    NonSaturating,
    Objective,
    SpectralNorm,
    WeightClipping,
)

MakeIteration = Callable[..., Iteration]


def weights(module: nn.Module) -> Tensor:
    return torch.cat([v.detach().flatten().double() for v in module.state_dict().values()])


class Taped(R3GAN):
    """Notes whose step it is, at which update, and how many samples it gets; it compares real and generated ones."""

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[tuple[str, int, int, int]] = []

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        assert not batch.fake.requires_grad
        self.tape.append(("critic", batch.step, len(batch.real), len(batch.fake)))
        return super().critic_loss(critic, batch)

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        assert batch.fake.requires_grad
        self.tape.append(("generator", batch.step, len(batch.real), len(batch.fake)))
        return super().generator_loss(critic, batch)


@pytest.mark.parametrize("generator_batch", [None, 40])
@pytest.mark.parametrize("n_critic", [1, 5])
def test_iteration_is_n_critic_critic_steps_and_one_generator_step(
    make_iteration: MakeIteration, n_critic: int, generator_batch: int | None
) -> None:
    objective, n = Taped(), generator_batch or 16
    make_iteration(objective, n_critic=n_critic, generator_batch=generator_batch).run(3)
    expected = []
    for step in range(3):
        expected += [("critic", step, 16, 16)] * n_critic + [("generator", step, n, n)]
    assert objective.tape == expected


def test_iteration_changes_generator_and_critic_and_nothing_else(make_iteration: MakeIteration) -> None:
    iteration = make_iteration()
    generator, critic, state = weights(iteration.generator), weights(iteration.critic), torch.get_rng_state()
    iteration.run(2)
    assert not torch.equal(generator, weights(iteration.generator))
    assert not torch.equal(critic, weights(iteration.critic))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("generator_batch", [None, 16, 40])
def test_iteration_equals_the_same_steps_by_hand(make_iteration: MakeIteration, generator_batch: int | None) -> None:
    """An independent loop in plain torch: alternating Adam steps on the non-saturating losses, same streams."""
    iteration = make_iteration(n_critic=2, critic_lr=3e-3, generator_batch=generator_batch)
    iteration.run(3)
    hand = make_iteration()
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
    torch.testing.assert_close(weights(iteration.generator), weights(generator), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights(iteration.critic), weights(critic), rtol=1e-4, atol=1e-5)


def test_iteration_of_every_objective_at_one_seed_sees_the_same_data_and_latents(make_iteration: MakeIteration) -> None:
    """Also of those whose objective draws, prepares the critic, or clips; the first fakes are the same too."""
    seen: list[list[Tensor]] = []
    for objective in (Minimax(), GradientPenalty(), SpectralNorm(), WeightClipping()):
        iteration, latents, fakes = make_iteration(objective, n_critic=2), list[Tensor](), list[Tensor]()

        def note(_: Any, args: Any, output: Tensor, latents: Any = latents, fakes: Any = fakes) -> None:
            latents.append(args[0])
            fakes.append(output.detach())

        iteration.generator.register_forward_hook(note)
        iteration.run(3)
        drawn: Any = iteration.data
        seen.append([torch.stack(drawn.drawn), torch.stack(latents), fakes[0]])
    assert [len(x) for x in seen[0]] == [6, 9, 16]
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))
    assert len({tuple(x.flatten().tolist()) for x in (*seen[0][0], *seen[0][1])}) == 15


def test_iteration_does_not_follow_the_evaluation_stream(make_iteration: MakeIteration) -> None:
    plain, watched = make_iteration(GradientPenalty()), make_iteration(GradientPenalty())
    plain.run(3)
    for _ in range(3):
        watched.run(1)
        torch.randn(100, generator=watched.stream("evaluation"))
    assert torch.equal(weights(plain.critic), weights(watched.critic))
    assert torch.equal(weights(plain.generator), weights(watched.generator))


def test_iteration_streams_differ_by_name_and_by_seed(make_iteration: MakeIteration) -> None:
    seeds = {stream_seed(seed, name) for seed in range(50) for name in STREAMS}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    made = [make_iteration(seed=seed) for seed in (1, 1, 2)]
    draws = [draw_latent(iteration.networks, 4, iteration.stream("latent")) for iteration in made]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_iteration_gives_the_objective_its_own_stream(make_iteration: MakeIteration) -> None:
    drawn: list[Tensor] = []

    class Curious(NonSaturating):
        def penalty(self, critic: nn.Module, batch: Batch) -> None:
            drawn.append(torch.rand(2, generator=batch.rng))

    make_iteration(Curious(), n_critic=2).run(2)
    rng = torch.Generator().manual_seed(stream_seed(3, "objective"))
    assert torch.equal(torch.stack(drawn), torch.rand(4, 2, generator=rng))


def test_iteration_scalars_hold_each_one_of_the_chunk(make_iteration: MakeIteration) -> None:
    class Counted(NonSaturating):
        """Critic loss, penalty and generator loss that say which iteration they belong to."""

        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.real).sum() + batch.step

        def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.real).sum() + 100 + batch.step

        def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return 0 * critic(batch.fake).sum() + 200 + batch.step

    iteration = make_iteration(Counted(), steps=CHUNK + 2)
    iteration.run(CHUNK + 2)
    assert SCALARS == ("critic_loss", "penalty", "generator_loss")
    expected = [CHUNK, CHUNK + 1, *range(2, CHUNK)]
    assert iteration.scalars.tolist() == [[step, 100 + step, 200 + step] for step in expected]


class NoSync(TorchDispatchMode):
    """Fails where a value is fetched from a tensor, which on a GPU would wait for the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a value is fetched inside the iteration"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("objective", [GradientPenalty(), SpectralNorm(), WeightClipping()])
@pytest.mark.parametrize("recipe", [{"ema": 0.9, "decay": "linear"}, {"optimizer": "rmsprop"}])
def test_iteration_fetches_no_value_from_the_device(
    make_iteration: MakeIteration, objective: Objective, recipe: dict[str, Any]
) -> None:
    iteration = make_iteration(objective, n_critic=2, network={"norm": "batch"}, **recipe)
    with NoSync():
        iteration.run(2)
    assert iteration.updates == 2


def test_iteration_average_follows_the_generator(make_iteration: MakeIteration) -> None:
    """ē ← decay·ē + (1 − decay)·θ after each update; running statistics too."""
    iteration = make_iteration(ema=0.16, network={"norm": "batch"})
    expected = now = weights(iteration.generator)
    for decay in (1 / 10, 0.16, 0.16):  # (1 + 1) / (10 + 1) is more
        iteration.run(1)
        now = weights(iteration.generator)
        expected = decay * expected + (1 - decay) * now
    state = iteration.generator.state_dict()
    whole = torch.cat([torch.full((v.numel(),), k.endswith("num_batches_tracked")) for k, v in state.items()])
    found = weights(iteration.sampler)
    torch.testing.assert_close(found[~whole], expected[~whole], rtol=1e-5, atol=1e-6)
    assert torch.equal(found[whole], now[whole])
    assert iteration.sampler is not iteration.generator
    assert not torch.allclose(found, now, atol=1e-3)


def test_iteration_without_average_samples_from_the_generator(make_iteration: MakeIteration) -> None:
    iteration = make_iteration()
    assert iteration.sampler is iteration.generator


def test_iteration_average_does_not_change_the_game(make_iteration: MakeIteration) -> None:
    plain, averaged = make_iteration(), make_iteration(ema=0.9)
    for iteration in (plain, averaged):
        iteration.run(3)
    assert torch.equal(weights(plain.generator), weights(averaged.generator))


def test_iteration_rates_decay_linearly_in_both_optimisers(make_iteration: MakeIteration) -> None:
    iteration, rates = make_iteration(decay="linear", lr=0.04, critic_lr=0.08, steps=4), []
    for _ in range(4):
        iteration.run(1)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in iteration.optimizers])
    assert torch.tensor(rates).T.tolist() == [
        pytest.approx([0.04, 0.03, 0.02, 0.01]),
        pytest.approx([0.08, 0.06, 0.04, 0.02]),
    ]


def test_iteration_times_the_critic_steps_once_in_each_chunk(make_iteration: MakeIteration) -> None:
    iteration = make_iteration(n_critic=2, steps=2 * CHUNK)
    iteration.run(2 * CHUNK - 1)
    assert iteration.timed_steps == 2
    assert iteration.critic_seconds > 0


def test_dequantised_spreads_each_level_over_its_own_interval() -> None:
    levels = torch.arange(256.0).repeat(64, 1)
    found = (dequantised(levels / 127.5 - 1, torch.Generator().manual_seed(0)).double() + 1) * 128
    within = found - levels
    assert (within.min() > -1e-4) and within.max() < 1 + 1e-4
    # Of 16,384 uniform numbers; the variance is 1/12.
    assert abs(within.mean() - 0.5) < 4 * (1 / 12 / 16_384) ** 0.5 and abs(within.var() * 12 - 1) < 0.05


def test_iteration_trains_on_dequantised_reals_and_draws_latents_as_before(make_iteration: MakeIteration) -> None:
    plain, noisy = make_iteration(), make_iteration(dequantise="uniform")
    (real, latent), (spread, same) = plain.draw(16), noisy.draw(16)
    assert torch.equal(latent, same)
    expected = (real + 1) * (127.5 / 128) - 1
    assert ((spread - expected).abs() <= 1 / 128 + 1e-6).all() and (spread != expected).any()


def test_iteration_of_simultaneous_updates_is_a_loop_by_hand_bit_for_bit(make_iteration: MakeIteration) -> None:
    """Both gradients are taken before either step; on the same real samples and latents, as in PacGAN's code."""
    iteration, hand, turns = (make_iteration(updates=order) for order in ("simultaneous", "alternating", "alternating"))
    iteration.run(3)
    turns.run(3)
    data, latent = (torch.Generator().manual_seed(stream_seed(3, name)) for name in ("data", "latent"))
    networks, loss = (hand.generator, hand.critic), hand.objective.loss
    optimizers = [torch.optim.Adam(n.parameters(), lr=1e-2, betas=(0.0, 0.9), fused=True) for n in networks]
    for _ in range(3):
        real, fake = hand.data.sample(16, data), hand.generator(torch.randn(16, 2, generator=latent))
        losses = loss.generator(hand.critic(fake), None), loss.critic(hand.critic(real), hand.critic(fake.detach()))
        gradients = [torch.autograd.grad(x, list(n.parameters())) for x, n in zip(losses, networks, strict=True)]
        for network, found, optimizer in zip(networks, gradients, optimizers, strict=True):
            for parameter, gradient in zip(network.parameters(), found, strict=True):
                parameter.grad = gradient
            optimizer.step()
    assert torch.equal(weights(iteration.generator), weights(hand.generator))
    assert torch.equal(weights(iteration.critic), weights(hand.critic))
    assert not torch.equal(weights(iteration.generator), weights(turns.generator))


def test_iteration_draws_a_pack_for_every_sample_of_the_recipe(make_iteration: MakeIteration) -> None:
    objective = Taped()
    iteration = make_iteration(objective, n_critic=2, generator_batch=24)
    iteration.networks.packing = 3
    iteration.run(1)
    assert [(who, real) for who, _, real, _ in objective.tape] == [("critic", 48), ("critic", 48), ("generator", 72)]
