"""Divergence, defined once for all runs: nan, exploded, collapsed, frozen, and the first step at which each held."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

EXPLODED_OUTPUT = 1e6  # mean |critic output|
EXPLODED_WEIGHTS = 1e4  # × the weight norm at the start
COLLAPSED_SPREAD = 0.05  # of the real data's mean pairwise distance
FROZEN_GRADIENT = 1e-7  # × the generator's first gradient norm
FROZEN_SHARE = 0.2  # of the run, at its end


@dataclass
class Divergence:
    """What has been seen so far of a run; numbers only, so that a checkpoint can hold it.

    `first` maps a reason to the first step at which it held; `now` says which of them holds at the last look.
    """

    steps: int
    start_weights: float | None = None
    first_gradient: float | None = None
    first: dict[str, int] = field(default_factory=dict)
    now: dict[str, bool] = field(default_factory=dict)
    gradients: list[tuple[int, float]] = field(default_factory=list)

    def losses(self, step: int, finite: list[bool]) -> None:
        """Whether the scalars of the iterations that end with `step` were finite, oldest first."""
        for offset, ok in enumerate(reversed(finite)):
            if not ok:
                self._hold("nan", step - offset, True)

    def output(self, step: int, mean_abs: float, weights: float) -> None:
        """Mean |critic output| and the norm of all weights, at a step; the first norm reported is the reference."""
        if self.start_weights is None:
            self.start_weights = weights
        if not (math.isfinite(mean_abs) and math.isfinite(weights)):
            self._hold("nan", step, True)
        self._hold("exploded", step, mean_abs > EXPLODED_OUTPUT or weights > EXPLODED_WEIGHTS * self.start_weights)

    def spread(self, step: int, share_of_real: float) -> None:
        """Mean pairwise distance of the samples over that of real data, at an evaluation after training began."""
        self._hold("collapsed", step, share_of_real < COLLAPSED_SPREAD)

    def gradient(self, step: int, norm: float) -> None:
        """Generator gradient norm; the first one reported is the reference."""
        if self.first_gradient is None:
            self.first_gradient = norm
        self.gradients.append((step, norm))

    @property
    def fatal(self) -> bool:
        """Nothing recovers from this: the run may stop."""
        return self.now.get("nan", False) or self.now.get("exploded", False)

    def verdict(self) -> dict[str, Any]:
        """`status`, `reason`, `diverged_at` and `recovered` of the run as it stands.

        A run that was collapsed for a while and is not at the end has completed; reason and step are kept.
        """
        self._judge_frozen()
        held = [r for r in ("nan", "exploded", "frozen", "collapsed") if self.now.get(r)]
        if held:
            return {"status": "diverged", "reason": held[0], "diverged_at": self.first[held[0]], "recovered": False}
        if self.first:
            reason = min(self.first, key=lambda r: self.first[r])
            return {"status": "completed", "reason": reason, "diverged_at": self.first[reason], "recovered": True}
        return {"status": "completed", "reason": None, "diverged_at": None, "recovered": False}

    def state(self) -> dict[str, Any]:
        """For a checkpoint; `Divergence(**state)` restores it."""
        return asdict(self)

    def _hold(self, reason: str, step: int, holds: bool) -> None:
        self.now[reason] = holds
        if holds:
            self.first[reason] = min(step, self.first.get(reason, step))

    def _judge_frozen(self) -> None:
        tail = [(s, g) for s, g in self.gradients if s > (1 - FROZEN_SHARE) * self.steps]
        if tail and self.first_gradient is not None:
            # Equal only where both are zero: a generator that no gradient ever reached.
            frozen = all(g <= FROZEN_GRADIENT * self.first_gradient for _, g in tail)
            self._hold("frozen", tail[0][0], frozen)
