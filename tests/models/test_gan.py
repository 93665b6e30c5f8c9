"""The Lightning module: what it hands Lightning, what it counts, what a checkpoint brings back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lipbench.models import GAN, Iteration, stream_seed
from lipbench.objectives import GradientPenalty, SpectralNorm

MakeIteration = Callable[..., Iteration]
Fit = Callable[..., pl.Trainer]


def weights(module: nn.Module) -> Tensor:
    return torch.cat([v.detach().flatten().double() for v in module.state_dict().values()])


def test_gan_trains_as_its_iteration_does_alone(make_iteration: MakeIteration, fit: Fit) -> None:
    """Lightning's global_step counts optimiser steps, and here it sees none at all."""
    alone, gan = make_iteration(steps=4, n_critic=5, ema=0.9), GAN(make_iteration(steps=4, n_critic=5, ema=0.9))
    alone.run(4)
    trainer = fit(gan)
    assert gan.iteration.updates == 4
    assert trainer.global_step != 4
    assert torch.equal(weights(gan.iteration.parts), weights(alone.parts))
    assert torch.equal(gan.iteration.scalars, alone.scalars)


class Watch(pl.Callback):
    """Notes the updates after which it is called."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        self.seen.append(pl_module.iteration.updates)


@pytest.mark.parametrize(
    ("patience", "seen"), [(1e9, [1, 30, 50, 100, 120]), (0, list(range(1, 121)))], ids=["patient", "impatient"]
)
def test_gan_pauses_where_it_is_asked_to_at_every_fetch_and_when_its_patience_ends(
    make_iteration: MakeIteration, fit: Fit, patience: float, seen: list[int]
) -> None:
    gan, watch = GAN(make_iteration(steps=120)), Watch()
    gan.pauses, gan.patience = {1, 30, 500}, patience
    fit(gan, callbacks=[watch])
    assert watch.seen == seen


def test_gan_state_has_the_parts_by_name(make_iteration: MakeIteration) -> None:
    """The weights in the checkpoints of other versions go by these names."""
    plain, averaged = (GAN(make_iteration(SpectralNorm(), **how)) for how in ({}, {"ema": 0.5}))
    assert {name.partition(".")[0] for name in plain.state_dict()} == {"generator", "critic"}
    assert {name.partition(".")[0] for name in averaged.state_dict()} == {"generator", "critic", "average"}


def test_gan_optimisers_are_fused_and_of_the_prepared_critic(make_iteration: MakeIteration) -> None:
    """And the average is in none."""
    gan = GAN(make_iteration(SpectralNorm(), ema=0.5))
    optimizers = gan.configure_optimizers()
    assert all(optimizer.defaults["fused"] for optimizer in optimizers)
    for optimizer, network in zip(optimizers, (gan.iteration.generator, gan.iteration.critic), strict=True):
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert trained == {id(p) for p in network.parameters()}
    assert any("parametrizations.weight.original" in name for name, _ in gan.iteration.critic.named_parameters())


class Save(pl.Callback):
    """Writes a checkpoint after three iterations."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pl_module.pauses.add(3)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        if pl_module.iteration.updates == 3:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize("recipe", [{"ema": 0.9, "decay": "linear"}, {"optimizer": "rmsprop"}])
def test_gan_goes_on_from_a_checkpoint(
    make_iteration: MakeIteration, fit: Fit, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    whole, first, second = (GAN(make_iteration(GradientPenalty(), **recipe)) for _ in range(3))
    fit(whole)
    fit(first, callbacks=[Save(tmp_path / "half.ckpt")])
    fit(second, ckpt_path=tmp_path / "half.ckpt")
    assert second.iteration.updates == 6
    assert torch.equal(weights(second), weights(whole))
    assert torch.equal(second.iteration.scalars, whole.iteration.scalars)


def test_gan_checkpoint_brings_back_counters_streams_and_times(make_iteration: MakeIteration, fit: Fit) -> None:
    """Also of a module that is saved again before it draws."""
    original, between, restored = (GAN(make_iteration(GradientPenalty(), steps=3)) for _ in range(3))
    fit(original)
    original.loop.preparation_seconds = 2.5
    original.iteration.critic_seconds, original.iteration.timed_steps = 0.5, 7
    for source, target in ((original, between), (between, restored)):
        checkpoint: dict[str, Any] = {}
        source.on_save_checkpoint(checkpoint)
        target.on_load_checkpoint(checkpoint)
    assert restored.iteration.updates == 3
    assert restored.loop.preparation_seconds == 2.5
    assert (restored.iteration.critic_seconds, restored.iteration.timed_steps) == (0.5, 7)
    assert torch.equal(restored.iteration.scalars, original.iteration.scalars)
    for name in ("data", "latent", "objective"):
        drawn = [torch.rand(5, generator=gan.iteration.stream(name)) for gan in (original, restored)]
        assert torch.equal(*drawn)
        fresh = torch.rand(5, generator=torch.Generator().manual_seed(stream_seed(3, name)))
        assert not torch.equal(drawn[0], fresh)
