"""The Dirac game played by the two steps of the game, against its recurrences written out."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lipbench.bench.studies.claims.s01_dirac import GAMMA, RATE, SIGMA, Dirac, make_objective, play
from lipbench.objectives import InstanceNoise

Force = Callable[[float, float], float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


# Ascent directions of ψ (the critic, given θ) and θ (the generator, given ψ), from the losses by hand; data at 0.
CRITICS: dict[str, Force] = {
    "minimax": lambda theta, psi: -theta * sigmoid(psi * theta),
    "non-saturating": lambda theta, psi: -theta * sigmoid(psi * theta),
    "clip": lambda theta, psi: -theta,
    "GP": lambda theta, psi: -theta - GAMMA * (abs(psi) - 1) * np.sign(psi),
    "GP λ=10": lambda theta, psi: -theta - 20 * (abs(psi) - 1) * np.sign(psi),
    "R1": lambda theta, psi: -theta * sigmoid(psi * theta) - GAMMA * psi,
}
GENERATORS: dict[str, Force] = {
    "minimax": lambda theta, psi: psi * sigmoid(psi * theta),
    "non-saturating": lambda theta, psi: psi * sigmoid(-psi * theta),
    "clip": lambda theta, psi: psi,
    "GP": lambda theta, psi: psi,
    "GP λ=10": lambda theta, psi: psi,
    "R1": lambda theta, psi: psi * sigmoid(-psi * theta),
}


@pytest.mark.parametrize("simultaneous", [True, False])
@pytest.mark.parametrize("name", CRITICS)
def test_dirac_follows_its_recurrence(name: str, simultaneous: bool):
    game = Dirac(make_objective(name, 40), simultaneous, torch.Generator(), 1)
    theta = psi = 1.0
    for found in game.play(40):
        assert found == pytest.approx((theta, psi), rel=1e-9, abs=1e-12)
        new = psi + RATE * CRITICS[name](theta, psi)
        new = min(1.0, max(-1.0, new)) if name == "clip" else new
        theta, psi = theta + RATE * GENERATORS[name](theta, psi if simultaneous else new), new


def test_dirac_noise_starts_alike_and_is_gone_at_the_last_step_where_it_is_annealed():
    constant, annealed = (make_objective(name, 20) for name in ("noise", "annealed noise"))
    paths = [list(Dirac(objective, False, rng(), 4).play(5)) for objective in (constant, annealed)]
    assert paths[0][1] == paths[1][1]
    assert paths[0][5] != paths[1][5]
    assert isinstance(annealed, InstanceNoise)
    assert annealed.sigma_at(0) == SIGMA
    assert annealed.sigma_at(20) == 0.0


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_play_keeps_the_mean_distance_of_the_tail_and_the_first_seeds_path():
    rows = play("minimax", "simultaneous", None, 520)
    path = np.array(list(Dirac(make_objective("minimax", 520), True, rng(), 1).play(520)))
    assert rows[0]["tail"] == pytest.approx(np.hypot(*path.T)[-500:].mean())
    assert "seed" not in rows[0]
    assert rows[1]["theta"] == rows[1]["psi"] == 1.0
    assert len(play("noise", "alternating", 1, 10)) == 1
    assert len(play("noise", "alternating", 0, 10)) > 1
