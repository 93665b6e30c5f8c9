"""Names, directions and the printing of numbers."""

import math

import pytest

from lipbench.bench.records.quantities import in_order, number, quantity


def test_quantity_names_the_extractor_and_calls_only_inceptions_distance_fid() -> None:
    assert quantity("fd", {"extractor": "mnist-cnn"}).heading == "FD(mnist-cnn) ↓"
    assert quantity("is", {"extractor": "mnist-cnn"}).heading == "IS(mnist-cnn) ↑"
    assert quantity("fd", {"extractor": "inception"}).heading == "FID ↓"
    assert quantity("is", {"extractor": "inception"}).name == "IS"
    assert quantity("fd").name == "FD"
    assert quantity("kid", {"extractor": "mnist-cnn"}).heading == "KID(mnist-cnn) ↓"
    assert quantity("recall", {"extractor": "efficientnet-lite0"}).heading == "recall(efficientnet-lite0) ↑"
    assert quantity("precision", {"extractor": "inception"}).name == "precision"


def test_quantity_that_is_unknown_is_shown_without_a_judgement() -> None:
    mine = quantity("my_score", {"n": 5})
    assert (mine.name, mine.better, mine.quality) == ("my score", None, True)
    assert not quantity("my_norm").quality
    assert quantity("w1").title == "W1 (lower is better)" and mine.title == "my score"


def test_in_order_puts_known_quantities_first_and_drops_repeats() -> None:
    assert in_order(["zz", "mode_kl", "aa", "w1", "w1", "critic_loss"]) == ["w1", "mode_kl", "critic_loss", "aa", "zz"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08431, "0.0843"),
        (0.1, "0.100"),
        (8.0, "8"),
        (12.345, "12.3"),
        (9.994, "9.99"),
        (9.999, "10.0"),
        (-99.96, "−100"),
        (0.09994, "0.0999"),
        (0.09998, "0.100"),
        (0.0009999, "1.00e−3"),
        (54321.4, "54321"),
        (1.5e9, "1.50e9"),
        (3e-7, "3.00e−7"),
        (-0.5, "−0.500"),
        (0.0, "0"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_number_prints_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text
