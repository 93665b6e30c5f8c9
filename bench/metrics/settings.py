"""What a suite may ask of an evaluation, and named protocols of image metrics. A run's specification has the values.

A preset is nothing but values for keys of a suite's `evaluation`; keys that the suite gives itself come first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ...objectives.errors import unknown
from .labels import LABELS, METRICS

PRESETS: dict[str, dict[str, Any]] = {
    # Heusel et al. 2017 (FID: 50,000 generated images against the statistics of the training set) and Salimans et al.
    # 2016 (IS: 10 parts of 5,000); what pytorch-gan-collections and mimicry report on CIFAR-10.
    "50k-train": {"images": 50_000, "split": "train", "is_splits": 10},
    # Lucic et al. 2018, section 4: 10,000 generated images against the test set.
    "10k-test": {"images": 10_000, "split": "test", "is_splits": 10},
    # Miyato et al. 2018, appendix B.1: FID of 5,000 generated against 10,000 real images, which the paper does not say
    # from where (here: the training set); IS over 10 times 5,000 generated images.
    "sngan": {"images": 5_000, "reals": 10_000, "split": "train", "is_images": 50_000, "is_splits": 10},
}

MOST = 10**6  # samples, or subsets of them: more is a slip, and fills any memory
Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Named = str | dict[str, Any]  # a name, or {name: …, setting: value}


@dataclass(frozen=True)
class Brought:
    """What of an evaluation is somebody else's, ready to be used.

    Attributes:
        metrics: each a `brought.BroughtMetric`.
        extractor: an `extractors.Extractor`; None where it is built in.
    """

    metrics: tuple[Any, ...] = ()
    extractor: Any = None


NOTHING = Brought()


def known_name(kind: str, names: Collection[str]) -> AfterValidator:
    """Checks that a text is one of these names."""

    def check(value: str) -> str:
        if value not in names:
            raise unknown(kind, value, list(names))
        return value

    return AfterValidator(check)


class Evaluation(BaseModel):
    """How often and on how many samples a run is evaluated; part of its identity.

    `count` evaluations follow the one at step 0, evenly spaced; `points` go into W1, `mode_points` into mode coverage,
    `images` into the metrics of images, `metrics`, on the features of `extractor` (the data set's own if None): fakes
    against `reals` (None: all) of the set `split`; without a split, as many against as many held-out ones. Among
    `metrics` may be those of classes (`class_accuracy`, `intra_fd`, `class_kl`), and plug-ins, which are measured on
    `points` too, and so may be `extractor`. The Inception Score is the mean over `is_splits` parts of `is_images`
    (None: `images`). KID (`kid_subsets` of `kid_subset_size`), precision and recall take at most `held_images` a side.
    `protocol` names a preset of these keys (`PRESETS`); those given beside it come first. At the end the generator is
    evaluated `repeats` times more, on fresh samples: the noise of an evaluation; 0 leaves that out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: Count = 20
    points: Annotated[int, Field(ge=10, le=5000, strict=True)] = 1000
    mode_points: Annotated[int, Field(ge=100, le=MOST, strict=True)] = 10_000
    protocol: Annotated[str, known_name("protocol", PRESETS)] | None = None
    images: Annotated[int, Field(ge=100, le=MOST, strict=True)] = 1000
    reals: Annotated[int, Field(ge=100, le=MOST, strict=True)] | None = None
    split: Literal["train", "test"] | None = None
    extractor: Named | None = None
    metrics: Annotated[list[Named], Field(min_length=1)] = list(METRICS)
    is_images: Annotated[int, Field(ge=100, le=MOST, strict=True)] | None = None
    is_splits: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    held_images: Annotated[int, Field(ge=100, le=MOST, strict=True)] = 10_000
    kid_subsets: Annotated[int, Field(ge=1, le=MOST, strict=True)] = 100
    kid_subset_size: Annotated[int, Field(ge=2, le=MOST, strict=True)] = 1000
    repeats: Annotated[int, Field(ge=0, le=100, strict=True)] = 3

    @property
    def of_images(self) -> tuple[str, ...]:
        """The built-in ones of `metrics`."""
        return tuple(metric for metric in self.metrics if isinstance(metric, str) and metric in LABELS)

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("protocol"), str):
            return given
        return PRESETS.get(given["protocol"], {}) | given
