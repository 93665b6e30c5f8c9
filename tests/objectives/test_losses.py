"""Losses on asymmetric logits against closed forms in numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lipbench.objectives import LOSSES, BadInput
from lipbench.objectives.loss_catalog import get_loss

REAL = np.array([2.3, -0.4, 0.7])
FAKE = np.array([-1.1, 0.9, 1.6])
Reference = Callable[[np.ndarray, np.ndarray], np.floating]


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


CRITIC: dict[str, Reference] = {
    "minimax": lambda r, f: np.mean(softplus(-r)) + np.mean(softplus(f)),
    "non_saturating": lambda r, f: np.mean(softplus(-r)) + np.mean(softplus(f)),
    "wasserstein": lambda r, f: np.mean(f) - np.mean(r),
    "hinge": lambda r, f: np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f)),
    "relativistic": lambda r, f: np.mean(softplus(-(r - f))),
    "least_squares": lambda r, f: 0.5 * np.mean((r - 1) ** 2) + 0.5 * np.mean(f**2),
}
GENERATOR: dict[str, Reference] = {
    "minimax": lambda r, f: -np.mean(softplus(f)),
    "non_saturating": lambda r, f: np.mean(softplus(-f)),
    "wasserstein": lambda r, f: -np.mean(f),
    "hinge": lambda r, f: -np.mean(f),
    "relativistic": lambda r, f: np.mean(softplus(-(f - r))),
    "least_squares": lambda r, f: 0.5 * np.mean((f - 1) ** 2),
}


def test_losses_all_have_a_reference() -> None:
    assert set(CRITIC) == set(GENERATOR) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_losses_equal_the_closed_form(name: str, scale: float) -> None:
    real, fake = scale * REAL, scale * FAKE
    logits = torch.from_numpy(real), torch.from_numpy(fake)
    loss = LOSSES[name]
    assert loss.critic(*logits).item() == pytest.approx(CRITIC[name](real, fake), rel=1e-12)
    assert loss.generator(logits[1], logits[0]).item() == pytest.approx(GENERATOR[name](real, fake), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_on_one_known_pair_of_logits(name: str) -> None:
    """By hand, at f(x) = ln 3 and f(G(z)) = −ln 7: D(x) = 3/4 and D(G(z)) = 1/8."""
    real, fake = torch.tensor([3.0]).double().log(), -torch.tensor([7.0]).double().log()
    log = np.log
    critic = {
        "minimax": log(4 / 3) + log(8 / 7),
        "non_saturating": log(4 / 3) + log(8 / 7),
        "wasserstein": -log(21),
        "hinge": 0.0,
        "relativistic": log(22 / 21),
        "least_squares": 0.5 * (log(3) - 1) ** 2 + 0.5 * log(7) ** 2,
    }
    generator = {
        "minimax": log(7 / 8),
        "non_saturating": log(8),
        "wasserstein": log(7),
        "hinge": log(7),
        "relativistic": log(22),
        "least_squares": 0.5 * (log(7) + 1) ** 2,
    }
    loss = LOSSES[name]
    assert loss.critic(real, fake).item() == pytest.approx(critic[name], abs=1e-12)
    assert loss.generator(fake, real).item() == pytest.approx(generator[name], abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [100.0, -100.0])
def test_losses_and_their_gradients_stay_finite_at_large_logits(name: str, size: float) -> None:
    """In single precision, where sigmoid(100) is 1 and log(1 − 1) would be −∞."""
    real = torch.tensor([size, 0.5 * size], requires_grad=True)
    fake = torch.tensor([-size, -0.7 * size], requires_grad=True)
    loss = LOSSES[name]
    critic, generator = loss.critic(real, fake), loss.generator(fake, real)
    reference = real.detach().double().numpy(), fake.detach().double().numpy()
    assert critic.item() == pytest.approx(CRITIC[name](*reference), rel=1e-5, abs=1e-20)
    assert generator.item() == pytest.approx(GENERATOR[name](*reference), rel=1e-5, abs=1e-20)
    (critic + generator).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert torch.isfinite(real.grad).all()
    assert torch.isfinite(fake.grad).all()


def test_losses_minimax_saturates_and_non_saturating_does_not() -> None:
    """d/df log(1 − σ(f)) = −σ(f), against d/df −log σ(f) = −σ(−f)."""
    for name, expected in (("minimax", -1 / (1 + np.exp(9))), ("non_saturating", -1 / (1 + np.exp(-9)))):
        fake = torch.tensor([-9.0], dtype=torch.float64, requires_grad=True)
        LOSSES[name].generator(fake, None).backward()
        assert fake.grad is not None
        assert fake.grad.item() == pytest.approx(expected, rel=1e-12)


def test_losses_only_the_relativistic_generator_looks_at_real_logits() -> None:
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    for name, loss in LOSSES.items():
        assert loss.relativistic == (name == "relativistic")
        changed = loss.generator(fake, real + 1) != loss.generator(fake, real)
        assert bool(changed) == loss.relativistic
    with pytest.raises(ValueError, match="real"):
        LOSSES["relativistic"].generator(fake, None)


def test_losses_of_unknown_name_list_the_known() -> None:
    with pytest.raises(BadInput, match=r"unknown loss 'hing' \(did you mean 'hinge'\?\); known: hinge, least_squares"):
        get_loss("hing")


@pytest.mark.parametrize("name", [5, ["hinge"], None])
def test_losses_whose_name_is_no_text_are_unknown_too(name: object) -> None:
    with pytest.raises(BadInput, match=r"unknown loss '.*'; known: hinge|did you mean 'hinge'"):
        get_loss(name)  # pyright: ignore[reportArgumentType]
