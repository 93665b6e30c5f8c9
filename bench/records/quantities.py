"""What a measured quantity is called, in which unit, which way is better, and how its values are printed.

The names are the columns of history.csv. An unknown quantity is shown under its own name, without a judgement.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .summary import BETTER, WORST, Better

AXIS_LETTERS = 32  # of the label of an axis, at the height of a plot


@dataclass(frozen=True)
class Quantity:
    """A column of the records: key, printed name, unit ("" for a pure number), direction, and a one-line explanation.

    `worst` is what a run counts as that diverged without a value; NaN where no value is better than another.
    """

    key: str
    name: str
    unit: str = ""
    better: Better | None = None
    quality: bool = False
    meaning: str = ""
    worst: float = math.nan

    @property
    def title(self) -> str:
        """The title of a plot: name and which way is better."""
        return f"{self.name} ({self.better} is better)" if self.better else self.name

    @property
    def axis(self) -> str:
        """The label of an axis: name and unit, or the unit alone where both are too long beside it."""
        if self.unit in ("", "count"):
            return self.name if len(self.name) <= AXIS_LETTERS else "value"
        both = f"{self.name} [{self.unit}]"
        return both if len(both) <= AXIS_LETTERS else self.unit

    @property
    def is_time(self) -> bool:
        """Whether it says how long something took, which no two runs have in common."""
        return self.unit == "s"

    @property
    def heading(self) -> str:
        """The label of a column: name and an arrow towards better."""
        return self.name + {"lower": " ↓", "higher": " ↑", None: ""}[self.better]


def _quality(key: str, name: str, unit: str, meaning: str) -> Quantity:
    return Quantity(key, name, unit, BETTER[key], True, meaning, WORST[key])


_QUALITY = (
    _quality("w1", "W1", "data units", "exact Wasserstein-1 distance to fresh real points"),
    _quality("modes", "modes", "count", "modes that enough samples fall into: on points .2 % of them"),
    _quality("high_quality", "high quality", "share", "samples within 3σ of a mode"),
    _quality("mode_kl", "mode KL", "nats", "KL of the samples' shares of their nearest modes to even ones"),
    _quality("modes_any", "modes, any sample", "count", "modes that any of 2,500 samples is within 3σ of (VEEGAN's)"),
    _quality("mode_kl_high_quality", "mode KL within 3σ", "nats", "mode KL of the samples within 3σ alone (PacGAN's)"),
    _quality("fd", "FD", "", "Fréchet distance of features of samples to those of real images"),
    _quality("is", "IS", "", "Inception Score: classes both certain and varied"),
    _quality("kid", "KID", "", "kernel distance of features of samples to those of real images"),
    _quality("precision", "precision", "share", "samples among real images, by features"),
    _quality("recall", "recall", "share", "real images among samples, by features"),
    _quality("class_accuracy", "class accuracy", "share", "samples that the classifier puts into the class asked for"),
    _quality("intra_fd", "intra-FD", "", "FD of the samples of a class to its real images, mean over classes"),
    _quality("class_kl", "class KL", "nats", "KL of the shares of classes, by the classifier, to those of real images"),
    _quality("cosine", "cos", "", "mean cosine of the critic's gradient at fakes and that of an optimal critic"),
    _quality("gradient_error", "L2", "", "mean squared length of the difference of these gradients"),
    Quantity("cost", "cost", "data units", None, True, "mean D(real) − mean D(fake), W1 for an optimal critic"),
    _quality("cost_error", "cost error", "share of W1", "how far the cost is from W1"),
    _quality("gradient_error_scaled", "L2 / own slope", "", "L2 after the critic is divided by its largest slope"),
    _quality("cost_error_scaled", "cost error / own slope", "share of W1", "cost error after the same"),
    _quality("steps_to_90", "steps to 90 %", "", "critic steps to 90 % of the final cosine"),
    _quality("seconds_to_90", "seconds to 90 %", "s", "seconds of training until then"),
)
_STABILITY = (
    Quantity("generator_grad_norm", "generator gradient norm"),
    Quantity("critic_estimate", "critic estimate", "critic output", meaning="mean D(real) − mean D(fake)"),
    Quantity("critic_loss", "critic loss"),
    Quantity("generator_loss", "generator loss"),
    Quantity("penalty", "penalty", meaning="weighted, as it enters the critic's loss"),
    *(
        Quantity(f"slope_{where}_{what}", f"critic slope on {place}, {what}", "1/data unit")
        for where, place in (("real", "real points"), ("fake", "fake points"), ("line", "lines between them"))
        for what in ("mean", "sd", "max")
    ),
    Quantity("clipped_share", "weights within 1 % of ±c", "share"),
    # The norm of a convolution as a map can be larger than that of its kernel.
    Quantity(
        "sigma_max", "largest singular value of a critic layer", meaning="convolutions: of the kernel as a matrix"
    ),
    Quantity("own_slope", "largest slope over pairs of points", "1/data unit"),
    Quantity("cost_scaled", "cost / own slope", "data units"),
    Quantity("sample_spread", "sample spread", "share of real"),
)
KNOWN = {quantity.key: quantity for quantity in (*_QUALITY, *_STABILITY)}
AXES = {  # what a curve can be drawn against: columns of history.csv that are no metrics
    "step": "iteration (generator updates)",
    "critic_steps": "critic steps",
    "images": "real samples seen",
    "seconds": "seconds",
}


def quantity(key: str, protocol: Mapping[str, Any] | None = None, meaning: str = "") -> Quantity:
    """The quantity of that key. Its protocol names the extractor; only Inception's Fréchet distance is called FID.

    Of somebody else's metric it has the name and the direction, and thereby the worst: the infinity that is no better.
    What that one means is the caller's to say.
    """
    protocol = protocol or {}
    known = KNOWN.get(key) or _brought(key, protocol, meaning)
    extractor = protocol.get("extractor")
    if not isinstance(extractor, str) or not known.quality:
        return known
    if extractor == "inception":
        return replace(known, name={"FD": "FID", "intra-FD": "intra-FID"}.get(known.name, known.name))
    return replace(known, name=f"{known.name}({extractor})")


def _brought(key: str, protocol: Mapping[str, Any], meaning: str) -> Quantity:
    better: Better | None = protocol.get("better")
    worst = math.nan if better is None else math.inf if better == "lower" else -math.inf
    name = protocol.get("label") or key.replace("_", " ")
    return Quantity(key, name, better=better, quality=bool(protocol), meaning=meaning, worst=worst)


def in_order(keys: Iterable[str]) -> list[str]:
    """Known quantities in their fixed order, then unknown ones by name: the order of columns."""
    rank = {key: i for i, key in enumerate(KNOWN)}
    return sorted(set(keys), key=lambda key: (rank.get(key, len(rank)), key))


def number(value: float | None, digits: int = 3) -> str:
    """A value for people: three significant digits, ∞ for a diverged one, a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")  # of the rounded value: 9.999 has the decimals of 10.0
    if value.is_integer() and abs(value) < 1e5:
        text = f"{value:.0f}"
    elif 1e-3 <= abs(value) < 1e5:
        text = f"{value:.{max(0, digits - 1 - int(exponent))}f}"
    else:
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")
