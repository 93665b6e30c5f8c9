"""What a metric of samples must do: the checks behind `lipbench check --kind metric`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric

from ...objectives.conformance.repeatable import global_states
from ...objectives.conformance.report import CheckOutcome, Report, failed, not_applicable, passed
from ...objectives.errors import BadInput
from ..metrics.brought import BroughtMetric
from .engine import NamedCheck, first_suited, run_checks

SHAPES = ((2,), (1, 28, 28), (3, 32, 32))
N = 200  # samples a side
CLOSE = 1e-4  # relative: float32 sums in another order


@dataclass(frozen=True)
class MetricTrial:
    """How to make the metric, and the first shape of samples that suits it."""

    make: Callable[[], Metric]
    shape: tuple[int, ...]

    def samples(self, seed: int) -> Tensor:
        """Samples [N, *shape] in [-1, 1] of one law: two patterns, each with a little noise."""
        patterns = torch.rand(2, *self.shape, generator=torch.Generator().manual_seed(0)) - 0.5
        rng = torch.Generator().manual_seed(seed)
        which = torch.randint(0, 2, (N,), generator=rng)
        return patterns[which] + 0.1 * torch.randn(N, *self.shape, generator=rng).clamp(-3, 3)

    def noise(self) -> Tensor:
        """Samples [N, *shape] in [-1, 1] that look like none of these."""
        return 2 * torch.rand(N, *self.shape, generator=torch.Generator().manual_seed(5)) - 1

    def values(self, fakes: Tensor, parts: int = 1) -> dict[str, float]:
        """What a fresh metric says of fakes against reals, both given in so many parts."""
        metric = self.make()
        for samples, real in ((self.samples(1), True), (fakes, False)):
            for part in samples.chunk(parts):
                metric.update(part.clone(), real)
        return BroughtMetric("value", metric, {}, "").numbers(metric.compute())


def check_metric(title: str, make: Callable[[], Metric]) -> Report:
    """Runs every check, on the first of SHAPES whose samples the metric takes.

    Args:
        title: of the report.
        make: makes the metric.
    """
    trials = [MetricTrial(make, shape) for shape in SHAPES]
    return run_checks(title, first_suited(trials, lambda trial: trial.values(trial.samples(2))), CHECKS)


def gives_numbers(trial: MetricTrial) -> CheckOutcome:
    """A number, or names with numbers, finite on samples of the reals' law."""
    try:
        found = trial.values(trial.samples(2))
    except BadInput as error:
        return failed(str(error).removeprefix("metric value: "))
    odd = [key for key, value in found.items() if not math.isfinite(value)]
    return failed(f"gives {found[odd[0]]} on real samples") if odd else passed(f"on samples of shape {trial.shape}")


def global_streams(trial: MetricTrial) -> CheckOutcome:
    """Nobody else's random numbers are drawn."""
    before = global_states()
    trial.values(trial.samples(2), 2)
    moved = [name for name, state in global_states().items() if state != before[name]]
    return failed(f"draws from {' and '.join(moved)}: seed a generator of your own") if moved else passed()


def same_floor(trial: MetricTrial) -> CheckOutcome:
    """Real samples against others get the same value each time."""
    first, second = (trial.values(trial.samples(2)) for _ in range(2))
    return passed() if first == second else failed(f"the same samples get {_told(first)}, then {_told(second)}")


def direction(trial: MetricTrial) -> CheckOutcome:
    """Of noise and of one sample repeated, at least one is worse than fresh reals, as `higher_is_better` says."""
    measured, real = BroughtMetric("value", trial.make(), {}, ""), trial.values(trial.samples(2))
    known = {key: way for key in real if (way := measured.better(key)) is not None}
    if not known:
        return not_applicable("higher_is_better is None: no value is better than another")
    collapsed = trial.samples(2)[:1].expand(N, *trial.shape)
    others = {"noise": trial.values(trial.noise()), "one sample repeated": trial.values(collapsed)}
    for key, way in known.items():
        sign = 1 if way == "lower" else -1
        if not any(sign * found[key] > sign * real[key] for found in others.values()):
            told = ", ".join(f"{what} {found[key]:.3g}" for what, found in others.items())
            return failed(f"{way} is said to be better, but real samples get {real[key]:.3g}, {told}")
    return passed()


def all_samples(trial: MetricTrial) -> CheckOutcome:
    """In whichever parts they come all samples count."""
    fakes = torch.cat([trial.samples(2)[: N // 2], trial.noise()[N // 2 :]])
    whole, parts = trial.values(fakes), trial.values(fakes, 4)
    if not _close(whole, parts):
        return failed(f"the same samples at once get {_told(whole)}, in four parts {_told(parts)}")
    other = trial.values(torch.cat([fakes[: N // 2], trial.samples(2)[N // 2 :]]))
    return failed(f"the second half of {N} samples changes nothing") if _close(whole, other) else passed()


def _close(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a.keys() == b.keys() and all(math.isclose(a[key], b[key], rel_tol=CLOSE, abs_tol=1e-6) for key in a)


def _told(values: Mapping[str, float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values.values())


BASIC = ("numbers",)
DRAWN = (*BASIC, "no global randomness", "floor repeats")
CHECKS: tuple[NamedCheck[MetricTrial], ...] = (
    NamedCheck("numbers", gives_numbers),
    NamedCheck("no global randomness", global_streams, BASIC),
    NamedCheck("floor repeats", same_floor, DRAWN[:2]),
    NamedCheck("direction", direction, DRAWN),
    NamedCheck("all samples count", all_samples, DRAWN),
)
