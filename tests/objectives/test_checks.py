"""Checks of hyper-parameters."""

import pytest

from lipbench.objectives import BadInput
from lipbench.objectives.checks import positive_integer


def test_positive_integer_returns_the_value() -> None:
    assert positive_integer("kernels", 7) == 7


@pytest.mark.parametrize("value", [0, -3, 2.0, "4", True, float("nan")])
def test_positive_integer_refuses_in_one_line(value: object) -> None:
    with pytest.raises(BadInput, match=r"^kernels=.*must be an integer ≥ 1$"):
        positive_integer("kernels", value)  # pyright: ignore[reportArgumentType]
