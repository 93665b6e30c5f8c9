"""The built-in image metrics as torchmetrics' Metric, on features and logits that an extractor has made. No network.

What torchmetrics has gives names, states and updates; where it computes otherwise, the class says why.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.utilities import dim_zero_cat

from .features import (
    Gaussian,
    coverage,
    factor,
    frechet_distance,
    gaussian,
    inception_score,
    kernel_distance,
    radii,
    subsets,
)

HELD = ("kid", "precision", "recall")


class GivenFeatures(nn.Module):
    """Stands where torchmetrics wants an extractor: features [N, D] pass through it as they are.

    Args:
        num_features: D; torchmetrics reads it.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        """[N, D] to the same."""
        return features


class FrechetDistance(FrechetInceptionDistance):
    """Fréchet distance of Gaussian fits (Heusel et al. 2017), from torchmetrics' sums of features.

    `compute` is ours: torchmetrics' roots of the eigenvalues of S₁ S₂ err by √ε for each that is 0, as where there are
    fewer samples than features, take three times as long at 1,280 features, and are rounded to float32.

    Args:
        dim: number of features.
    """

    higher_is_better = False
    real_root: Tensor
    first_fakes: list[Tensor]

    def __init__(self, dim: int) -> None:
        super().__init__(feature=GivenFeatures(dim))
        self.dim = dim
        self.add_state("real_root", torch.empty(0))
        self.add_state("first_fakes", [])

    def update(self, features: Tensor, real: bool) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Features [N, D] of N more reals or fakes."""
        super().update(features, real)
        if not real and self.fake_features_num_samples <= self.dim:
            self.first_fakes.append(features)

    def compute(self) -> Tensor:
        """The distance, float64."""
        real = self._reals()
        fake = gaussian(self.fake_features_num_samples, self.fake_features_sum, self.fake_features_cov_sum)
        few = dim_zero_cat(self.first_fakes) if fake.n <= self.dim else None
        root = self.real_root.cpu() if self.real_root.numel() else factor(real.covariance)
        return torch.tensor(frechet_distance(real, fake, root, few), dtype=torch.float64)

    def reference(self) -> dict[str, Tensor]:
        """The states of the reals, once they are all in; a factor of their covariance too, which is slow to find."""
        self.real_root = factor(self._reals().covariance)
        names = ("real_features_num_samples", "real_features_sum", "real_features_cov_sum", "real_root")
        return {name: getattr(self, name) for name in names}

    def _reals(self) -> Gaussian:
        return gaussian(self.real_features_num_samples, self.real_features_sum, self.real_features_cov_sum)


class SplitScore(InceptionScore):
    """Inception Score (Salimans et al. 2016), mean over parts, of the logits that torchmetrics' class keeps.

    `compute` is ours: torchmetrics' is NaN where all of a class's probabilities underflow, shuffles by the global
    random stream, and may cut fewer parts than asked for.

    Args:
        splits: number of parts.
    """

    higher_is_better = True

    def __init__(self, splits: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it keeps all logits
            super().__init__(feature=nn.Identity(), splits=splits)

    def update(self, logits: Tensor, real: bool) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Logits [N, K] of N more fakes; those of reals do not count."""
        if not real:
            super().update(logits)

    def compute(self) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The score, float64."""
        logits: Any = self.features
        return torch.tensor(inception_score(dim_zero_cat(logits), self.splits), dtype=torch.float64)


class HeldFeatures(Metric):
    """KID, precision and recall, of which each needs the features themselves: kept once for the three.

    Ours because torchmetrics' KID takes 7 to 28 s where this takes .1 to .3 s (1,000 × 1,280 features, 100 subsets), it
    refuses fewer samples than a subset has, and draws from the global random stream; precision and recall it has not.

    Args:
        asked: which of `HELD`.
        most: samples of either side, at most.
        count: pairs of subsets behind KID.
        size: samples in each, at most.
    """

    higher_is_better = None  # KID lower, the others higher
    full_state_update = False
    real_features: list[Tensor]
    fake_features: list[Tensor]
    real_radii: Tensor

    def __init__(self, asked: tuple[str, ...], most: int, count: int, size: int) -> None:
        super().__init__()
        self.asked, self.most, self.count, self.size = asked, most, count, size
        self.add_state("real_features", [])
        self.add_state("fake_features", [])
        self.add_state("real_radii", torch.empty(0))

    def update(self, features: Tensor, real: bool) -> None:
        """Features [N, D] of N more reals or fakes; no more than `most` are kept."""
        side = self.real_features if real else self.fake_features
        left = self.most - sum(map(len, side))
        if left > 0:
            side.append(features[:left])

    def compute(self) -> dict[str, Tensor]:
        """Those asked for, float64."""
        if not self.asked:
            return {}
        real, fake = self.features(real=True), self.features(real=False)
        found: dict[str, float] = {}
        if "kid" in self.asked:
            found["kid"] = kernel_distance(real, fake, subsets(len(real), len(fake), self.count, self.size))
        if "precision" in self.asked:
            found["precision"] = coverage(fake, real, self.real_radii if self.real_radii.numel() else radii(real))
        if "recall" in self.asked:
            found["recall"] = coverage(real, fake, radii(fake))
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}

    def features(self, real: bool) -> Tensor:
        """Those kept [≤ most, D] of one side."""
        return dim_zero_cat(self.real_features if real else self.fake_features)

    def reference(self) -> dict[str, Tensor]:
        """The states of the reals, once they are all in, with the radii of precision."""
        real = self.features(real=True)
        self.real_radii = radii(real) if "precision" in self.asked else self.real_radii
        return {"real_features": real, "real_radii": self.real_radii}
