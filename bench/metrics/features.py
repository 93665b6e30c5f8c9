"""Metrics of features: functions of tensors [N, D] alone, in float64. No network, no images, no files."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SMALL = 128  # features up to which factors of both covariances cost nothing
NEIGHBOURS = 3  # Kynkäänniemi et al. 2019, section 3.1
ROWS = 1024  # samples whose distances to all others are held at a time
SEED = 2020  # torch-fidelity's, so that its KID has the same subsets


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian fit to n samples: mean [D] and covariance [D, D] (divisor n - 1), float64 on the CPU."""

    n: int
    mean: Tensor
    covariance: Tensor


def gaussian(n: Tensor | int, total: Tensor, products: Tensor) -> Gaussian:
    """The fit to n ≥ 2 samples x from Σ x [D] and Σ x xᵀ [D, D], float64."""
    n = int(n)
    mean = total / n
    covariance = (products - n * torch.outer(mean, mean)) / (n - 1)
    return Gaussian(n, mean.cpu(), covariance.cpu())


def fit(features: Tensor) -> Gaussian:
    """The fit to features [n, D]."""
    features = features.double()
    return gaussian(len(features), features.sum(dim=0), features.T @ features)


def factor(covariance: Tensor) -> Tensor:
    """R [D, r] with R Rᵀ = covariance, r its numerical rank. Not Cholesky's, which needs full rank."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt()


def frechet_distance(
    real: Gaussian, fake: Gaussian, root: Tensor | None = None, samples: Tensor | None = None
) -> float:
    """|μ₁ - μ₂|² + tr(S₁ + S₂ - 2 (S₁ S₂)^½), Dowson and Landau 1982; of features: Heusel et al. 2017.

    With S₁ = R Rᵀ and S₂ = Q Qᵀ the trace of the matrix root is the sum of the singular values of Rᵀ Q, which are exact
    for singular covariances too: the roots of the eigenvalues of S₁ S₂, torchmetrics' form, err by √ε for each that is
    0. Beyond SMALL features it is the sum of the roots of the eigenvalues of Rᵀ S₂ R, five times as fast at 2,048
    features, or of its Gram form where there are fewer samples than r.

    Args:
        real: fit to the real features.
        fake: fit to the fake ones.
        root: `factor` of the real covariance, where it is at hand.
        samples: all the fake features [n, D] that `fake` was fitted to, where they are at hand.

    Returns:
        0 or more: it is a square, and what rounding takes below zero is 0.
    """
    apart = (real.mean - fake.mean).square().sum()
    traces = real.covariance.trace() + fake.covariance.trace()
    return (apart + traces - 2 * _trace_of_root(real, fake, root, samples)).clamp(min=0).item()


def _trace_of_root(real: Gaussian, fake: Gaussian, root: Tensor | None, samples: Tensor | None) -> Tensor:
    root = factor(real.covariance) if root is None else root
    if len(real.mean) <= SMALL:
        return torch.linalg.svdvals(root.T @ factor(fake.covariance)).sum()
    if samples is not None and len(samples) < root.shape[1]:
        projected = (samples.double().cpu() - fake.mean) @ root
        symmetric = projected @ projected.T / (fake.n - 1)
    else:
        symmetric = root.T @ fake.covariance @ root
    return torch.linalg.eigvalsh(symmetric).clamp(min=0).sqrt().sum()


def inception_score(logits: Tensor, splits: int) -> float:
    """exp(E KL(p(y|x) || p(y))), Salimans et al. 2016, of logits [N, K]; mean over `splits` parts, shuffled.

    The parts are cut as torch-fidelity does: their sizes differ by one where they cannot be equal.
    """
    n = len(logits)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).to(logits.device)
    parts = logits[order].tensor_split([i * n // splits for i in range(1, splits)])
    return torch.stack([_score(part) for part in parts]).mean().item()


def _score(logits: Tensor) -> Tensor:
    log_p = logits.double().log_softmax(dim=1)
    log_mean = log_p.logsumexp(dim=0) - math.log(len(log_p))  # finite where all of a class's probabilities underflow
    return (log_p.exp() * (log_p - log_mean)).sum(dim=1).mean().exp()


def subsets(n_real: int, n_fake: int, count: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`count` pairs of `size` indices below n_fake and below n_real, (fake, real), those that torch-fidelity draws.

    One pair that holds everything where both sides have no more than `size`: all others would be the same.
    """
    size = min(size, n_real, n_fake)
    rng = np.random.RandomState(SEED)
    for _ in range(1 if n_real == n_fake == size else count):
        fake = torch.from_numpy(rng.choice(n_fake, size, replace=False))
        yield fake, torch.from_numpy(rng.choice(n_real, size, replace=False))


def kernel_distance(real: Tensor, fake: Tensor, pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Unbiased squared MMD with the kernel (xᵀy/D + 1)³, mean over subsets: KID, Bińkowski et al. 2018, section 4.

    Args:
        real: features [N, D].
        fake: features [M, D].
        pairs: indices of fakes and of as many reals, from `subsets`.

    Returns:
        0 in expectation for equal distributions, so it may come out negative.
    """
    return float(np.mean([_mmd(real[b.to(real.device)], fake[a.to(fake.device)]) for a, b in pairs]))


def _mmd(real: Tensor, fake: Tensor) -> float:
    x, y = real.double(), fake.double()
    m = len(x)
    within = sum(k.sum() - k.diagonal().sum() for k in (_cubic(x, x), _cubic(y, y)))
    return (within / (m * (m - 1)) - 2 * _cubic(x, y).mean()).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def radii(features: Tensor) -> Tensor:
    """Squared distance [N], float64, of each of the features [N, D] to its third nearest neighbour among the others."""
    nearest = [d.kthvalue(NEIGHBOURS + 1, dim=1).values for d in _squared_distances(features, features)]
    return torch.cat(nearest)


def coverage(points: Tensor, centres: Tensor, squared_radii: Tensor) -> float:
    """Share of the points [M, D] that lie in a ball around any centre [N, D] (Kynkäänniemi et al. 2019, equation 2).

    Precision: fakes within the reals' balls (`radii` of the reals). Recall: reals within the fakes' balls.
    """
    within = [(d <= squared_radii).any(dim=1) for d in _squared_distances(points, centres)]
    return torch.cat(within).double().mean().item()


def _squared_distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Rows of the matrix [len(a), len(b)], so many at a time, float64: in float32 the products cancel."""
    b = b.double()
    origin = b.mean(dim=0)
    b = b - origin
    norms = b.square().sum(dim=1)
    for part in a.split(ROWS):
        x = part.double() - origin
        yield x.square().sum(dim=1, keepdim=True) + norms - 2 * x @ b.T
