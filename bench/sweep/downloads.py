"""Fetches what a sweep or a study lacks, when asked to: data sets, and Inception's weights where they are needed."""

from collections.abc import Sequence
from pathlib import Path

from ..data.catalog import DATASETS, download, found_name, load
from ..metrics import inception
from ..metrics.settings import Named


def fetch(
    datasets: Sequence[str], data_dir: Path | None, extractor: Named | None = None, weights: Path | None = None
) -> None:
    """Fetches what these data sets and their evaluation lack; what is there stays as it is.

    Args:
        datasets: by name.
        data_dir: where they are kept, ~/.cache/lipbench if None.
        extractor: of the evaluation; each data set's own if None.
        weights: of inception, if they are elsewhere: then they are not fetched.

    Raises:
        BadInput: where that fails.
    """
    for name in datasets:
        download(name, data_dir)
    if weights is not None:
        return
    known = [found_name(name, data_dir) for name in datasets if name in DATASETS]
    if "inception" in ([extractor] if extractor else [load(name, data_dir).extractor for name in known]):
        inception.download()
