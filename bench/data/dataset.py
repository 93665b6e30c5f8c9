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
from .prefetch import Feed, copy_of, draw_index, fits, rows

Sampler = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Mixture:
    """An even mixture of K isotropic Gaussians: centres [K, d], one standard deviation for all."""

    centres: Tensor
    sigma: float

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n points [n, d], float32, drawn on the generator's device; the mode of each is drawn too."""
        return self.labelled(n, rng)[0]

    def labelled(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """As `sample`, and the mode [n] of each point."""
        mode = torch.randint(len(self.centres), (n,), generator=rng, device=rng.device)
        noise = torch.randn(n, self.centres.shape[1], generator=rng, device=rng.device)
        return self.centres.index_select(0, mode) + self.sigma * noise, mode

    def density(self, x: Tensor) -> Tensor:
        """Probability density at the points x [n, d], per unit of area (volume); shape [n]."""
        squared = (x[:, None, :] - self.centres).square().sum(dim=2)
        peak = (2 * pi * self.sigma**2) ** (-self.centres.shape[1] / 2)
        return peak * torch.exp(-squared / (2 * self.sigma**2)).mean(dim=1)

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
    `test` and `labels` (of `train`) are None for a stream, which draws from `mixture`, whose modes are its classes, or
    from `stream` where the distribution is no mixture.
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
    test_labels: Tensor | None = None  # int64, of test

    @property
    def is_points(self) -> bool:
        return len(self.shape) == 1

    @property
    def is_images(self) -> bool:
        return len(self.shape) == 3

    @property
    def classes(self) -> int:
        """How many classes the samples have; 0 where one has none. Waits for the device."""
        if self.train is None:
            return 0 if self.mixture is None else len(self.mixture.centres)
        known = self.labels is not None and len(self.labels) > 0 and bool((self.labels >= 0).all())
        return int(self.labels.max()) + 1 if known and self.labels is not None else 0

    @property
    def held_out_labels(self) -> Tensor | None:
        """Of the finite set that `held_out` draws from."""
        return {"test": self.test_labels, "train": self.labels, "stream": None}[self.held_out_from]

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

    def labelled(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """As `sample`, and the class [n] of each, int64; for data that have `classes`."""
        if self.train is None or self.labels is None:
            assert self.mixture is not None, f"dataset {self.name} has no labels"
            return self.mixture.labelled(n, rng)
        if self.feed is None:
            index = draw_index(len(self.train), n, rng)
            return as_float(rows(self.train, index)), rows(self.labels, index)
        index = draw_index(len(self.train), n, copy_of(rng))  # the rows that the feed takes
        return self.sample(n, rng), rows(self.labels, index)

    def draw_labels(self, n: int, rng: torch.Generator) -> Tensor:
        """n classes [n], int64, as frequent as in the training data; for data that have `classes`."""
        if self.labels is not None:
            return rows(self.labels, draw_index(len(self.labels), n, rng))
        assert self.mixture is not None, f"dataset {self.name} has no labels"
        return draw_index(len(self.mixture.centres), n, rng)

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
        return as_float(rows(pool, _order(pool, rng)[:n]))

    def held_out_labelled(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """As `held_out_at_most`, and the class of each, int64; for data that have `classes` and `held_out_labels`."""
        pool, labels = self.finite_held_out, self.held_out_labels
        if pool is None or labels is None:
            assert self.mixture is not None, f"dataset {self.name} has no labels of held-out samples"
            return self.mixture.labelled(n, rng)
        index = _order(pool, rng)[:n]
        return as_float(rows(pool, index)), rows(labels, index)

    def held_out_at_most(self, n: int, rng: torch.Generator) -> Tensor:
        """As `held_out`, but all there are where a finite set holds fewer than n."""
        pool = self.finite_held_out
        return self.held_out(n if pool is None else min(n, len(pool)), rng)

    def to(self, device: torch.device | str) -> Dataset:
        """The same data on another device. Images that do not fit there stay in host memory and are fed to it."""
        kept = self._too_large_for(device)
        names = ("train", "test", "labels", "test_labels", "mixture", "pair")
        parts = [k for k in names if getattr(self, k) is not None and k not in kept]
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


def _order(pool: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randperm(len(pool), generator=rng, device=rng.device)


def as_float(x: Tensor) -> Tensor:
    """Images uint8 0..255 as float32 in [-1, 1] (0 and 255 land on the ends exactly); points as they are."""
    return x.to(torch.float32).div_(127.5).sub_(1) if x.dtype == torch.uint8 else x
