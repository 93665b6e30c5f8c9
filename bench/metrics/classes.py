"""Metrics of classes as torchmetrics' Metric: does the class asked for come, how good is it, how often. No network."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric

from .features import Gaussian, frechet_distance, gaussian

# Which classes an extractor's logits stand for: those of these data sets.
CLASSIFIERS = {"mnist-cnn": ("digits", "mnist5k", "mnist")}


@dataclass(frozen=True)
class Labelling:
    """The classes of a data set.

    Attributes:
        count: K.
        labels: [N] int64, of the reals.
        conditional: whether fakes are asked for by class.
    """

    count: int
    labels: Tensor
    conditional: bool


class ClassAccuracy(Metric):
    """The share of the fakes that the classifier puts into the class asked for (Shmelkov et al. 2018: GAN-test)."""

    higher_is_better = True
    full_state_update = False
    right: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0))
        self.add_state("seen", torch.tensor(0))

    def update(self, logits: Tensor, real: bool, labels: Tensor) -> None:
        """Logits [N, K] and classes [N] of N more fakes; those of reals do not count."""
        if not real:
            self.right += (logits.argmax(dim=1) == labels).sum()
            self.seen += len(labels)

    def compute(self) -> Tensor:
        """The share, float64."""
        return self.right.double() / self.seen


class ClassKL(Metric):
    """KL(shares of the classes among fakes, by the classifier ‖ those among the labels of reals), in nats.

    A class that no real has counts as if one had it, so that the value stays finite.

    Args:
        count: K.
    """

    higher_is_better = False
    full_state_update = False
    real_counts: Tensor
    fake_counts: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.add_state("real_counts", torch.zeros(count, dtype=torch.int64))
        self.add_state("fake_counts", torch.zeros(count, dtype=torch.int64))

    def update(self, logits: Tensor, real: bool, labels: Tensor | None = None) -> None:
        """Labels [N] of N more reals, or logits [N, K] of as many fakes."""
        if real:
            assert labels is not None
            self.real_counts += torch.bincount(labels, minlength=self.count)
        else:
            self.fake_counts += torch.bincount(logits.argmax(dim=1), minlength=self.count)

    def compute(self) -> Tensor:
        """The divergence, float64."""
        real, fake = self.real_counts.clamp(min=1).double(), self.fake_counts.double()
        p, q = fake / fake.sum(), real / real.sum()
        return torch.xlogy(p, p / q).sum().clamp(min=0)

    def reference(self) -> dict[str, Tensor]:
        """The state of the reals, once they are all in."""
        return {"real_counts": self.real_counts}


class WithinClasses(Metric):
    """Fréchet distance between the reals and the fakes of one class, mean over classes (intra-FID: Miyato and Koyama
    2018, 4.1). NaN where fewer than two fakes are asked for of a class, or there are fewer than two reals.

    Args:
        count: K.
        dim: number of features.
    """

    higher_is_better = False
    full_state_update = False
    real_n: Tensor
    fake_n: Tensor

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.count = count
        for side in ("real", "fake"):
            self.add_state(f"{side}_n", torch.zeros(count, dtype=torch.int64))
            self.add_state(f"{side}_sum", torch.zeros(count, dim, dtype=torch.float64))
            self.add_state(f"{side}_products", torch.zeros(count, dim, dim, dtype=torch.float64))

    def update(self, features: Tensor, real: bool, labels: Tensor) -> None:
        """Features [N, D] of N more reals or fakes, and the classes [≥ N] of these."""
        side, labels = "real" if real else "fake", labels[: len(features)]
        for k in range(self.count):
            own = features[labels == k].double()
            getattr(self, f"{side}_n")[k] += len(own)
            getattr(self, f"{side}_sum")[k] += own.sum(dim=0)
            getattr(self, f"{side}_products")[k] += own.T @ own

    def compute(self) -> Tensor:
        """The mean, float64."""
        if min(self.real_n.min(), self.fake_n.min()) < 2:
            return torch.tensor(torch.nan, dtype=torch.float64)
        each = [frechet_distance(self._fit("real", k), self._fit("fake", k)) for k in range(self.count)]
        return torch.tensor(each, dtype=torch.float64).mean()

    def _fit(self, side: str, k: int) -> Gaussian:
        n, total, products = (getattr(self, f"{side}_{what}")[k] for what in ("n", "sum", "products"))
        return gaussian(n, total, products)

    def reference(self) -> dict[str, Tensor]:
        """The states of the reals, once they are all in."""
        return {name: getattr(self, name) for name in ("real_n", "real_sum", "real_products")}


def metrics_of_classes(asked: set[str], labelling: Labelling | None, dim: int) -> dict[str, Metric]:
    """Empty ones of those asked for that can be measured."""
    found: dict[str, Metric] = {}
    if labelling is not None and "class_kl" in asked:
        found["class_kl"] = ClassKL(labelling.count)
    if labelling is not None and labelling.conditional:
        if "class_accuracy" in asked:
            found["class_accuracy"] = ClassAccuracy()
        if "intra_fd" in asked:
            found["intra_fd"] = WithinClasses(labelling.count, dim)
    return found
