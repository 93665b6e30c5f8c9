"""Which feature extractors and families of sample metrics are built in, by name. Imports none of them.

A new one needs a line here and in its own file only; no run depends on this module's source.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...objectives.errors import unknown
from ...objectives.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .extractors import Extractor

PACKAGE = "lipbench.bench.metrics"

EXTRACTORS: "Registry[Callable[[Path | None], Extractor]]" = Registry(
    PACKAGE,
    {
        "mnist-cnn": "classifier:mnist_cnn",
        "efficientnet-lite0": "efficientnet:efficientnet_lite0",
        "inception": "inception:inception",
    },
)
# By what the samples are; `stacked-mnist` and what is `brought` have more beside those.
FAMILIES: "Registry[Callable[..., Any]]" = Registry(
    PACKAGE,
    {
        "points": "points:point_metrics",
        "pairs": "pairs:pair_metrics",
        "images": "protocols:image_metrics",
        "stacked-mnist": "stacked:StackedModes",
        "brought": "brought:beside",
    },
)


def load_extractor(name: str, weights: Path | None = None) -> "Extractor":
    """Load an extractor, on the CPU.

    Args:
        name: one of `EXTRACTORS`.
        weights: a copy of its weights file elsewhere; the file must be the same one, byte for byte.

    Raises:
        BadInput: unknown name; weights missing, not installed, or with another sha256.
    """
    if name not in EXTRACTORS:
        raise unknown("extractor", name, list(EXTRACTORS))
    return EXTRACTORS[name](weights)
