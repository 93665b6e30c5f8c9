"""What a dataset is to the rest of lipbench: real samples, fresh held-out ones, and the modes where they are known.

No file is opened and no data set named here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import pi
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ...objectives.errors import BadInput
from .prefetch import Feed, draw_index, fits, rows

Sampler = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Mixture:
    """An even mixture of K isotropic Gaussians: centres [K, d], one standard deviation for all.

    With `noisy`, only that many leading coordinates are Gaussian; the others, a label's, are the centre's exactly.
    """

    centres: Tensor
    sigma: float
    noisy: int | None = None

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n points [n, d], float32, drawn on the generator's device; the mode of each is drawn too."""
        mode = torch.randint(len(self.centres), (n,), generator=rng, device=rng.device)
        noise = torch.randn(n, self._noisy, generator=rng, device=rng.device)
        points = self.centres.index_select(0, mode)
        points[:, : self._noisy] += self.sigma * noise
        return points

    def density(self, x: Tensor) -> Tensor:
        """Probability density at the points x [n, d], per unit of area (volume) of the noisy coordinates; shape [n]."""
        gap, k = x[:, None, :] - self.centres, self._noisy
        squared, there = gap[:, :, :k].square().sum(dim=2), (gap[:, :, k:] == 0).all(dim=2)
        peak = (2 * pi * self.sigma**2) ** (-k / 2)
        return peak * (there * torch.exp(-squared / (2 * self.sigma**2))).mean(dim=1)

    @property
    def _noisy(self) -> int:
        return self.centres.shape[1] if self.noisy is None else self.noisy

    def to(self, device: torch.device | str) -> Mixture:
        return replace(self, centres=self.centres.to(device))


class Distance(NamedTuple):
    """W1 and its standard error."""

    value: float
    error: float


class Pair(nn.Module):
    """Makes the fakes of a pair of distributions whose optimal transport is known. Nothing in it is trained.

    Called with latents uniform in [−1, 1]^d, [B, d], it returns fakes [B, d].
    """

    def potential(self, x: Tensor) -> Tensor:
        """An optimal critic, high on reals: [B, d] to [B], float64."""
        raise NotImplementedError

    def gradient(self, x: Tensor) -> Tensor:
        """Its gradient, [B, d], float64; of length 1 on rays of transport."""
        raise NotImplementedError

    @property
    def distance(self) -> Distance:
        """W1 between reals and fakes."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real data, kept whole in memory or drawn without end.

    `shape` is (d,) for points, which pictures show by their first two coordinates, and (C, H, W) for images. `train`,
    `test` and `labels` (of `train`) are None for a stream, which draws from `mixture`, or from `stream` where the
    distribution is no mixture.
    """

    name: str
    shape: tuple[int, ...]
    train: Tensor | None  # points float32 [N, d], images uint8 [N, C, H, W]
    test: Tensor | None  # held-out reals, same dtype
    labels: Tensor | None  # int64 [N], of train; -1 for an image without one
    mixture: Mixture | None
    extractor: str | None  # default feature extractor of images; None for points
    source: str  # one line: origin and citation or licence
    stream: Sampler | None = None
    feed: Feed | None = None  # what `sample` draws from where `train` lies on another device
    pair: Pair | None = None  # what makes the fakes, where they are fixed and the optimal transport is known
    columns: tuple[str, ...] = ()  # names of a point's coordinates, where they have some

    @property
    def is_points(self) -> bool:
        return len(self.shape) == 1

    @property
    def is_images(self) -> bool:
        return len(self.shape) == 3

    @property
    def classes(self) -> int:
        """How many coordinates of a point are its class, one-hot, behind the others; 0 where points have none."""
        return 0 if self.mixture is None or self.mixture.noisy is None else self.shape[-1] - self.mixture.noisy

    @property
    def held_out_from(self) -> Literal["test", "stream", "train"]:
        """Where `held_out` draws: from a test set if there is one, else from the distribution, else from `train`."""
        if self.test is not None:
            return "test"
        return "train" if self._distribution() is None else "stream"

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n training reals [n, *shape], float32 (images in [-1, 1]), on the generator's device, without a host sync.

        Finite data are drawn with replacement. Call `to` first: data that lie on another device cost a host sync.
        """
        if self.train is None:
            return self._fresh(n, rng)
        if self.feed is not None:
            return as_float(self.feed.sample(n, rng))
        return as_float(rows(self.train, draw_index(len(self.train), n, rng)))

    def held_out(self, n: int, rng: torch.Generator) -> Tensor:
        """n reals for an evaluation, as `sample` gives them, but no two alike: without replacement from a finite set.

        Raises BadInput when a finite set holds fewer than n.
        """
        if self.held_out_from == "stream":
            return self._fresh(n, rng)
        pool = self.finite_held_out
        if pool is None or n > len(pool):
            size = 0 if pool is None else len(pool)
            raise BadInput(f"{self.name}: {n} held-out samples asked for, its {self.held_out_from} set holds {size}")
        index = torch.randperm(len(pool), generator=rng, device=rng.device)[:n]
        return as_float(rows(pool, index))

    def held_out_at_most(self, n: int, rng: torch.Generator) -> Tensor:
        """As `held_out`, but all there are where a finite set holds fewer than n."""
        pool = self.finite_held_out
        return self.held_out(n if pool is None else min(n, len(pool)), rng)

    def to(self, device: torch.device | str) -> Dataset:
        """The same data on another device. Images that do not fit there stay in host memory and are fed to it."""
        kept = self._too_large_for(device)
        parts = [
            k for k in ("train", "test", "labels", "mixture", "pair") if getattr(self, k) is not None and k not in kept
        ]
        moved = {k: getattr(self, k).to(device) for k in parts}
        feed = Feed(self.train) if "train" in kept and self.train is not None else None
        return replace(self, **moved, feed=feed)

    def _too_large_for(self, device: torch.device | str) -> list[str]:
        """The sets for which there is no room any more; the training set, from which most is drawn, comes first."""
        size, kept = 0, []
        for name, images in (("train", self.train), ("test", self.test)):
            if images is None:
                continue
            if fits(size + images.nbytes, device):
                size += images.nbytes
            else:
                kept.append(name)
        return kept

    def _distribution(self) -> Sampler | None:
        return self.stream if self.mixture is None else self.mixture.sample

    @property
    def finite_held_out(self) -> Tensor | None:
        """The finite set that `held_out` draws from; None where it draws from the distribution."""
        return {"test": self.test, "train": self.train, "stream": None}[self.held_out_from]

    def _fresh(self, n: int, rng: torch.Generator) -> Tensor:
        draw = self._distribution()
        if draw is None:
            raise ValueError(f"dataset {self.name}: needs train data, a mixture or a stream")
        return draw(n, rng)


def as_float(x: Tensor) -> Tensor:
    """Images uint8 0..255 as float32 in [-1, 1] (0 and 255 land on the ends exactly); points as they are."""
    return x.to(torch.float32).div_(127.5).sub_(1) if x.dtype == torch.uint8 else x
