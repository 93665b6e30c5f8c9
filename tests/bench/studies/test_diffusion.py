"""The diffusion model against closed forms: with a known best predictor its samples have a known law."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from lipbench.bench.data import load
from lipbench.bench.metrics.points import PointMetrics, mode_coverage
from lipbench.bench.studies.extensions import k03_diffusion
from lipbench.bench.studies.extensions.diffusion import Diffusion
from lipbench.bench.studies.extensions.k03_diffusion import COMMON, DDPM, LONGER, STILL, still, train
from lipbench.models import stream_seed

MEAN, SD = torch.tensor([1.5, -0.5]), 0.3


class Gaussian(Diffusion):
    """Predicts the noise as well as possible where the data are N(MEAN, sd²·I)."""

    def __init__(self, sd: float, times: int = 200) -> None:
        super().__init__(2, width=2, depth=1, times=times)
        self.sd = sd

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept = self.kept[t - 1, None]
        return (1 - kept).sqrt() * (x - kept.sqrt() * MEAN) / (kept * self.sd**2 + 1 - kept)


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k03_diffusion, "PointMetrics", partial(PointMetrics, n=50, n_modes=200))


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, sd: float) -> Tensor:
    return MEAN + sd * torch.randn(n, 2, generator=stream(7))


def test_schedule_is_the_papers_at_a_thousand_times_and_ends_in_noise_at_fewer() -> None:
    paper, fewer = Diffusion(2, times=1000), Diffusion(2, times=200)
    np.testing.assert_allclose(paper.beta, np.linspace(1e-4, 0.02, 1000), rtol=1e-6)
    np.testing.assert_allclose(fewer.kept, np.cumprod(1 - 5 * np.linspace(1e-4, 0.02, 200)), rtol=1e-5)
    assert 1e-5 < fewer.kept[-1] < paper.kept[-1] * 1.5 < 1e-4


def test_loss_is_nought_for_a_predictor_that_knows_the_only_point() -> None:
    assert Gaussian(0.0).loss(MEAN.expand(500, 2), stream()).item() == pytest.approx(0, abs=1e-6)


def test_loss_asks_at_every_time_alike() -> None:
    asked: list[Tensor] = []
    model = Diffusion(2, width=2, depth=1, times=5)
    model.register_forward_pre_hook(lambda module, inputs: asked.append(inputs[1]))
    model.loss(torch.zeros(50_000, 2), stream())
    np.testing.assert_allclose(torch.bincount(asked[0]), [0, *[10_000] * 5], atol=500)


@pytest.mark.parametrize("sd", [0.3, 2.0])
def test_loss_of_the_best_predictor_is_the_noise_that_cannot_be_told(sd: float) -> None:
    model = Gaussian(sd)
    kept = model.kept.double().numpy()
    expected = np.mean(kept * sd**2 / (kept * sd**2 + 1 - kept))  # the variance of the noise given the noisy point
    assert model.loss(normal(200_000, sd), stream()).item() == pytest.approx(expected, rel=0.02)


def test_samples_follow_the_recursion_of_the_posteriors_mean_and_variance() -> None:
    model = Gaussian(SD, times=40)
    beta = model.beta.double().numpy()
    kept = np.cumprod(1 - beta)
    mean, variance = np.zeros(2), 1.0
    for t in range(40, 0, -1):
        before = kept[t - 2] if t > 1 else 1.0
        # x₀ as the best predictor sees it is a·x + b; then q(x_{t−1} | x_t, x₀), eq. 6 and 7 of the paper.
        a = math.sqrt(kept[t - 1]) * SD**2 / (kept[t - 1] * SD**2 + 1 - kept[t - 1])
        b = (1 - math.sqrt(kept[t - 1]) * a) * MEAN.double().numpy()
        of_x0 = math.sqrt(before) * beta[t - 1] / (1 - kept[t - 1])
        of_xt = math.sqrt(1 - beta[t - 1]) * (1 - before) / (1 - kept[t - 1])
        mean = (of_x0 * a + of_xt) * mean + of_x0 * b
        variance = (of_x0 * a + of_xt) ** 2 * variance + (1 - before) / (1 - kept[t - 1]) * beta[t - 1]
    drawn = model.sample(100_000, stream()).double()
    np.testing.assert_allclose(drawn.mean(dim=0), mean, atol=5 * math.sqrt(variance / 1e5))
    np.testing.assert_allclose(drawn.var(dim=0), variance, rtol=0.03)
    assert variance < 0.8 * SD**2  # with so few times not the data's: the test can tell


def test_samples_have_nearly_the_datas_law_with_many_times() -> None:
    drawn = Gaussian(SD, times=1000).sample(20_000, stream())
    np.testing.assert_allclose(drawn.mean(dim=0), MEAN, atol=0.015)
    assert (drawn.std(dim=0) / SD).sub(0.985).abs().max() < 0.025  # the posterior's variance is the smaller choice


def test_prediction_depends_on_the_time_and_every_time_looks_different() -> None:
    model = Diffusion(2)
    t = torch.arange(1, model.times + 1)
    angle = t[:, None] * model.frequencies
    features = torch.cat([angle.sin(), angle.cos()], dim=1)
    apart = torch.cdist(features, features) + torch.eye(len(t)) * 9
    assert apart.min() > 0.1
    assert model(torch.ones(len(t), 2), t).std(dim=0).min() > 1e-3


def test_training_takes_noise_out_of_the_grids_points() -> None:
    rows = train(DDPM, seed=3, steps=300, course=False, shown=True)
    drawn = torch.tensor([[row["x"], row["y"]] for row in rows if "x" in row])
    mixture = load("25gaussians").mixture
    assert mixture is not None
    found = mode_coverage(drawn, mixture)
    assert len(drawn) == 512
    assert found["mode_kl"] < 0.5  # log 25 = 3.2 where all are in one mode


def test_training_is_repeatable_and_leaves_the_global_stream_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (train(DDPM, seed, 3, course=True, shown=True) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in rows] for rows in (first, again, other)]
    assert timeless[0] == timeless[1] != timeless[2]
    assert [row["step"] for row in first if "step" in row] == [1, 2, 3]
    assert [row["images"] for row in first if "step" in row] == [COMMON.batch * step for step in (1, 2, 3)]


def test_without_the_course_only_the_last_fifth_is_measured_and_ends_alike() -> None:
    short = train(LONGER, seed=0, steps=20, course=False, shown=False)
    assert [row["step"] for row in short if "step" in row] == [17, 18, 19, 20]
    (ending,) = (row for row in short if "status" in row)
    assert {row["objective"] for row in short} == {LONGER}
    w1 = [row["w1"] for row in short if "step" in row]
    assert ending["w1_tail"] == pytest.approx(np.mean(w1))
    assert ending["w1_tail_sd"] == pytest.approx(np.std(w1))
    assert ending["w1_final"] == w1[-1]


def test_still_is_the_end_of_a_run_that_draws_the_data() -> None:
    (row,) = still(3, 100)
    rng = stream(stream_seed(3, "evaluation"))
    data = load("25gaussians")
    metrics = k03_diffusion.PointMetrics(data, rng)
    w1 = [metrics(data.sample(metrics.n_fake, rng))["w1"] for _ in range(4)]  # at 85, 90, 95 and 100 of 100 updates
    assert (row["objective"], row["seed"], row["updates"]) == (STILL, 3, 100)
    assert (row["w1_tail"], row["w1_tail_sd"]) == pytest.approx((np.mean(w1), np.std(w1)))
