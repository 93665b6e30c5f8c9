"""Metrics of critics against a known optimal transport: an optimal critic, its multiples, and what it is not."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.bench.data.catalog import load
from lipbench.bench.data.dataset import Dataset, Pair
from lipbench.bench.metrics.pairs import pair_metrics, time_to_cosine
from lipbench.bench.metrics.settings import Evaluation

N = 2000


class Potential(nn.Module):
    """A multiple of an optimal critic, plus a constant; single precision at its surface."""

    def __init__(self, pair: Pair, factor: float) -> None:
        super().__init__()
        self.pair, self.factor = [pair], nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return (self.factor * self.pair[0].potential(x) + 3).to(x.dtype)


def metrics_of(critic: nn.Module, data: Dataset, seed: int = 0) -> dict[str, float]:
    assert data.pair is not None
    rng = torch.Generator().manual_seed(seed)
    metrics, _ = pair_metrics(data, Evaluation(points=N), rng, critic)
    fake = data.pair(2 * torch.rand(N, data.shape[0], generator=rng) - 1)
    with torch.no_grad():
        return metrics(fake)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("funnels:d=3&n=4&seed=2")


@pytest.mark.parametrize("factor", [1.0, 3.0, 0.2])
def test_pairs_give_an_optimal_critic_full_marks_up_to_its_scale(data: Dataset, factor: float) -> None:
    assert data.pair is not None
    found, (w1, _) = metrics_of(Potential(data.pair, factor), data), data.pair.distance
    assert found["cosine"] == pytest.approx(1, abs=1e-5)
    assert found["gradient_error"] == pytest.approx((factor - 1) ** 2, abs=1e-5)
    assert found["cost"] == pytest.approx(factor * w1, rel=0.1)
    assert found["cost_error"] == pytest.approx(abs(found["cost"] / w1 - 1), abs=1e-9)
    assert found["own_slope"] == pytest.approx(factor, rel=1e-3)
    assert found["gradient_error_scaled"] < 1e-5 and found["cost_error_scaled"] < 0.1
    assert found["cost_scaled"] == pytest.approx(w1, rel=0.1)


def test_pairs_give_the_opposite_critic_a_cosine_of_minus_1(data: Dataset) -> None:
    assert data.pair is not None
    found = metrics_of(Potential(data.pair, -1.0), data)
    assert found["cosine"] == pytest.approx(-1, abs=1e-5) and found["gradient_error"] == pytest.approx(4, abs=1e-5)
    assert found["cost"] < 0 and found["cost_error"] == pytest.approx(2, rel=0.1)


def test_pairs_measure_a_plane_by_hand(data: Dataset) -> None:
    """f(x) = 2·x₀: cosine ∂₀u, squared difference 4 − 4·∂₀u + 1, slope 2 in one direction."""
    assert data.pair is not None
    plane = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    with torch.no_grad():
        plane[0].weight.copy_(torch.tensor([[2.0, 0.0, 0.0]]))  # pyright: ignore[reportArgumentType,reportCallIssue]
    rng = torch.Generator().manual_seed(5)
    fake = data.pair(2 * torch.rand(N, 3, generator=rng) - 1)
    along = data.pair.gradient(fake)[:, 0].mean().item()
    metrics, _ = pair_metrics(data, Evaluation(points=N), rng, plane)
    found = metrics(fake)
    assert found["cosine"] == pytest.approx(along, abs=1e-9)
    assert found["gradient_error"] == pytest.approx(5 - 4 * along, abs=1e-9)
    assert found["own_slope"] == pytest.approx(2, rel=1e-2) and found["own_slope"] <= 2 + 1e-9


def test_pairs_of_a_constant_critic_find_nothing(data: Dataset) -> None:
    flat = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).requires_grad_(True)
    nn.init.zeros_(flat[0].weight)  # pyright: ignore[reportArgumentType]
    found = metrics_of(flat, data)
    assert (found["cosine"], found["cost"], found["own_slope"]) == (0, pytest.approx(0, abs=1e-9), 0)
    assert found["cost_error"] == found["cost_error_scaled"] == pytest.approx(1)


def test_pairs_leave_the_critic_as_it_is_and_look_at_it_in_eval_mode(data: Dataset) -> None:
    critic = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
    torch.nn.utils.parametrizations.spectral_norm(critic[0])
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    first = metrics_of(critic, data)
    assert first == metrics_of(critic, data) and critic.training
    for name, value in critic.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_pairs_know_what_an_optimal_critic_has(data: Dataset) -> None:
    assert data.pair is not None
    metrics, floors = pair_metrics(data, Evaluation(points=100), torch.Generator(), nn.Identity())
    assert floors["cosine"] == 1 and floors["cost"] == data.pair.distance.value
    assert {"cosine", "gradient_error", "cost", "cost_error"} <= set(metrics.protocol)


def test_time_to_90_percent_is_the_first_evaluation_there() -> None:
    history = [{"step": i, "seconds": 0.5 * i, "cosine": c} for i, c in enumerate((0.0, 0.71, 0.73, 0.6, 0.8))]
    assert time_to_cosine(history) == {"steps_to_90": 2, "seconds_to_90": 1.0}
    assert time_to_cosine([{"step": 0, "seconds": 0.0, "cosine": -0.1}]) == {}
    assert time_to_cosine([{"step": 0, "seconds": 0.0, "cosine": float("nan")}]) == {}
