"""Metrics of a critic on a pair of distributions whose optimal transport is known. Nothing here trains or draws fakes.

As in Korotin, Kolesov, Burnaev 2022, arXiv:2206.07767, and each again after the critic is divided by its own slope.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..data.dataset import Dataset, Distance, Pair
from .settings import Evaluation
from .stability import evaluating, largest_pair_slope

SLOPE_POINTS = 1000  # a side; as in S13
REACHED = 0.9  # of the last cosine
FIELD, SIDE = 2.5, 41  # the grid of a picture in the plane: its reach, and points a side
METRICS = ("cosine", "gradient_error", "cost", "cost_error")
SCALED = ("gradient_error_scaled", "cost_scaled", "cost_error_scaled")


class PairMetrics:
    """The metrics of one critic.

    cosine: mean cosine of the critic's gradient at the fakes and the true one: which way a generator would be sent.
    gradient_error: mean squared length of their difference.
    cost: mean D(real) − mean D(fake), which is W1 for an optimal critic; cost_error: |cost − W1| / W1.
    own_slope: the largest |D(x) − D(x′)| / ‖x − x′‖ over pairs of points; the others after division by it say what is
    left of an error that is only one of scale (`…_scaled`).

    The critic is measured in float64, in eval mode: rounding would make slopes between near points.

    Args:
        data: has a `pair`.
        critic: maps [B, d] to [B].
        rng: reals come from this stream, n at a call.
        n: points a side.
        distance: the pair's W1.
    """

    def __init__(self, data: Dataset, critic: nn.Module, rng: torch.Generator, n: int, distance: Distance) -> None:
        assert data.pair is not None
        self.data, self.pair, self.critic, self.rng, self.n, self.distance = data, data.pair, critic, rng, n, distance

    @property
    def n_fake(self) -> int:
        """How many fakes a call needs."""
        return self.n

    def __call__(self, fake: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """The metrics, from these fakes [n, d] and fresh reals."""
        x, y = fake[: self.n].double(), self.data.held_out(self.n, self.rng).double()
        with evaluating(self.critic):
            return measured(in_double(self.critic), y, x, self.pair.gradient(x), self.distance.value)

    def with_bias(self, fake: Tensor, labels: Tensor | None = None) -> tuple[dict[str, float], dict[str, Any]]:
        """As a call; these are means over points, which no number of points biases."""
        return self(fake), {}

    def fresh(self, rng: torch.Generator) -> "PairMetrics":
        """The same metrics with reals from another stream."""
        return PairMetrics(self.data, self.critic, rng, self.n, self.distance)

    @property
    def protocol(self) -> dict[str, dict[str, Any]]:
        """How each metric is measured, ready for JSON."""
        rule = {"n_real": self.n, "n_fake": self.n}
        found: dict[str, dict[str, Any]] = {name: dict(rule) for name in METRICS}
        points = min(self.n, SLOPE_POINTS)
        return found | {name: {**rule, "divided_by": f"own slope over {points} points a side"} for name in SCALED}


def in_double(critic: nn.Module) -> Callable[[Tensor], Tensor]:
    """The critic as a function of points in float64, with its weights as they are now; the critic stays as it is."""
    named = [*critic.named_parameters(), *critic.named_buffers()]
    state = {name: x.detach().double() if x.is_floating_point() else x for name, x in named}
    return lambda x: functional_call(critic, state, (x,))


def measured(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, truth: Tensor, w1: float
) -> dict[str, float]:
    """The metrics of a critic between reals and fakes [n, d] with the true gradients [n, d] at the fakes."""
    gradient = gradient_at(critic, fake)
    with torch.no_grad():
        on_real, on_fake = critic(real), critic(fake)
    cost = (on_real.mean() - on_fake.mean()).item()
    values, points = (torch.cat([a[:SLOPE_POINTS], b[:SLOPE_POINTS]]) for a, b in ((on_real, on_fake), (real, fake)))
    slope = largest_pair_slope(values, points)
    scale = 1 / slope if slope > 0 else 0.0
    return {
        "cosine": F.cosine_similarity(gradient, truth, dim=1, eps=1e-300).mean().item(),
        "gradient_error": _squared(gradient - truth),
        "cost": cost,
        "cost_error": abs(cost / w1 - 1),
        "own_slope": slope,
        "gradient_error_scaled": _squared(scale * gradient - truth),
        "cost_scaled": scale * cost,
        "cost_error_scaled": abs(scale * cost / w1 - 1),
    }


def gradient_at(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇D at points [n, d], also where gradients are switched off."""
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(x).sum(), x)
    return gradient


def _squared(x: Tensor) -> float:
    return x.square().sum(dim=1).mean().item()


def pair_metrics(
    data: Dataset, evaluation: Evaluation, rng: torch.Generator, critic: nn.Module
) -> tuple[PairMetrics, dict[str, float]]:
    """The metrics on `points` points a side, and what an optimal critic has."""
    assert data.pair is not None
    distance = data.pair.distance
    metrics = PairMetrics(data, critic, rng, evaluation.points, distance)
    return metrics, {"cosine": 1.0, "cost": distance.value, "cost_scaled": distance.value}


def fields(critic: nn.Module, pair: Pair) -> dict[str, np.ndarray]:
    """A critic in eval mode and an optimal one on a grid of the plane: heights [SIDE, SIDE], gradients [SIDE, SIDE, 2].

    Rows go up with the second coordinate; `field_axis` [SIDE] has the values of either. Heights have mean 0.
    """
    parameter = next(critic.parameters())
    axis = torch.linspace(-FIELD, FIELD, SIDE, dtype=torch.float64, device=parameter.device)
    x = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=2).flatten(0, 1)
    function = in_double(critic)
    with torch.no_grad():
        heights = {"critic_surface": function(x), "true_surface": pair.potential(x)}
    gradients = {"critic_gradient": gradient_at(function, x), "true_gradient": pair.gradient(x)}
    found = {name: (value - value.mean()).view(SIDE, SIDE) for name, value in heights.items()}
    found |= {name: value.view(SIDE, SIDE, 2) for name, value in gradients.items()}
    return {name: value.float().cpu().numpy() for name, value in (("field_axis", axis), *found.items())}


def time_to_cosine(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Steps and seconds until the cosine was first at 90 % of its last value; nothing where that is not above 0."""
    last = history[-1].get("cosine", 0.0)
    if not last > 0:
        return {}
    row = next(row for row in history if row["cosine"] >= REACHED * last)
    return {"steps_to_90": float(row["step"]), "seconds_to_90": row["seconds"]}
