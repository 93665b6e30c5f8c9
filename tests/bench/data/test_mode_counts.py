"""The known numbers of modes are those of the data sets."""

import pytest

from lipbench.bench.data.catalog import POINTS, load
from lipbench.bench.data.mode_counts import MODE_COUNTS
from lipbench.bench.metrics.stacked import MODES


@pytest.mark.parametrize("name", POINTS)
def test_mode_counts_are_those_of_the_mixtures(name: str) -> None:
    mixture = load(name).mixture
    assert MODE_COUNTS.get(name) == (None if mixture is None else len(mixture.centres))


def test_mode_count_of_stacked_digits_is_that_of_its_metric() -> None:
    assert MODE_COUNTS["stacked-mnist"] == MODES
