"""Somebody's metrics of samples and extractors of features, as an evaluation uses them. Finds and imports none.

A metric is a `torchmetrics.Metric`: `update(samples, real)` is called with float samples [n, …], images in [-1, 1] on
the 256 levels of a picture, some hundred at a time and reals first; `compute()` gives a number, or a mapping of names
to numbers; `higher_is_better` is true, false, or None where no value is better than another.
"""

import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import Metric

from ...objectives.conformance.repeatable import global_streams_kept
from ...objectives.errors import BadInput, error_line, naming
from ..data.dataset import Dataset
from ..records.summary import Better
from .extractors import Extractor, frozen
from .images import eight_bit
from .protocols import sides
from .settings import Evaluation

BATCH = 500  # samples that a metric gets at a time


@dataclass(frozen=True)
class BroughtMetric:
    """A metric that has seen no sample, and what is said of it.

    Attributes:
        label: what tables call it.
        metric: the metric.
        settings: of it.
        source: a hash of its code.
    """

    label: str
    metric: Metric
    settings: Mapping[str, Any]
    source: str

    def better(self, key: str) -> Better | None:
        """Which way the value is better that goes by this key."""
        higher: Any = self.metric.higher_is_better
        if isinstance(higher, Mapping):
            higher = higher.get(key.removeprefix(f"{self.label}."))
        return None if higher is None else "higher" if higher else "lower"

    def numbers(self, found: object) -> dict[str, float]:
        """What it computed, by key: its label, or `label.name` where it gives a mapping. Raises BadInput for others."""
        named = (
            {f"{self.label}.{k}": v for k, v in found.items()} if isinstance(found, Mapping) else {self.label: found}
        )
        if not named:
            raise BadInput(f"metric {self.label}: gives an empty mapping: must be a number, or names with numbers")
        return {key: self._number(value) for key, value in named.items()}

    def _number(self, value: object) -> float:
        if isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) == 1:
            value = value.item()
        if not isinstance(value, int | float | np.number):
            shown = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise BadInput(f"metric {self.label}: gives {shown}: must be a number, or a mapping of names to numbers")
        return float(value)


