"""Checks of hyper-parameters."""

from collections.abc import Collection

import pytest

from lipbench.objectives import BadInput
from lipbench.objectives.checks import choice, natural_number, positive_integer


def test_positive_integer_returns_the_value() -> None:
    assert positive_integer("kernels", 7) == 7


@pytest.mark.parametrize("value", [0, -3, 2.0, "4", True, float("nan")])
def test_positive_integer_refuses_in_one_line(value: object) -> None:
    with pytest.raises(BadInput, match=r"^kernels=.*must be an integer ≥ 1$"):
        positive_integer("kernels", value)  # pyright: ignore[reportArgumentType]


def test_natural_number_takes_zero_and_refuses_in_one_line() -> None:
    assert [natural_number("classes", value) for value in (0, 7)] == [0, 7]
    for value in (-1, 2.0, "4", True, float("nan")):
        with pytest.raises(BadInput, match=r"^classes=.*must be an integer ≥ 0$"):
            natural_number("classes", value)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("allowed", [("line", "box"), {"line": 1, "box": 2}])
def test_choice_returns_the_value_or_lists_what_is_allowed(allowed: Collection[str]) -> None:
    assert choice("points", "box", allowed) == "box"
    for value in ("box ", 3, None, ["box"], {"box": 1}):
        with pytest.raises(BadInput, match=r"^unknown points '.*; known: box, line$"):
            choice("points", value, allowed)  # pyright: ignore[reportArgumentType]
