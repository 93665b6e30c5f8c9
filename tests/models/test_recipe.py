"""The recipe: what it refuses, which optimiser it makes, how the rate decays."""

import math

import pytest
import torch
from torch import nn
from torch.optim import Adam, RMSprop

from lipbench.models import Recipe, make_optimizer
from lipbench.objectives import BadInput


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"lr": 0}, "recipe: lr=0: must be > 0"),
        ({"lr": -1e-4}, "recipe: lr=-0.0001: must be > 0"),
        ({"lr": math.nan}, "recipe: lr=nan: must be > 0"),
        ({"lr": math.inf}, "recipe: lr=inf: must be finite"),
        ({"critic_lr": 0.0}, "recipe: critic_lr=0.0: must be > 0"),
        ({"critic_lr": math.inf}, "recipe: critic_lr=inf: must be finite"),
        ({"betas": (0.5,)}, "recipe: betas=.*two numbers in "),
        ({"betas": (0.5, 0.9, 0.99)}, "recipe: betas=.*two numbers in "),
        ({"betas": (0.5, 1.0)}, "recipe: betas=.*two numbers in "),
        ({"betas": (-0.1, 0.9)}, "recipe: betas=.*two numbers in "),
        ({"n_critic": 0}, "recipe: n_critic=0: must be ≥ 1"),
        ({"batch": 1}, "recipe: batch=1: must be ≥ 2"),
        ({"generator_batch": 1}, "recipe: generator_batch=1: must be ≥ 2"),
        ({"ema": 1.0}, "recipe: ema=1.0: must be in "),
        ({"optimizer": "adamw"}, "unknown optimizer 'adamw'.*known: adam, rmsprop"),
        ({"decay": "cosine"}, "unknown decay 'cosine'.*known: linear, none"),
    ],
)
def test_recipe_refuses_a_value_that_is_not_allowed(settings: dict, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Recipe(**settings)


def test_recipe_makes_fused_adam_with_its_settings() -> None:
    optimizer = make_optimizer(Recipe("adam", 3e-4, (0.1, 0.7)), nn.Linear(2, 3).parameters(), 5e-4)
    assert isinstance(optimizer, Adam)
    assert {k: optimizer.defaults[k] for k in ("lr", "betas", "fused", "weight_decay")} == {
        "lr": 5e-4, "betas": (0.1, 0.7), "fused": True, "weight_decay": 0,
    }  # fmt: skip


def test_recipe_makes_foreach_rmsprop_as_torch_has_it() -> None:
    optimizer = make_optimizer(Recipe("rmsprop", 3e-4), nn.Linear(2, 3).parameters(), 5e-5)
    assert isinstance(optimizer, RMSprop)
    assert {k: optimizer.defaults[k] for k in ("lr", "alpha", "momentum", "centered", "foreach")} == {
        "lr": 5e-5, "alpha": 0.99, "momentum": 0, "centered": False, "foreach": True,
    }  # fmt: skip


def test_recipe_takes_whole_numbers_as_betas() -> None:
    """torch refuses an integer among the betas."""
    layer = nn.Linear(2, 1)
    optimizer = make_optimizer(Recipe("adam", 1e-3, (0, 0.9)), layer.parameters(), 1e-3)
    layer(torch.ones(4, 2)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(("decay", "expected"), [("none", [0.4, 0.4, 0.4]), ("linear", [0.4, 0.3, 0.04])])
def test_recipe_rate_falls_linearly_to_zero_or_stays(decay: str, expected: list[float]) -> None:
    recipe = Recipe(decay=decay)
    assert [recipe.rate(0.4, done, 10) for done in (0, 2.5, 9)] == pytest.approx(expected)  # pyright: ignore[reportArgumentType]


def test_recipe_average_forgets_the_start_also_in_short_runs() -> None:
    """After t updates ∏ (1 + s)/(10 + s), s < t, is left of the initial weights, until `ema` is the smaller one."""
    recipe = Recipe(ema=0.9999)
    decays = [recipe.average_decay(t) for t in range(3000)]
    assert decays[0] == pytest.approx(0.1)
    assert decays[90] == pytest.approx(0.91)
    assert decays == sorted(decays)
    # t! 9! / (t + 9)!
    assert math.prod(decays[:90]) == pytest.approx(math.exp(math.lgamma(91) + math.lgamma(10) - math.lgamma(100)))
    assert math.prod(decays) < 1e-20 < 0.9999**3000
    assert recipe.average_decay(200_000) == 0.9999
    assert Recipe(ema=0.0).average_decay(5) == 0.0
