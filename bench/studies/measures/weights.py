"""Where the weights of a critic lie: shares at the extremes, histograms, spectra. Nothing here trains."""

import math

import torch
from torch import Tensor, nn

from ..engine.contract import Row

NEAR, BINS = 0.02, 41
PLACES = 33  # of a spectrum, evenly spaced


def finite(trained: nn.Module) -> bool:
    """Whether training left numbers: where it diverged to nan, nothing else can be measured on the module."""
    return all(bool(parameter.isfinite().all()) for parameter in trained.parameters())


def weights(critic: nn.Module) -> Tensor:
    """All weights of the linear layers and convolutions, without biases, [n]."""
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return torch.cat([layer.weight.detach().flatten() for layer in layers])


def share_of_extremes(trained: Tensor, untrained: Tensor, clip: float | None) -> Row:
    """The share of weights within 2 % of ±c (`extreme`), or of their own largest magnitude where nothing is clipped.

    `clipped_start`: the share that one clipping of the untrained weights brings there, before any training.
    Where training left no numbers the share is the worst there is: 0, or infinite where nothing is clipped.
    """
    found: Row = {"extreme": near(trained, trained.abs().max().item() if clip is None else clip)}
    if not bool(trained.isfinite().all()):
        found = {"extreme": math.inf if clip is None else 0.0}
    return found if clip is None else found | {"clipped_start": near(untrained.clamp(-clip, clip), clip)}


def near(weights: Tensor, bound: float) -> float:
    """The share within 2 % of ±bound."""
    return float((weights.abs() >= (1 - NEAR) * bound).double().mean())


def histogram(weights: Tensor) -> list[Row]:
    """Share of the weights per bin, symmetric about 0; `left` and `width` in units of the weights."""
    reach = float(weights.abs().max()) * (1 + 1e-9)
    counts, edges = torch.histogram(weights, BINS, range=(-reach, reach))
    shares, width = (counts / len(weights)).tolist(), 2 * reach / BINS
    return [{"left": left, "width": width, "share": share} for left, share in zip(edges.tolist(), shares, strict=False)]


def spectra(critic: nn.Module) -> list[Row]:
    """Singular values of each weight as a matrix [out, rest], as the layer uses it: `value` at `place` 0 … 1.

    At most PLACES of them a layer, the largest (place 0) and the smallest among them.
    """
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    rows: list[Row] = []
    for number, layer in enumerate(layers):
        values = torch.linalg.svdvals(layer.weight.detach().flatten(1).double())
        for index in torch.linspace(0, len(values) - 1, min(PLACES, len(values))).round().long().tolist():
            place = index / max(1, len(values) - 1)
            rows.append({"layer": number, "place": place, "value": float(values[index])})
    return rows