class BroughtMetrics:
    """Metrics of samples against fixed reals, which each of them is shown once; fakes go to a copy of it.

    Args:
        metrics: without samples.
        reals: [n, …].
        n_fake: how many fakes a call takes.
        split: where the reals come from, for the protocol.
        device: where the metrics compute.

    Raises:
        BadInput: for a metric that raises, or gives no finite number on real samples.
    """

    def __init__(
        self, metrics: Sequence[BroughtMetric], reals: Tensor, n_fake: int, split: str, device: torch.device
    ) -> None:
        self.metrics, self.n_real, self.n_fake, self.split, self.device = metrics, len(reals), n_fake, split, device
        self.known: list[Metric] = []
        for one in metrics:
            with _told(one.label), own_streams(device):
                self.known.append(self._shown(one.metric.clone().to(device), reals, real=True))
        self.keys = {key: one for one, known in self._pairs() for key in self._finite(one, known, reals[:n_fake])}

    def __call__(self, fakes: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """Every value for fakes [n_fake, …]; all nan if a coordinate or pixel is not finite."""
        if not fakes.isfinite().all():
            return dict.fromkeys(self.keys, math.nan)
        return {key: v for one, known in self._pairs() for key, v in self._values(one, known, fakes).items()}

    def with_bias(self, fakes: Tensor, labels: Tensor | None = None) -> tuple[dict[str, float], dict[str, Any]]:
        """As a call; how these depend on the number of samples nobody knows."""
        return self(fakes), {}

    def fresh(self, rng: torch.Generator) -> "BroughtMetrics":
        """The same metrics: their reals are fixed."""
        return self

    def floors(self, reals: Tensor | None) -> dict[str, float]:
        """What these reals get in the place of fakes; nothing without any."""
        pairs = [] if reals is None else self._pairs()
        return {key: v for one, known in pairs for key, v in self._finite(one, known, reals).items()}  # pyright: ignore[reportArgumentType]

    @property
    def protocol(self) -> dict[str, dict[str, Any]]:
        """Per value, all that two of them must share to stand in one column, and which way is better."""
        shared = {"n_fake": self.n_fake, "n_real": self.n_real, "split": self.split}
        found: dict[str, dict[str, Any]] = {}
        for key, one in self.keys.items():
            better = one.better(key)
            found[key] = {"label": key, **shared, "settings": dict(one.settings), "source": one.source[:16]}
            found[key] |= {} if better is None else {"better": better}
        return found

    def _pairs(self) -> list[tuple[BroughtMetric, Metric]]:
        return list(zip(self.metrics, self.known, strict=True))

    def _finite(self, one: BroughtMetric, known: Metric, reals: Tensor) -> dict[str, float]:
        with _told(one.label):
            found = self._values(one, known, reals)
        odd = next((key for key, value in found.items() if not math.isfinite(value)), None)
        if odd is not None:
            raise BadInput(f"metric {odd}: gives {found[odd]} on real samples")
        return found

    def _values(self, one: BroughtMetric, known: Metric, fakes: Tensor) -> dict[str, float]:
        with own_streams(self.device):
            return one.numbers(self._shown(known.clone(), fakes, real=False).compute())

    def _shown(self, metric: Metric, samples: Tensor, real: bool) -> Metric:
        """The metric, once it has seen the samples: copies, with which it may do what it likes."""
        for part in samples.split(BATCH):
            metric.update(eight_bit(part).to(self.device) if part.dim() == 4 else part.to(self.device).clone(), real)
        return metric


class Together:
    """Several families of metrics as one: each is given the first fakes, as many as it takes."""

    def __init__(self, measures: Sequence[Any]) -> None:
        self.measures = measures
        self.n_fake: int = max(measure.n_fake for measure in measures)
        self.protocol: dict[str, dict[str, Any]] = {k: v for m in measures for k, v in m.protocol.items()}

    def __call__(self, fakes: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """All values of fakes [≥ n_fake, …], and the classes asked for."""
        return {key: value for m in self.measures for key, value in m(fakes[: m.n_fake], labels).items()}

    def with_bias(self, fakes: Tensor, labels: Tensor | None = None) -> tuple[dict[str, float], dict[str, Any]]:
        """As a call, with what the families know of how values depend on the number of samples."""
        parts = [m.with_bias(fakes[: m.n_fake], labels) for m in self.measures]
        values, biases = ({k: v for part in side for k, v in part.items()} for side in zip(*parts, strict=True))
        return values, biases

    def fresh(self, rng: torch.Generator) -> "Together":
        """The same with reals from another stream, where they are not fixed."""
        return Together([measure.fresh(rng) for measure in self.measures])


def beside(
    usual: Any, data: Dataset, evaluation: Evaluation, device: torch.device, metrics: Sequence[BroughtMetric]
) -> tuple[Together, dict[str, float]]:
    """The usual metrics of a data set (None: none) with somebody's beside them, and the floors of the latter.

    Their reals are fixed: on images the reference of fd, on points `points` held-out ones; the floor is what as many
    others get. Raises BadInput as `BroughtMetrics`.
    """
    reals, others, n_fake = sides(data, evaluation, device)
    split = evaluation.split if data.is_images and evaluation.split else data.held_out_from
    mine = BroughtMetrics(metrics, reals, n_fake, split, device)
    return Together([mine] if usual is None else [usual, mine]), mine.floors(others)


@contextmanager
def own_streams(device: torch.device) -> Iterator[None]:
    """Torch's, numpy's and Python's global random streams at a fixed seed; afterwards they are as they were before."""
    on_gpu = [device] if device.type == "cuda" else []
    with global_streams_kept(), torch.random.fork_rng(devices=on_gpu):
        random.seed(0)
        np.random.seed(0)
        torch.default_generator.manual_seed(0)
        for gpu in on_gpu:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(0)
        yield


@contextmanager
def _told(label: str) -> Iterator[None]:
    """An error of somebody's metric as one line."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"metric {label}: {error_line(error)}") from error


class BroughtNetwork(nn.Module):
    """Somebody's network in evaluation mode: images to features and logits, of which there may be none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and logits [N, K], float32; K = 0 where it gives no logits. Raises BadInput for others."""
        found = self.network(images)
        parts = found if isinstance(found, tuple) and len(found) == 2 else (found, images.new_empty(len(images), 0))
        features, logits = parts
        return self._checked("features", features, images, 1), self._checked("logits", logits, images, 0)

    def _checked(self, what: str, given: object, images: Tensor, least: int) -> Tensor:
        fits = isinstance(given, Tensor) and given.dim() == 2 and len(given) == len(images) and given.shape[1] >= least
        if isinstance(given, Tensor) and fits:
            return given.float()
        shown = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
        told = f"{what} of {shown} for {len(images)} images"
        raise BadInput(f"gives {told}: must be features [N, D], or a pair with logits [N, K]")


def as_extractor(name: str, network: nn.Module, shape: tuple[int, ...], source: str) -> Extractor:
    """Somebody's network as an extractor, tried on two images.

    Args:
        name: what tables call it.
        network: images [N, C, H, W] in [-1, 1] to features [N, D], or to (features, logits [N, K]).
        shape: of one image.
        source: a hash of its code.

    Raises:
        BadInput: where it takes no such images, or gives something else.
    """
    whole = BroughtNetwork(network)
    images = 2 * torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)) - 1
    where = f"extractor {name}: on images of shape {tuple(shape)}"
    # its own streams: some layers draw their weights when they see images
    with naming(where, anything=True), torch.no_grad(), own_streams(images.device):
        features, logits = whole(images)
    return Extractor(
        name,
        _state_sha256(network),
        "its own",
        features.shape[1],
        frozen(whole),
        classes=logits.shape[1],
        source=source,
    )


def _state_sha256(network: nn.Module) -> str:
    """Over the state_dict: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
