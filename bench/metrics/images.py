"""Image metrics, Fréchet distance and Inception Score, computed by torchmetrics on the features of one extractor.

Here: sampling, batching, protocol and labels. Not here: networks and weights (extractors.py).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore

from ...objectives import BadInput, unknown
from .extractors import Extractor

BATCH = 128  # images per pass of the extractor: larger ones are not faster on a CPU
LABELS = {"fd": ("FID", "FD"), "is": ("IS", "IS")}  # metric -> (with Inception, with anything else)


def label(metric: str, extractor: str) -> str:
    """How a table calls `metric` ("fd" or "is"): "FID" and "IS" for inception alone, else "FD(mnist-cnn)" and so on."""
    if metric not in LABELS:
        raise unknown("image metric", metric, list(LABELS))
    inception, other = LABELS[metric]
    return inception if extractor == "inception" else f"{other}({extractor})"


def eight_bit(images: Tensor) -> Tensor:
    """Images (uint8, or float in [-1, 1]) as float32 in [-1, 1] on the 256 levels that a picture file has.

    Reals have been through a file and fakes have not: without this a metric sees that difference too.
    """
    levels = images if images.dtype == torch.uint8 else ((images + 1) * 127.5).round().clamp(0, 255)
    return levels.float() / 127.5 - 1


class _Identity(nn.Module):
    """Stands in for the network inside torchmetrics' metrics, which then take features for images."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _frechet(real: Tensor) -> FrechetInceptionDistance:
    """Torchmetrics' distance to the features `real` [N, D], float64; `real` stays when it is reset."""
    metric = FrechetInceptionDistance(_Identity(real.shape[1]), reset_real_features=False, sync_on_compute=False)
    metric.update(real, real=True)
    return metric


@contextmanager
def _own_shuffle() -> Iterator[None]:
    """InceptionScore shuffles with the global CPU generator: give it a fixed one, and put the global state back."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed the GPUs too
        warnings.filterwarnings("ignore", "Metric `InceptionScore` will save all extracted features")
        warnings.filterwarnings("ignore", r"std\(\): degrees of freedom", UserWarning)  # with one split; not used
        yield


def inception_score(logits: Tensor, splits: int) -> float:
    """exp(E KL(p(y|x) || p(y))), Salimans et al. 2016, of logits [N, K]; mean over `splits` parts, shuffled."""
    with _own_shuffle():
        metric = InceptionScore(_Identity(logits.shape[1]), splits=splits, sync_on_compute=False)
        metric.update(logits)
        return metric.compute()[0].item()


class ImageMetrics:
    """Fréchet distance "fd" (lower is better) and Inception Score "is" (higher) of fake images against fixed reals.

    Statistics are float64 and on the CPU. Nothing global is changed: not the random state, not the precision settings.

    Args:
        reals: the pool of reference images [N, C, H, W], uint8 or float in [-1, 1].
        extractor: from `load_extractor`.
        n_fake: fakes in every evaluation.
        n_real: images drawn from the pool, once, without replacement and always the same; all of them if None.
        splits: parts over which the Inception Score is averaged. Parts of a few hundred images lower the score by
            their size alone, so the default is one.
        split: where `reals` comes from ("train", "test"), for the protocol.
        device: where the extractor runs.

    Raises:
        BadInput: fewer reals than `n_real`; `n_real` or `n_fake` below 2; `splits` not in 1 … `n_fake`.
    """

    def __init__(
        self,
        reals: Tensor,
        extractor: Extractor,
        *,
        n_fake: int,
        n_real: int | None = None,
        splits: int = 1,
        split: str = "train",
        device: torch.device | str = "cpu",
    ) -> None:
        n_real = len(reals) if n_real is None else n_real
        _check_sizes(len(reals), n_real, n_fake, splits)
        self.n_real, self.n_fake, self.splits, self.split = n_real, n_fake, splits, split
        self.extractor = extractor.to(device)
        self.device = torch.device(device)
        # sorted by class in some sets, so the first n_real would not do
        chosen = torch.randperm(len(reals), generator=torch.Generator().manual_seed(0))[:n_real]
        self._fd = _frechet(self.features(reals[chosen.to(reals.device)])[0])

    def __call__(self, fakes: Tensor) -> dict[str, float]:
        """{"fd", "is"} of fakes [n_fake, C, H, W], uint8 or float in [-1, 1]; both nan if a pixel is not finite.

        Raises:
            BadInput: another number of fakes than the protocol says.
        """
        if len(fakes) != self.n_fake:
            raise BadInput(f"image metrics: got {len(fakes)} fake images, the protocol says n_fake = {self.n_fake}")
        if not torch.isfinite(fakes).all():
            return {"fd": float("nan"), "is": float("nan")}
        return self._scores(self._fd, fakes)

    def floor(self, held_out_a: Tensor, held_out_b: Tensor) -> dict[str, float]:
        """What perfect fakes would get: "fd" between two disjoint, equally large held-out sets, "is" of the second.

        Draw the two at random: the halves of MNIST's test set, as they lie in the file, come from different writers.

        Raises:
            BadInput: the two differ in size.
        """
        if len(held_out_a) != len(held_out_b):
            sizes = f"{len(held_out_a)} and {len(held_out_b)}"
            raise BadInput(f"image metrics: the floor needs as many reals on both sides, got {sizes}")
        return self._scores(_frechet(self.features(held_out_a)[0]), held_out_b)

    @property
    def protocol(self) -> dict[str, dict[str, str | int]]:
        """Per metric, all that two values must share to stand in one column."""
        name = self.extractor.name
        shared: dict[str, str | int] = {
            "extractor": name,
            "sha256": self.extractor.sha256,
            "resize": self.extractor.resize,
            "levels": 256,
            "n_fake": self.n_fake,
        }
        return {
            "fd": {"label": label("fd", name), **shared, "n_real": self.n_real, "split": self.split},
            "is": {"label": label("is", name), **shared, "is_splits": self.splits},
        }

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and logits [N, K], float64 on the CPU, of images [N, C, H, W]; one pass, batch by batch."""
        parts = [self.extractor(eight_bit(batch.to(self.device))) for batch in images.split(BATCH)]
        features, logits = (torch.cat(part).cpu().double() for part in zip(*parts, strict=True))
        return features, logits

    def _scores(self, frechet: FrechetInceptionDistance, images: Tensor) -> dict[str, float]:
        features, logits = self.features(images)
        frechet.reset()
        frechet.update(features, real=False)
        return {"fd": frechet.compute().item(), "is": inception_score(logits, self.splits)}


def _check_sizes(available: int, n_real: int, n_fake: int, splits: int) -> None:
    if not 2 <= n_real <= available:
        raise BadInput(f"image metrics: n_real = {n_real}, allowed are 2 to {available}, the reals at hand")
    if n_fake < 2:
        raise BadInput(f"image metrics: n_fake = {n_fake}, allowed are 2 or more")
    if not 1 <= splits <= n_fake:
        raise BadInput(f"image metrics: splits = {splits}, allowed are 1 to n_fake = {n_fake}")
