"""Metrics on points: the Wasserstein-1 distance by POT, and mode coverage. Nothing here trains, draws or opens files.

The functions are pure; `PointMetrics` adds the fresh real sample of an evaluation and the floor.
"""

from functools import cached_property
from statistics import median
from typing import Any

import numpy as np
import ot
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from ...objectives.errors import BadInput
from ..data.brought import content_of
from ..data.dataset import Dataset, Mixture
from .bias import by_size, means
from .settings import Evaluation

MAX_EXACT = 5000  # points a side; memory and time of exact transport grow with n² and about n^2.5
RADIUS_SIGMAS = 3.0
COVERED_PER_MILLE = 2  # a mode counts from 20 high-quality samples of 10,000
ANY_POINTS = 2500  # VEEGAN and PacGAN look at so many samples, and a mode counts from one of high quality
_PIVOTS = 100_000_000  # POT's default of 100,000 stops short of the optimum at 5,000 points


def wasserstein1(x: Tensor, y: Tensor) -> float:
    """Exact W1 between the empirical measures on x [n, d] and y [m, d], Euclidean ground distance, in units of x.

    NaN when a coordinate is not finite: no plan has a cost then. Raises BadInput beyond 5,000 points a side or for an
    empty side. Network simplex of Bonneel et al. 2011, POT's `emd2`.
    """
    if not 0 < min(len(x), len(y)) <= max(len(x), len(y)) <= MAX_EXACT:
        raise BadInput(f"exact W1 of {len(x)} against {len(y)} points: 1 to {MAX_EXACT} a side are allowed")
    if not _finite(x, y):
        return float("nan")
    cost, log = ot.emd2([], [], cdist(_numpy(x), _numpy(y)), numItermax=_PIVOTS, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"exact W1 did not reach its optimum: {log['warning']}")
    return float(cost)


def mode_coverage(samples: Tensor, mixture: Mixture) -> dict[str, float]:
    """Modes covered, share of high-quality samples, and KL over modes, by lipbench's rules.

    high_quality: share of the n samples [n, d] within 3σ (Euclidean) of the nearest centre (Srivastava et al. 2017).
    modes: centres with at least 20 of 10,000 high-quality samples, for other n at least 0.2 % of n: no stray sample
    makes a mode. VEEGAN's rule is `any_coverage`.
    mode_kl: KL(share of the samples per mode ‖ uniform) in nats, every sample in its nearest mode, of high quality or
    not: it asks where the samples are, not how sharp. Without any finite sample it is undefined and log K is returned,
    its largest value (all in one mode). Samples that are not finite are in no mode.
    """
    everywhere, sharp = _counts(samples, mixture)
    return {
        "modes": int((sharp * 1000 >= COVERED_PER_MILLE * len(samples)).sum()),
        "high_quality": sharp.sum().item() / len(samples),
        "mode_kl": kl_to_uniform(everywhere.double()),
    }


def any_coverage(samples: Tensor, mixture: Mixture) -> dict[str, float]:
    """Modes and KL over modes by the rules of VEEGAN (Srivastava et al. 2017, 5.1) and PacGAN (Lin et al. 2018, 4.1).

    They look at 2,500 samples [n, d], and more samples find more modes. PacGAN's table 1 has, on a ring of 8 and a grid
    of 25 modes, 6.3 and 17.3 modes for a GAN (KL .45, .70), 7.9 and 23.8 with packing of two (KL .07, .13).

    modes_any: centres that are the nearest to at least one sample within 3σ.
    mode_kl_high_quality: KL(share of those samples per mode ‖ uniform) in nats; log K where there is none.
    """
    _, sharp = _counts(samples, mixture)
    return {"modes_any": int((sharp > 0).sum()), "mode_kl_high_quality": kl_to_uniform(sharp.double())}


