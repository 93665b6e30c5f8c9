"""Measures the generator of a finished run again on fresh samples: how noisy an evaluation is, how it depends on n.

From a stream of its own, so that nothing that was measured before changes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.iteration import Iteration, stream_seed
from ..metrics import stability
from .evaluation import Quality, asked_classes, generate


def measure_again(iteration: Iteration, quality: Quality, repeats: int) -> dict[str, Any]:
    """Noise and bias of the metrics, on the generator as it is now.

    Args:
        iteration: after its training.
        quality: the run's metrics.
        repeats: evaluations, each on fresh fakes; on points on fresh reals too, on images against the one reference.

    Returns:
        {"evaluation_noise": {metric: {"values": […], "sd": their sample standard deviation}},
        "bias": {metric: {"sizes", "values", and "limit" and "error" where a law is known}}}; the bias is that of the
        first repeat. Nothing for 0 repeats; sd None for 1.
    """
    if not repeats:
        return {}
    rng = torch.Generator(iteration.device).manual_seed(stream_seed(iteration.seed, "fresh samples"))
    metrics = quality.measure.fresh(rng)
    with stability.evaluating(iteration.sampler), torch.no_grad():
        first, bias = metrics.with_bias(*_fakes(iteration, quality.n_fake, rng))
        rest = [metrics(*_fakes(iteration, quality.n_fake, rng)) for _ in range(repeats - 1)]
    values = {name: [found[name] for found in (first, *rest)] for name in first}
    return {"evaluation_noise": {name: _noise(measured) for name, measured in values.items()}, "bias": bias}


def _fakes(iteration: Iteration, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """Fresh samples and, of a conditional generator, the classes asked for."""
    asked = asked_classes(iteration, n, rng)
    return generate(iteration, n, rng, asked), asked


def _noise(values: list[float]) -> dict[str, Any]:
    return {"values": values, "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}
