"""Image metrics from one pass of one extractor: Fréchet distance, Inception Score, KID, precision and recall.

Here: batching, protocol and labels. Not here: networks (extractors.py), the metrics themselves (scores.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from ...objectives.errors import BadInput
from ..records.source import source_of
from .bias import PARTS, by_size, extrapolated
from .catalog import EXTRACTORS
from .classes import Labelling, metrics_of_classes
from .extractors import Extractor
from .features import NEIGHBOURS, fit
from .features import frechet_distance as between
from .labels import CLASS_METRICS, LABELS, METRICS, label
from .reference import Tensors, cached, fingerprint
from .scores import HELD, FrechetDistance, HeldFeatures, SplitScore

BATCH = {"cpu": 128, "cuda": 512}  # images per pass of the extractor: larger ones are not faster
CODE = f"{__name__}:ImageMetrics"  # what a kept reference depends on, beside its extractor
CHUNK = 4096  # features that are held before they enter the sums


def eight_bit(images: Tensor) -> Tensor:
    """Images (uint8, or float in [-1, 1]) as float32 in [-1, 1] on the 256 levels that a picture file has.

    Reals have been through a file and fakes have not: without this a metric sees that difference too.
    """
    levels = images if images.dtype == torch.uint8 else ((images + 1) * 127.5).round().clamp(0, 255)
    return levels.float() / 127.5 - 1


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance between Gaussian fits to features `real` [N, D] and `fake` [M, D] (Heusel et al. 2017)."""
    return between(fit(real), fit(fake), samples=fake)


@dataclass(frozen=True)
class Sizes:
    """What is measured on how many images; all of it goes into the protocol.

    Attributes:
        n_fake: fakes behind fd, kid, precision and recall.
        n_real: reference images, drawn from the pool once, without replacement and always the same; None for all.
        n_scored: fakes behind the Inception Score; None for n_fake.
        splits: parts over which the Inception Score is averaged. Parts of a few hundred images lower the score by
            their size alone, so the default is one.
        held: images of either side, at most, behind kid, precision and recall, whose features are kept.
        subsets: pairs of subsets behind kid.
        subset_size: images in each, at most.
        metrics: of `METRICS`.
    """

    n_fake: int
    n_real: int | None = None
    n_scored: int | None = None
    splits: int = 1
    held: int = 10_000
    subsets: int = 100
    subset_size: int = 1000
    metrics: tuple[str, ...] = METRICS

    @property
    def n_generated(self) -> int:
        """Fakes that an evaluation needs."""
        return max(self.n_fake, self.scored if "is" in self.metrics else 0)

    @property
    def scored(self) -> int:
        return self.n_scored or self.n_fake

    def check(self, available: int) -> None:
        """BadInput if they make no sense, or need more than the `available` reals."""
        n_real = available if self.n_real is None else self.n_real
        if not 2 <= n_real <= available:
            raise BadInput(f"image metrics: n_real = {n_real}, allowed are 2 to {available}, the reals at hand")
        if self.n_fake < 2:
            raise BadInput(f"image metrics: n_fake = {self.n_fake}, allowed are 2 or more")
        if not 1 <= self.splits <= self.scored // 2:
            most = self.scored // 2
            raise BadInput(
                f"image metrics: splits = {self.splits}, allowed are 1 to {most}: a part of one image scores 1"
            )
        least = min(self.held, n_real, self.n_fake)
        if {"precision", "recall"} & set(self.metrics) and least <= NEIGHBOURS:
            raise BadInput(
                f"image metrics: precision and recall of {least} images, needed are {NEIGHBOURS + 1} or more"
            )