def _counts(samples: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Per mode [K] the samples that it is nearest to: all that are finite, and those of high quality."""
    # In single precision the matrix products within cdist are off by about 1e-5 at a distance of 3σ.
    distance = torch.cdist(samples.detach().double().cpu(), mixture.centres.double().cpu())
    nearest, mode = distance.min(dim=1)
    kept = nearest.isfinite(), nearest <= RADIUS_SIGMAS * mixture.sigma
    everywhere, sharp = (torch.bincount(mode[chosen], minlength=len(mixture.centres)) for chosen in kept)
    return everywhere, sharp


def kl_to_uniform(counts: Tensor) -> float:
    """KL(shares of these counts [K], float64 ‖ uniform) in nats; log K, the largest value, where all are 0."""
    total, k = counts.sum(), len(counts)
    share = counts / total if total > 0 else torch.eye(k, dtype=torch.float64)[0]
    return max(0.0, torch.xlogy(share, share * k).sum().item())  # rounding can leave −1e-17


def w1_floor(dataset: Dataset, n: int, draws: int = 21, seed: int = 0, device: torch.device | str = "cpu") -> float:
    """W1 of n held-out reals against n others, the median of `draws` draws: what a perfect generator would get.

    Single draws scatter by a factor of three at n = 1,000 (how many points fall in each mode is left to chance), hence
    many. From a stream of its own, so that the floor is the same for all runs on a dataset.
    """
    rng = torch.Generator(device).manual_seed(seed)
    pairs = (dataset.held_out(2 * n, rng).split(n) for _ in range(draws))
    return median(wasserstein1(first, second) for first, second in pairs)


class PointMetrics:
    """The metrics of one run on points: W1 against a fresh real sample each time, and mode coverage of a mixture.

    `rng` is the run's evaluation stream: each call takes the next n held-out reals from it. W1 is measured on the
    first `n` generated points, `mode_coverage` on the first `n_modes`, `any_coverage` on the first 2,500 of those.
    """

    def __init__(self, dataset: Dataset, rng: torch.Generator, n: int = 1000, n_modes: int = 10_000) -> None:
        if not dataset.is_points:
            raise BadInput(f"W1 and mode coverage are for points; {dataset.name} holds images")
        if not 1 <= n <= MAX_EXACT:
            raise BadInput(f"exact W1 on n = {n} points: 1 to {MAX_EXACT} are allowed")
        if n_modes < 1:
            raise BadInput(f"mode coverage of n_modes = {n_modes} points: at least 1 is needed")
        self.dataset, self.n, self.n_modes = dataset, n, n_modes
        self.n_any = min(ANY_POINTS, n_modes)
        self._rng = rng

    @property
    def n_fake(self) -> int:
        """How many generated points a call needs."""
        return self.n if self.dataset.mixture is None else max(self.n, self.n_modes)

    def __call__(self, fake: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """{"w1"} of the points [≥ n_fake, d], and what both coverages say where the modes are known."""
        return self._measured(fake, self._real(fake))

    def with_bias(
        self, fake: Tensor, labels: Tensor | None = None
    ) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
        """As a call, and {"w1": {"sizes", "values"}}: its dependence on the number of points.

        W1 falls towards its limit by no one law in the size, so none is fitted to it.
        """
        real = self._real(fake)
        return self._measured(fake, real), {"w1": means(by_size(real, fake[: self.n], wasserstein1))}

    def fresh(self, rng: torch.Generator) -> "PointMetrics":
        """The same metrics with reals from another stream."""
        return PointMetrics(self.dataset, rng, n=self.n, n_modes=self.n_modes)

    def _real(self, fake: Tensor) -> Tensor:
        if len(fake) < self.n_fake:
            raise ValueError(f"{len(fake)} generated points, {self.n_fake} are needed")
        return self.dataset.held_out(self.n, self._rng)

    def _measured(self, fake: Tensor, real: Tensor) -> dict[str, float]:
        metrics = {"w1": wasserstein1(fake[: self.n], real)}
        if self.dataset.mixture is not None:
            metrics |= mode_coverage(fake[: self.n_modes], self.dataset.mixture)
            metrics |= any_coverage(fake[: self.n_any], self.dataset.mixture)
        return metrics

    @cached_property
    def floor(self) -> float:
        """`w1_floor` at this n; leaves the evaluation stream where it is."""
        return w1_floor(self.dataset, self.n, device=self._rng.device)

    @property
    def protocol(self) -> dict[str, dict[str, str | int | float]]:
        """How each metric is measured, ready for JSON; values are comparable only where this is equal."""
        split = self.dataset.held_out_from
        protocol: dict[str, dict[str, str | int | float]] = {
            "w1": {"distance": "exact, Euclidean", "n_real": self.n, "n_fake": self.n, "split": split}
        }
        if self.dataset.mixture is not None:
            rule = {"n_fake": self.n_modes, "radius_sigmas": RADIUS_SIGMAS, "covered_from_per_mille": COVERED_PER_MILLE}
            protocol |= {metric: dict(rule) for metric in ("modes", "high_quality")}
            protocol["mode_kl"] = {"n_fake": self.n_modes, "samples": "all, each in its nearest mode"}
            rule = {"n_fake": self.n_any, "radius_sigmas": RADIUS_SIGMAS}
            protocol["modes_any"] = rule | {"covered_from_samples": 1}
            protocol["mode_kl_high_quality"] = rule | {"samples": "of high quality, each in its nearest mode"}
        return protocol


def point_metrics(data: Dataset, evaluation: Evaluation, rng: torch.Generator) -> tuple[PointMetrics, dict[str, float]]:
    """The metrics that a suite's `evaluation` asks for on these points, and their floors; reals come from `rng`."""
    pool = data.finite_held_out
    n = evaluation.points if pool is None else min(evaluation.points, len(pool) // 2)  # the floor takes twice as many
    points = PointMetrics(data, rng, n=n, n_modes=evaluation.mode_points)
    return points, {"w1": _floor(data, points.n, rng.device)}


def _floor(data: Dataset, n: int, device: torch.device) -> float:
    # A second of work that is the same for every run: once a process.
    key = data.name, data.finite_held_out is not None and content_of(data), n, str(device)
    if key not in _FLOORS:
        _FLOORS[key] = w1_floor(data, n, device=device)
    return _FLOORS[key]


_FLOORS: dict[tuple[object, ...], float] = {}


def _finite(*tensors: Tensor) -> bool:
    return all(bool(t.isfinite().all()) for t in tensors)


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().double().cpu().numpy()
