"""What a run's evaluations come to: where its tail begins, which way is better, and what a missing value counts as.

These decide numbers, so runs and studies depend on their source; how a quantity is printed stands in quantities.py.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

Better = Literal["lower", "higher"]

TAIL = 0.2  # the share of a run, at its end, over which tail mean and sd are taken
BETTER: dict[str, Better] = {
    "w1": "lower",
    "modes": "higher",
    "high_quality": "higher",
    "mode_kl": "lower",
    "modes_any": "higher",
    "mode_kl_high_quality": "lower",
    "fd": "lower",
    "is": "higher",
    "kid": "lower",
    "precision": "higher",
    "recall": "higher",
    "class_accuracy": "higher",
    "intra_fd": "lower",
    "class_kl": "lower",
    "cosine": "higher",
    "gradient_error": "lower",
    "cost_error": "lower",
    "gradient_error_scaled": "lower",
    "cost_error_scaled": "lower",
    "steps_to_90": "lower",
    "seconds_to_90": "lower",
}
# What a run counts as that diverged without a value.
WORST = {key: math.inf if way == "lower" else 0.0 for key, way in BETTER.items()} | {"is": 1.0, "cosine": -1.0}


def tail_start(steps: int) -> float:
    """The evaluations after this step are the tail of a run of `steps`."""
    return (1 - TAIL) * steps


def directions(protocol: Mapping[str, Mapping[str, Any]]) -> dict[str, Better]:
    """Metric → which way is better: of ours, and of those of others, whose protocol says it."""
    return BETTER | {key: found["better"] for key, found in protocol.items() if "better" in found}


def summarise(
    history: pd.DataFrame, steps: int, better: Mapping[str, Better] = BETTER
) -> dict[str, dict[str, float | None]]:
    """Metric → best (where a direction is known), final, mean and sd over the evaluations in the last 20 % of `steps`.

    None where there is no value, as in the tail of a run that stopped early. The sd is of those evaluations (divided by
    their number), and there is none of a single one.
    """
    tail = history[history["step"] > tail_start(steps)]
    found: dict[str, dict[str, float | None]] = {}
    for name in history.columns.drop(["step", "critic_steps", "images", "seconds"]):
        values = history[name].dropna()
        way = better.get(str(name))
        best = None if way is None or values.empty else {"lower": values.min(), "higher": values.max()}[way]
        found[str(name)] = {
            "best": None if best is None else float(best),
            "final": float(history[name].iloc[-1]),
            "tail_mean": float(tail[name].mean(skipna=False)),
            "tail_sd": float(tail[name].std(ddof=0, skipna=False)) if len(tail) > 1 else None,
        }
    return found