class ImageMetrics:
    """Metrics of fake images against fixed reals: "fd", "kid" (lower is better), "is", "precision", "recall" (higher).

    Statistics are float64. Nothing global is changed: not the random state, not the precision settings.

    Args:
        reals: the pool of reference images [N, C, H, W], uint8 or float in [-1, 1].
        extractor: from `catalog.load_extractor`.
        sizes: what is measured on how many images.
        split: where `reals` comes from ("train", "test"), for the protocol.
        labelling: the classes of `reals`, for metrics of classes; None for none of these.
        device: where the extractor runs.

    Raises:
        BadInput: sizes that make no sense, or fewer reals than `sizes.n_real`.
    """

    def __init__(
        self,
        reals: Tensor,
        extractor: Extractor,
        sizes: Sizes,
        *,
        split: str = "train",
        labelling: Labelling | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        sizes.check(len(reals))
        self.sizes, self.split, self.labelling = sizes, split, labelling
        self.n_real = len(reals) if sizes.n_real is None else sizes.n_real
        self.n_fake = sizes.n_generated
        self.extractor = extractor.to(device)
        self.device = torch.device(device)
        # sorted by class in some sets, so the first n_real would not do
        chosen = torch.randperm(len(reals), generator=torch.Generator().manual_seed(0))[: self.n_real]
        self.metrics = self._collection().to(self.device)
        self.names = tuple(k for k in LABELS if k in sizes.metrics and (k not in CLASS_METRICS or k in self.metrics))
        labels = None if labelling is None else labelling.labels[chosen.to(labelling.labels.device)]
        self._refer(reals[chosen.to(reals.device)], labels)

    def __call__(self, fakes: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """Every metric of fakes [n_fake, C, H, W], uint8 or float in [-1, 1]; all nan if a pixel is not finite.

        `labels` [n_fake] are the classes asked for, of a conditional generator.

        Raises:
            BadInput: another number of fakes than the protocol says.
        """
        return self.with_bias(fakes, labels, sizes=False)[0]

    def with_bias(
        self, fakes: Tensor, labels: Tensor | None = None, sizes: bool = True
    ) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
        """As a call, and {"fd": `bias.extrapolated`} from the same features: its dependence on the number of images.

        The second is empty without `sizes`, where a pixel is not finite, and where a quarter of the images is no more
        than there are features: the bias is not linear in 1/size there.
        """
        if len(fakes) != self.n_fake:
            raise BadInput(f"image metrics: got {len(fakes)} fake images, the protocol says n_fake = {self.n_fake}")
        if not torch.isfinite(fakes).all():
            return dict.fromkeys(self.names, float("nan")), {}
        metrics = self.metrics.clone()
        self.feed(metrics, fakes, labels=labels, real=False, fitted=self.sizes.n_fake)
        scores = self._values(metrics)
        return scores, self._bias(metrics) if sizes and "fd" in scores else {}

    def _bias(self, metrics: MetricCollection) -> dict[str, dict[str, Any]]:
        held: Any = metrics["held"]
        known, found = held.features(real=True), held.features(real=False)
        n = min(len(known), len(found))
        if n // max(PARTS) <= found.shape[1]:
            return {}
        return {"fd": extrapolated(by_size(known[:n], found[:n], frechet_distance))}

    def fresh(self, rng: torch.Generator) -> "ImageMetrics":
        """The same metrics: their reals are fixed."""
        return self

    def floor(self, reals: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """What perfect fakes would get: the metrics of real images outside the reference; "is" in the protocol's parts.

        That is, over parts as large as the protocol's, and fewer of them, where there are fewer images. Draw the images
        at random: the halves of MNIST's test set, as they lie in the file, come from different writers.
        """
        splits = max(1, round(len(reals) * self.sizes.splits / self.sizes.scored))
        key = self._key(reals, reference=self.key, floor=list(self.names), splits=splits, **_told(labels))
        floors = cached(key, lambda: self._floor(reals, labels, splits), torch.device("cpu"))
        return {name: floors[name].item() for name in LABELS if name in floors}

    def _floor(self, reals: Tensor, labels: Tensor | None, splits: int) -> Tensors:
        metrics = self.metrics.clone()
        if "is" in metrics:
            metrics["is"].splits = splits
        self.feed(metrics, reals, labels=labels, real=False, fitted=len(reals))
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in self._values(metrics).items()}

    @property
    def protocol(self) -> dict[str, dict[str, str | int]]:
        """Per metric, all that two values must share to stand in one column."""
        name, sizes = self.extractor.name, self.sizes
        shared: dict[str, str | int] = {
            "extractor": name,
            "sha256": self.extractor.sha256,
            "resize": self.extractor.resize,
            "levels": 256,
        }
        shared |= {"source": self.extractor.source[:16]} if self.extractor.source else {}
        both: dict[str, str | int] = {"n_fake": sizes.n_fake, "n_real": self.n_real, "split": self.split}
        held = both | {"n_fake": min(sizes.held, sizes.n_fake), "n_real": min(sizes.held, self.n_real)}
        balls = held | {"neighbours": NEIGHBOURS}
        own: dict[str, dict[str, str | int]] = {
            "fd": both | {"features": self.extractor.feature_dim},
            "is": {"n_fake": sizes.scored, "is_splits": sizes.splits},
            "kid": held | {"subsets": sizes.subsets, "subset_size": sizes.subset_size},
            "precision": balls,
            "recall": balls,
            "class_accuracy": {"n_fake": sizes.scored},
            "intra_fd": both | {"features": self.extractor.feature_dim},
            "class_kl": {"n_fake": sizes.scored, "n_real": self.n_real, "split": self.split},
        }
        return {key: {"label": label(key, name), **shared, **own[key]} for key in self.names}

    def _collection(self) -> MetricCollection:
        """Empty ones of all that is asked for; those of features keep them too, for the limit of fd."""
        sizes, asked = self.sizes, set(self.sizes.metrics)
        made: dict[str, Any] = {}
        if "fd" in asked:
            made["fd"] = FrechetDistance(self.extractor.feature_dim)
        if asked & {"fd", *HELD}:
            held = tuple(name for name in HELD if name in asked)
            made["held"] = HeldFeatures(held, sizes.held, sizes.subsets, sizes.subset_size)
        if "is" in asked:
            made["is"] = SplitScore(sizes.splits)
        made |= metrics_of_classes(asked, self.labelling, self.extractor.feature_dim)
        return MetricCollection(made, compute_groups=False)

    def _refer(self, reals: Tensor, labels: Tensor | None) -> None:
        """Gives the metrics their reals: the states that these leave are kept on disk."""
        of_reals: dict[str, Any] = {name: m for name, m in self.metrics.items() if hasattr(m, "reference")}
        about = {"states": sorted(of_reals), "radii": "precision" in self.sizes.metrics}
        self.key = self._key(reals, **about, **_told(labels))
        if not of_reals:
            return
        states = cached(self.key, lambda: self._states(reals, labels, of_reals), self.device)
        for target, value in states.items():
            name, _, state = target.partition(".")
            setattr(of_reals[name], state, [value] if isinstance(getattr(of_reals[name], state), list) else value)

    def _states(self, reals: Tensor, labels: Tensor | None, of_reals: dict[str, Any]) -> Tensors:
        metrics = MetricCollection(of_reals, compute_groups=False).clone()
        self.feed(metrics, reals, labels=labels, real=True, fitted=len(reals))
        return {f"{name}.{k}": v for name in of_reals for k, v in metrics[name].reference().items()}  # pyright: ignore[reportCallIssue]

    def feed(
        self, metrics: MetricCollection, images: Tensor, *, real: bool, fitted: int, labels: Tensor | None = None
    ) -> None:
        """Images [N, C, H, W] in one pass, batch by batch: the logits of all, the features of the first `fitted`."""
        labels = None if labels is None else labels.to(self.device)
        for start, features, logits in self._chunks(images):
            own = None if labels is None else labels[start : start + len(logits)]
            metrics.update(features=features[: max(0, fitted - start)], logits=logits, labels=own, real=real)

    def _values(self, metrics: MetricCollection) -> dict[str, float]:
        found = metrics.compute()
        return {name: float(found[name]) for name in LABELS if name in found}

    def _chunks(self, images: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Index of the first, features and logits of up to CHUNK images at a time."""
        batch = BATCH.get(self.device.type, 512)
        for i, chunk in enumerate(images.split(CHUNK)):
            parts = [self.extractor(eight_bit(part.to(self.device))) for part in chunk.split(batch)]
            features, logits = (torch.cat(part) for part in zip(*parts, strict=True))
            yield i * CHUNK, features, logits

    def _key(self, images: Tensor, **settings: object) -> str:
        name = self.extractor.name
        made_by = [EXTRACTORS.target(name)] if name in EXTRACTORS else []
        code = source_of(CODE, *made_by)
        extractor = {"extractor": self.extractor.sha256, "resize": self.extractor.resize, "code": code}
        extractor |= {"source": self.extractor.source} if self.extractor.source else {}
        sizes = self.sizes
        kid = {"subsets": sizes.subsets, "subset_size": sizes.subset_size}
        return fingerprint(images, **extractor, **settings, **kid, held=sizes.held, device=self.device.type)


def _told(labels: Tensor | None) -> dict[str, str]:
    """What a kept reference depends on beside the images."""
    return {} if labels is None else {"labels": fingerprint(labels)}
